// csrc/python/cuda_kernel.cpp -- makes kernels for GPUs from Python, and calls them
#include "cuda_kernel.h"

#include "../core/ranges.h"
#include "../cuda/code.h"
#include "../cuda/host_arrays.h"
#include "../cuda/launch.h"
#include "arrays.h"
#include "description.h"
#include "failure.h"
#include "kernel_object.h"
#include "lock.h"
#include "views.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>

#include <memory>
#include <optional>
#include <utility>

namespace nb = nanobind;
using namespace nb::literals;

namespace jaxkeops {

namespace {

int64_t number(nb::handle object, const char *name) {
    return nb::cast<int64_t>(object.attr(name));
}

template <class Enum>
Enum choice(nb::handle object, const char *name) {
    const auto text = nb::cast<std::string>(object.attr(name));
    Enum value{};
    if (!cuda::read(text, value))
        throw nb::value_error((std::string(name) + ": no step has '" + text + "'").c_str());
    return value;
}

cuda::Step read_step(nb::handle step) {
    return {nb::cast<std::string>(step.attr("function")), choice<cuda::Grid>(step, "grid"),
            number(step, "threads"), number(step, "shared_bytes"),
            choice<cuda::When>(step, "when")};
}

cuda::Launch read_launch(nb::handle launch) {
    cuda::Launch read{};
    for (nb::handle step : launch.attr("steps"))
        read.steps.push_back(read_step(step));
    read.tile_rows = number(launch, "tile_rows");
    read.tile_columns = number(launch, "tile_columns");
    read.wave_blocks = number(launch, "wave_blocks");
    read.column_bytes = number(launch, "column_bytes");
    read.state_bytes = number(launch, "state_bytes");
    read.total_bytes = number(launch, "total_bytes");
    read.tile_bytes = number(launch, "tile_bytes");
    read.pair_bytes = number(launch, "pair_bytes");
    read.keeps_states = nb::cast<bool>(launch.attr("keeps_states"));
    return read;
}

void make(CudaKernelObject *self, const std::vector<InputRow> &inputs,
          const std::vector<OutputRow> &outputs, const std::string &dtype,
          const std::map<int, nb::bytes> &images, nb::handle launch,
          std::vector<int64_t> column_inputs, bool has_ranges) {
    auto kernel = std::make_shared<Kernel>();
    describe(*kernel, inputs, outputs, dtype);
    kernel->column_inputs = std::move(column_inputs);
    std::map<int, std::string> code;
    for (const auto &[architecture, image] : images)
        code.emplace(architecture, std::string(image.c_str(), image.size()));
    kernel->device =
        std::make_shared<const DeviceCode>(std::move(code), read_launch(launch), has_ranges);
    require(check(*kernel));
    require(kernel->device->check(*kernel));
    new (self) CudaKernelObject{std::move(kernel)};
}

using Shape = std::vector<int64_t>;

/// Some address, for arrays of which only the shape is asked.
void *anywhere() {
    return reinterpret_cast<void *>(uintptr_t{256});
}

int64_t workspace_of(const CudaKernelObject &self, const std::vector<Shape> &shapes,
                     int64_t multiprocessors, std::optional<std::pair<int64_t, int64_t>> blocks) {
    const Kernel &kernel = *self.kernel;
    std::vector<Buffer> inputs;
    for (const Shape &shape : shapes)
        inputs.push_back(
            {anywhere(), shape.data(), static_cast<int64_t>(shape.size()), kernel.dtype});
    Problem problem(kernel);
    require(problem.bind_inputs(inputs.data(), inputs.size()));
    cuda::DeviceRanges ranges;
    int64_t rows[] = {0, 2}, columns[] = {0, 2};
    if (blocks) {
        std::tie(rows[0], columns[0]) = *blocks;
        const Buffer three[] = {{anywhere(), rows, 2, Dtype::int64},
                                {anywhere(), rows, 1, Dtype::int64},
                                {anywhere(), columns, 2, Dtype::int64}};
        require(ranges.bind(three));
    }
    int64_t bytes = 0;
    require(cuda::workspace_bytes(problem, blocks ? &ranges : nullptr, multiprocessors, bytes));
    return bytes;
}

/// Tensors of a device, by their addresses.
class Tensors {
  public:
    Tensors(nb::tuple args, nb::tuple outs, nb::object ranges, const Kernel &kernel)
        : problem(kernel), arrays_(nb::len(args) + nb::len(outs)) {
        const size_t inputs = nb::len(args), outputs = nb::len(outs);
        require_count("inputs", kernel.inputs.size(), inputs);
        require_count("outputs", kernel.outputs.size(), outputs);
        SmallArray<Buffer, 12> buffers(inputs + outputs);
        for (size_t k = 0; k < inputs + outputs; ++k) {
            const bool is_input = k < inputs;
            arrays_[k].read_tensor(nb::object(is_input ? args[k] : outs[k - inputs]));
            buffers[k] =
                arrays_[k].buffer(is_input ? kernel.dtype : kernel.outputs[k - inputs].dtype);
        }
        require(problem.bind_inputs(buffers.data(), inputs));
        if (!ranges.is_none())
            read_ranges(three_arrays(std::move(ranges)));
        require(problem.bind_outputs(buffers.data() + inputs, outputs));
    }

