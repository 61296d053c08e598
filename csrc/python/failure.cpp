// csrc/python/failure.cpp -- which exception each kind of failure is
#include "failure.h"

#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace jaxkeops {

namespace {

/// The first letter large, unless it is that of a function of the driver.
std::string sentence(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z' && text.rfind("cu", 0) != 0)
        text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

[[noreturn]] void raise(PyObject *type, const std::string &message) {
    PyErr_SetString(type, message.c_str());
    throw nb::python_error();
}

} // namespace

void raise(const char *name, const std::string &message) {
    const nb::object type = nb::module_::import_("jaxkeops.errors").attr(name);
    raise(type.ptr(), sentence(message));
}

void require(const Status &status) {
    switch (status.code()) {
    case Status::Code::ok:
        return;
    case Status::Code::misfit:
    case Status::Code::too_large:
        raise(PyExc_ValueError, status.message());
    case Status::Code::no_memory:
        raise(PyExc_MemoryError, status.message());
    case Status::Code::no_device:
        raise("NoBackendError", status.message());
    case Status::Code::device:
        raise("DeviceError", status.message());
    case Status::Code::failed:
        if (status.cause())
            throw nb::python_error(*static_cast<const nb::python_error *>(status.cause().get()));
        break;
    }
    raise(PyExc_RuntimeError, status.message());
}

} // namespace jaxkeops
