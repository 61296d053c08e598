// csrc/python/call_addresses.cpp -- the PyTorch path: arrays by address and shape
#include "kernel_object.h"

#include "../core/ranges.h"
#include "arrays.h"
#include "failure.h"

#include <string>
#include <utility>

namespace nb = nanobind;

namespace jaxkeops {

namespace {

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
        [&](size_t k, Array &array) { array.read_pair(nb::object(inputs[k])); },
        [&](size_t k, Array &array) { array.read_pair(nb::object(outputs[k])); },
        [](size_t, nb::handle pair, Array &array) {
            array.read_pair(pair);
            return Dtype::int64;
        });
}

} // namespace jaxkeops
