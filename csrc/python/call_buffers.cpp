// csrc/python/call_buffers.cpp -- the NumPy path: arrays by the buffer protocol, in a microsecond
#include "kernel_object.h"

#include "../core/ranges.h"
#include "views.h"

#include <string>
#include <utility>

namespace nb = nanobind;

namespace jaxkeops {

namespace {

/// Reads three arrays of int32 or int64; ValueError for anything else.
void read_ranges(Problem &problem, nb::object ranges) {
    const nb::tuple arrays = three_arrays(std::move(ranges));
    Views views(Ranges::kArrays);
    for (size_t k = 0; k < Ranges::kArrays; ++k) {
        const nb::object array = arrays[k];
        if (!views.take(array.ptr(), kInput)) {
            if (!clear_misfit())
                throw nb::python_error();
            throw nb::value_error(
                Ranges::wrong(k, ": expected a C-contiguous array of int32 or int64, got " +
                                     name_of_type(array))
                    .message()
                    .c_str());
        }
        if (!views.read(Dtype::int64) && !views.read(Dtype::int32))
            throw nb::value_error(Ranges::wrong_dtype(k, views.format()).message().c_str());
    }
    bind_ranges(problem, views.buffers());
}

nb::object make_output(const Problem &problem, size_t k, nb::handle empty, nb::handle dtype) {
    const size_t rank = problem.output_rank(k);
    nb::object shape = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(rank)));
    const auto set = [&](size_t d, int64_t extent) {
        PyObject *const number = PyLong_FromLongLong(extent);
        if (!number)
            throw nb::python_error();
        PyTuple_SetItem(shape.ptr(), static_cast<Py_ssize_t>(d), number);
    };
    if (!shape.is_valid())
        throw nb::python_error();
    for (size_t d = 0; d < rank; ++d)
        set(d, problem.output_extent(k, d));
    return empty(shape, dtype);
}

} // namespace

nb::object call_buffers(const KernelObject &self, nb::tuple args, nb::object empty,
                        nb::tuple dtypes, nb::object out, nb::object ranges) {
    const Kernel &kernel = *self.kernel;
    const size_t inputs = kernel.inputs.size(), outputs = kernel.outputs.size();
    if (nb::len(args) != inputs)
        return nb::none();
    Views views(inputs);
    for (size_t k = 0; k < inputs; ++k) {
        PyObject *const array = PyTuple_GetItem(args.ptr(), static_cast<Py_ssize_t>(k));
        if (!views.take(array, kInput)) {
            if (!clear_misfit())
                throw nb::python_error();
            return nb::none();
        }
        if (!views.read(kernel.dtype))
            return nb::none();
    }
    Problem problem(kernel);
    if (Status status = problem.bind_inputs(views.buffers(), inputs); !status.is_ok()) {
        if (status.code() == Status::Code::too_large)
            throw nb::value_error(status.message().c_str());
        return nb::none();
    }
    if (!ranges.is_none())
        read_ranges(problem, std::move(ranges));

    const bool is_given = !out.is_none();
    nb::object results;
    if (is_given) {
        if (!nb::isinstance<nb::tuple>(out) || nb::len(out) != outputs)
            return nb::none();
        results = out;
    } else {
        if (nb::len(dtypes) != outputs)
            throw nb::value_error(("dtypes: expected one per output, " + std::to_string(outputs) +
                                   ", got " + std::to_string(nb::len(dtypes)))
                                      .c_str());
        results = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(outputs)));
        if (!results.is_valid())
            throw nb::python_error();
    }
    Views writable(outputs);
    for (size_t k = 0; k < outputs; ++k) {
        const auto position = static_cast<Py_ssize_t>(k);
        if (!is_given)
            PyTuple_SetItem(
                results.ptr(), position,
                make_output(problem, k, empty, nb::handle(PyTuple_GetItem(dtypes.ptr(), position)))
                    .release()
                    .ptr());
        if (!writable.take(PyTuple_GetItem(results.ptr(), position), kOutput)) {
            if (!is_given || !clear_misfit())
                throw nb::python_error();
            return nb::none();
        }
        if (!writable.read(kernel.outputs[k].dtype)) {
            if (is_given)
                return nb::none();
            throw nb::type_error(("output " + std::to_string(k) + ": expected an array of " +
                                  name_of(kernel.outputs[k].dtype) +
                                  " from empty(shape, dtypes[k]), got another dtype")
                                     .c_str());
        }
    }
    if (Status status = problem.bind_outputs(writable.buffers(), outputs); !status.is_ok()) {
        if (is_given)
            return nb::none();
        throw nb::value_error(status.message().c_str());
    }
    launch_from_python(problem);
    return results;
}

} // namespace jaxkeops
