// csrc/python/views.cpp -- takes buffers, and reads what they say of themselves
#include "views.h"

#include <cstdint>
#include <cstring>

namespace jaxkeops {

namespace {

// Py_buffer holds Py_ssize_t, a Buffer int64_t: the same bits, maybe `long` and `long long`.
static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));

/// Format characters of the `struct` module; the item's size tells which integer it is.
const char *letters(Dtype dtype) {
    switch (dtype) {
    case Dtype::float16:
        return "e";
    case Dtype::bfloat16:
        return "H"; // the struct module has no name for it: its bits, as integers
    case Dtype::float32:
        return "f";
    case Dtype::float64:
        return "d";
    default:
        return "ilq";
    }
}

} // namespace

bool Views::take(PyObject *object, int flags) {
    if (PyObject_GetBuffer(object, &views_[held_], flags) != 0)
        return false;
    ++held_;
    return true;
}

bool Views::read(Dtype wanted) {
    const Py_buffer &view = views_[held_ - 1];
    if (!view.format || view.format[0] == '\0' || view.format[1] != '\0' ||
        view.itemsize != size_of(wanted) || !std::strchr(letters(wanted), view.format[0]))
        return false;
    buffers_[held_ - 1] = {view.buf, reinterpret_cast<const int64_t *>(view.shape), view.ndim,
                           wanted};
    return true;
}

std::string Views::format() const {
    const char *const text = views_[held_ - 1].format;
    return std::string("format '") + (text ? text : "B") + "'";
}

bool clear_misfit() {
    if (!PyErr_ExceptionMatches(PyExc_BufferError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
        !PyErr_ExceptionMatches(PyExc_TypeError))
        return false;
    PyErr_Clear();
    return true;
}

} // namespace jaxkeops