    const cuda::DeviceRanges *ranges() const { return has_ranges_ ? &ranges_ : nullptr; }

    Problem problem;

  private:
    void read_ranges(nb::tuple three) {
        Buffer buffers[Ranges::kArrays];
        for (size_t k = 0; k < Ranges::kArrays; ++k) {
            const nb::object tensor = three[k];
            range_arrays_[k].read_tensor(tensor);
            buffers[k] = range_arrays_[k].buffer(read_range_dtype(k, tensor));
        }
        require(ranges_.bind(buffers));
        has_ranges_ = true;
    }

    SmallArray<Array, 12> arrays_;
    Array range_arrays_[Ranges::kArrays];
    cuda::DeviceRanges ranges_;
    bool has_ranges_ = false;
};

void call_tensors_on_device(const CudaKernelObject &self, nb::tuple args, nb::tuple outs,
                            nb::object workspace, int device, uintptr_t stream, nb::object ranges) {
    const Tensors tensors(std::move(args), std::move(outs), std::move(ranges), *self.kernel);
    cuda::Workspace memory{};
    if (!workspace.is_none()) {
        Array array;
        array.read_tensor(workspace);
        memory.address = reinterpret_cast<uintptr_t>(array.data);
        memory.bytes = array.shape.size() ? array.shape[0] : 0;
    }
    Status status;
    {
        const Unlocked unlocked;
        const cuda::Device *found = nullptr;
        cuda::Context context = nullptr;
        status = cuda::find_device(device, found);
        if (status.is_ok())
            status = cuda::primary_context(device, context);
        if (status.is_ok())
            status = cuda::launch(tensors.problem, tensors.ranges(), memory, found->multiprocessors,
                                  context, reinterpret_cast<cuda::Stream>(stream));
    }
    require(status);
}

void require_buffer(bool is_read, const char *what, size_t k) {
    if (!is_read && PyErr_Occurred())
        throw nb::python_error();
    if (!is_read)
        throw nb::value_error(
            (std::string(what) + " " + std::to_string(k) + ": its dtype is not the kernel's")
                .c_str());
}

void call_buffers_on_device(const CudaKernelObject &self, nb::tuple args, nb::tuple outs,
                            int device, nb::object ranges) {
    const Kernel &kernel = *self.kernel;
    const size_t inputs = kernel.inputs.size(), outputs = kernel.outputs.size();
    require_count("inputs", inputs, nb::len(args));
    require_count("outputs", outputs, nb::len(outs));
    Views read(inputs), written(outputs), blocks(Ranges::kArrays);
    for (size_t k = 0; k < inputs; ++k)
        require_buffer(read.take(nb::object(args[k]).ptr(), kInput) && read.read(kernel.dtype),
                       "input", k);
    for (size_t k = 0; k < outputs; ++k)
        require_buffer(written.take(nb::object(outs[k]).ptr(), kOutput) &&
                           written.read(kernel.outputs[k].dtype),
                       "output", k);
    Problem problem(kernel);
    require(problem.bind_inputs(read.buffers(), inputs));
    require(problem.bind_outputs(written.buffers(), outputs));
    const bool has_ranges = !ranges.is_none();
    if (has_ranges) {
        const nb::tuple three = three_arrays(std::move(ranges));
        for (size_t k = 0; k < Ranges::kArrays; ++k)
            require_buffer(blocks.take(nb::object(three[k]).ptr(), kInput) &&
                               (blocks.read(Dtype::int64) || blocks.read(Dtype::int32)),
                           Ranges::name(k), k);
        bind_ranges(problem, blocks.buffers()); // here their numbers can be checked
    }
    Status status;
    {
        const Unlocked unlocked;
        status = cuda::launch_on_host_arrays(problem, {read.buffers(), read.buffers() + inputs},
                                             {written.buffers(), written.buffers() + outputs},
                                             has_ranges ? blocks.buffers() : nullptr, device);
    }
    require(status);
}

void load_on(const CudaKernelObject &self, int device) {
    Status status;
    {
        const Unlocked unlocked;
        cuda::Context context = nullptr;
        status = cuda::primary_context(device, context);
        if (status.is_ok())
            status = cuda::prepare(*self.kernel, context);
    }
    require(status);
}

} // namespace

void bind_cuda_kernel(nb::module_ &module) {
    nb::class_<CudaKernelObject>(
        module, "CudaKernel",
        "Code for GPUs and what a caller must know to launch it. Never changes once made.\n\n"
        "`inputs`, `outputs` and `dtype` as in `Kernel`. `images` are cubins by architecture (90\n"
        "for sm_90), or PTX; without any, only `workspace_bytes` serves. `launch` and its steps\n"
        "have the attributes of jaxkeops/backends/cuda/launch.py. With `has_ranges`, every call\n"
        "has ranges.\n\n"
        "Raises ValueError if the description makes no sense.")
        .def("__init__", &make, nb::kw_only(), "inputs"_a, "outputs"_a, "dtype"_a, "images"_a,
             "launch"_a, "column_inputs"_a = std::vector<int64_t>(), "has_ranges"_a = false,
             nb::sig("def __init__(self, *, inputs: collections.abc.Sequence[tuple[str, int]], "
                     "outputs: collections.abc.Sequence[tuple[int, str, "
                     "float | collections.abc.Sequence[float]] | tuple[int, str, "
                     "float | collections.abc.Sequence[float], str]], dtype: str, "
                     "images: collections.abc.Mapping[int, bytes], "
                     "launch: typing.Any, "
                     "column_inputs: collections.abc.Sequence[int] = (), "
                     "has_ranges: bool = False) -> None"))
        .def("workspace_bytes", &workspace_of, "shapes"_a, "multiprocessors"_a,
             "blocks"_a = nb::none(),
             nb::sig("def workspace_bytes(self, "
                     "shapes: collections.abc.Sequence[collections.abc.Sequence[int]], "
                     "multiprocessors: int, blocks: tuple[int, int] | None = None) -> int"),
             "The workspace of a call on inputs of these shapes, on a device of so many\n"
             "multiprocessors; `blocks` are the lengths (Mc, Mcc) of the ranges' arrays.")
        .def(
            "call_tensors", &call_tensors_on_device, "args"_a, "outs"_a, "workspace"_a.none(),
            "device"_a, "stream"_a, "ranges"_a = nb::none(),
            nb::sig("def call_tensors(self, args: tuple[typing.Any, ...], "
                    "outs: tuple[typing.Any, ...], workspace: typing.Any, device: int, "
                    "stream: int, ranges: tuple[typing.Any, typing.Any, typing.Any] | None = None"
                    ") -> None"),
            "Puts the filling of `outs` on a stream of a device, and returns.\n\n"
            "All have `data_ptr()` and `shape`; that they are contiguous, on that device and of\n"
            "the right dtype is the caller's to check. `workspace` is None or a tensor of bytes;\n"
            "`stream` is the driver's handle, 0 for the default one. `ranges`, on the device too,\n"
            "are not checked but for shapes and dtype. Raises ValueError for a wrong shape,\n"
            "`DeviceError` for what the driver says.")
        .def("call_buffers", &call_buffers_on_device, "args"_a, "outs"_a, "device"_a,
             "ranges"_a = nb::none(),
             nb::sig("def call_buffers(self, args: tuple[typing.Any, ...], "
                     "outs: tuple[typing.Any, ...], device: int, "
                     "ranges: tuple[typing.Any, typing.Any, typing.Any] | None = None) -> None"),
             "Fills `outs`: copies arrays of the host to a device, and the results back.\n\n"
             "C-contiguous buffers of the kernel's dtypes. Raises ValueError for what does not\n"
             "fit, MemoryError if the device has no room, `DeviceError` for what the driver says.")
        .def("load", &load_on, "device"_a, nb::sig("def load(self, device: int) -> None"),
             "Loads the code on a device, which the first call would else do.")
        .def_prop_ro(
            "inputs", [](const CudaKernelObject &self) { return inputs_of(*self.kernel); },
            nb::sig("def inputs(self) -> tuple[tuple[str, int], ...]"),
            "(axis, width) of each input.")
        .def_prop_ro(
            "outputs", [](const CudaKernelObject &self) { return outputs_of(*self.kernel); },
            nb::sig("def outputs(self) -> "
                    "tuple[tuple[int, str, float | tuple[float, ...], str], ...]"),
            "(width, dtype, value over no rows, axis) of each output.")
        .def_prop_ro(
            "dtype", [](const CudaKernelObject &self) { return name_of(self.kernel->dtype); },
            nb::sig("def dtype(self) -> str"), "The dtype of every input.")
        .def_prop_ro(
            "has_ranges",
            [](const CudaKernelObject &self) { return self.kernel->device->has_ranges(); },
            nb::sig("def has_ranges(self) -> bool"), "Whether every call has ranges.");
}

} // namespace jaxkeops
