// csrc/python/call_addresses.cpp -- the PyTorch path: arrays by address and shape
#include "kernel_object.h"

#include "../core/ranges.h"
#include "../core/small_array.h"

#include <string>
#include <utility>

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

/// An array given by its address and its shape.
struct Array {
    void *data = nullptr;
    SmallArray<int64_t, 8> shape;

    void read(nb::handle address, nb::handle extents) {
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

    void read_tensor(nb::handle tensor) {
        const nb::object address =
            nb::steal(PyObject_CallMethodObjArgs(tensor.ptr(), names().data_ptr.ptr(), nullptr));
        if (!address.is_valid())
            throw nb::python_error();
        const nb::object extents = nb::steal(PyObject_GetAttr(tensor.ptr(), names().shape.ptr()));
        if (!extents.is_valid())
            throw nb::python_error();
        read(address, extents);
    }

    Buffer buffer(Dtype dtype) const {
        return {data, shape.data(), static_cast<int64_t>(shape.size()), dtype};
    }
};

void require(const Status &status) {
    if (!status.is_ok())
        throw nb::value_error(status.message().c_str());
}

void require_count(const char *what, size_t expected, size_t got) {
    if (expected != got)
        require(Status::misfit("expected " + std::to_string(expected) + " " + what + ", got " +
                               std::to_string(got)));
}

/// The dtype of a tensor of ranges, by its name: "torch.int64", "int32".
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

/// Reads every array with `read_input(k, array)`, `read_output(k, array)`, and `ranges`, unless
/// None, with `read_range(k, object, array)`, which returns their dtype; checks, and runs.
template <class ReadInput, class ReadOutput, class ReadRange>
void run_arrays(const Kernel &kernel, nb::object ranges, ReadInput read_input,
                ReadOutput read_output, ReadRange read_range) {
    const size_t inputs = kernel.inputs.size(), outputs = kernel.outputs.size();
    SmallArray<Array, 12> arrays(inputs + outputs);
    SmallArray<Buffer, 12> buffers(inputs + outputs);
    for (size_t k = 0; k < inputs; ++k) {
        read_input(k, arrays[k]);
        buffers[k] = arrays[k].buffer(kernel.dtype);
    }
    for (size_t k = 0; k < outputs; ++k) {
        read_output(k, arrays[inputs + k]);
        buffers[inputs + k] = arrays[inputs + k].buffer(kernel.outputs[k].dtype);
    }
    Problem problem(kernel);
    require(problem.bind_inputs(buffers.data(), inputs));
    if (!ranges.is_none()) {
        const nb::tuple three = three_arrays(std::move(ranges));
        Array range_arrays[Ranges::kArrays];
        Buffer range_buffers[Ranges::kArrays];
        for (size_t k = 0; k < Ranges::kArrays; ++k) {
            const Dtype dtype = read_range(k, nb::object(three[k]), range_arrays[k]);
            range_buffers[k] = range_arrays[k].buffer(dtype);
        }
        bind_ranges(problem, range_buffers);
    }
    require(problem.bind_outputs(buffers.data() + inputs, outputs));
    launch_from_python(problem);
}

void read_pair(nb::handle pair, Array &array) {
    if (!PyTuple_Check(pair.ptr()) || PyTuple_Size(pair.ptr()) != 2)
        throw nb::type_error("an array must be a pair (address, shape)");
    array.read(PyTuple_GetItem(pair.ptr(), 0), PyTuple_GetItem(pair.ptr(), 1));
}

} // namespace

void call_tensors(const KernelObject &self, nb::tuple args, nb::tuple outs, nb::object ranges) {
    const Kernel &kernel = *self.kernel;
    require_count("inputs", kernel.inputs.size(), nb::len(args));
    require_count("outputs", kernel.outputs.size(), nb::len(outs));
    run_arrays(
        kernel, std::move(ranges), [&](size_t k, Array &array) { array.read_tensor(args[k]); },
        [&](size_t k, Array &array) { array.read_tensor(outs[k]); },
        [](size_t k, nb::handle tensor, Array &array) {
            array.read_tensor(tensor);
            return read_range_dtype(k, tensor);
        });
}

void run_addresses(const KernelObject &self, nb::sequence inputs, nb::sequence outputs,
                   nb::object ranges) {
    const Kernel &kernel = *self.kernel;
    require_count("inputs", kernel.inputs.size(), nb::len(inputs));
    require_count("outputs", kernel.outputs.size(), nb::len(outputs));
    run_arrays(
        kernel, std::move(ranges),
        [&](size_t k, Array &array) { read_pair(nb::object(inputs[k]), array); },
        [&](size_t k, Array &array) { read_pair(nb::object(outputs[k]), array); },
        [](size_t, nb::handle pair, Array &array) {
            read_pair(pair, array);
            return Dtype::int64;
        });
}

} // namespace jaxkeops
