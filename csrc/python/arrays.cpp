// csrc/python/arrays.cpp -- reads addresses and shapes of tensors and of plain tuples
#include "arrays.h"

#include "../core/ranges.h"

#include <string>

namespace nb = nanobind;

namespace jaxkeops {

namespace {

/// Names looked up on every tensor, made once and kept for ever.
struct Names {
    nb::object data_ptr = nb::steal(PyUnicode_InternFromString("data_ptr"));
    nb::object shape = nb::steal(PyUnicode_InternFromString("shape"));
    nb::object dtype = nb::steal(PyUnicode_InternFromString("dtype"));
};

const Names &names() {
    static const Names *const made = new Names;
    return *made;
}

} // namespace

void Array::read(nb::handle address, nb::handle extents) {
    data = PyLong_AsVoidPtr(address.ptr());
    if (!data && PyErr_Occurred())
        throw nb::python_error();
    if (!PyTuple_Check(extents.ptr()))
        throw nb::type_error("the shape of an array must be a tuple");
    const Py_ssize_t rank = PyTuple_Size(extents.ptr());
    shape.reset(static_cast<size_t>(rank));
    for (Py_ssize_t d = 0; d < rank; ++d) {
        const int64_t extent = PyLong_AsLongLong(PyTuple_GetItem(extents.ptr(), d));
        if (extent == -1 && PyErr_Occurred())
            throw nb::python_error();
        shape[static_cast<size_t>(d)] = extent;
    }
}

void Array::read_tensor(nb::handle tensor) {
    const nb::object address =
        nb::steal(PyObject_CallMethodObjArgs(tensor.ptr(), names().data_ptr.ptr(), nullptr));
    if (!address.is_valid())
        throw nb::python_error();
    const nb::object extents = nb::steal(PyObject_GetAttr(tensor.ptr(), names().shape.ptr()));
    if (!extents.is_valid())
        throw nb::python_error();
    read(address, extents);
}

void Array::read_pair(nb::handle pair) {
    if (!PyTuple_Check(pair.ptr()) || PyTuple_Size(pair.ptr()) != 2)
        throw nb::type_error("an array must be a pair (address, shape)");
    read(PyTuple_GetItem(pair.ptr(), 0), PyTuple_GetItem(pair.ptr(), 1));
}

Dtype read_range_dtype(size_t k, nb::handle tensor) {
    const nb::object dtype = nb::steal(PyObject_GetAttr(tensor.ptr(), names().dtype.ptr()));
    if (!dtype.is_valid())
        throw nb::python_error();
    const std::string text = nb::str(dtype).c_str();
    const std::string name = text.substr(text.rfind('.') + 1);
    for (Dtype known : {Dtype::int32, Dtype::int64})
        if (name == name_of(known))
            return known;
    throw nb::value_error(Ranges::wrong_dtype(k, name).message().c_str());
}

void require_count(const char *what, size_t expected, size_t got) {
    if (expected != got)
        throw nb::value_error(
            ("expected " + std::to_string(expected) + " " + what + ", got " + std::to_string(got))
                .c_str());
}

} // namespace jaxkeops
