// csrc/xla/cuda_handlers.cpp -- the GPU: binds what a call frame holds, launches on XLA's stream
#include "cuda_handlers.h"

#include "../core/ranges.h"
#include "../cuda/launch.h"
#include "decode.h"

#include <exception>
#include <memory>
#include <new>
#include <string>

namespace ffi = xla::ffi;

namespace jaxkeops {

namespace {

struct CudaState {
    static ffi::TypeId id;
    KernelPtr kernel;
    int64_t multiprocessors;
};

// Chosen by us, at random: see handlers.cpp.
ffi::TypeId CudaState::id = {0x2f4be1a09c53d786};

Status read_workspace(ffi::RemainingRets &rets, cuda::Workspace &workspace) {
    auto buffer = rets.get<ffi::AnyBuffer>(rets.size() - 1);
    if (buffer.has_error())
        return Status::misfit(buffer.error().message());
    workspace.address = reinterpret_cast<uintptr_t>((*buffer)->untyped_data());
    workspace.bytes = static_cast<int64_t>((*buffer)->size_bytes());
    return Status::ok();
}

Status run(const CudaState &state, cuda::Stream stream, ffi::RemainingArgs &args,
           ffi::RemainingRets &rets) {
    const Kernel &kernel = *state.kernel;
    const bool has_ranges = kernel.device->has_ranges();
    const size_t extra = has_ranges ? Ranges::kArrays : 0;
    if (args.size() < extra || rets.size() < 1)
        return Status::misfit("expected " + std::to_string(kernel.inputs.size() + extra) +
                              " operands and " + std::to_string(kernel.outputs.size() + 1) +
                              " results, got " + std::to_string(args.size()) + " and " +
                              std::to_string(rets.size()));
    const size_t count = args.size() - extra;
    SmallArray<Buffer, 16> inputs;
    SmallArray<Buffer, 4> outputs;
    cuda::Workspace workspace{};
    cuda::DeviceRanges ranges;
    if (Status status = read_inputs(args, count, inputs); !status.is_ok())
        return status;
    if (Status status = read_outputs(rets, rets.size() - 1, outputs); !status.is_ok())
        return status;
    if (Status status = read_workspace(rets, workspace); !status.is_ok())
        return status;
    Problem problem(kernel);
    if (Status status = problem.bind_inputs(inputs.data(), count); !status.is_ok())
        return status;
    if (has_ranges)
        if (Status status = ranges.bind(inputs.data() + count); !status.is_ok())
            return status;
    if (Status status = problem.bind_outputs(outputs.data(), outputs.size()); !status.is_ok())
        return status;
    cuda::Context context = nullptr;
    if (Status status = cuda::context_of(stream, context); !status.is_ok())
        return status;
    return cuda::launch(problem, has_ranges ? &ranges : nullptr, workspace, state.multiprocessors,
                        context, stream);
}

ffi::ErrorOr<std::unique_ptr<CudaState>> instantiate(ffi::Dictionary attributes) try {
    auto state = std::make_unique<CudaState>();
    const auto multiprocessors = attributes.get<int64_t>("multiprocessors");
    if (multiprocessors.has_error())
        return ffi::Unexpected(multiprocessors.error());
    state->multiprocessors = *multiprocessors;
    if (Status status = find_kernel(attributes, true, state->kernel); !status.is_ok())
        return ffi::Unexpected(error_of(status));
    return state;
} catch (const std::exception &error) {
    return ffi::Unexpected(error_of(Status::failed(error.what())));
}

ffi::Error initialize(CudaState *state, cuda::Stream stream) try {
    cuda::Context context = nullptr;
    if (Status status = cuda::context_of(stream, context); !status.is_ok())
        return error_of(status);
    const Status status = cuda::prepare(*state->kernel, context);
    return status.is_ok() ? ffi::Error::Success() : error_of(status);
} catch (const std::exception &error) {
    return error_of(Status::failed(error.what()));
}

ffi::Error execute(CudaState *state, cuda::Stream stream, ffi::RemainingArgs args,
                   ffi::RemainingRets rets) try {
    const Status status = run(*state, stream, args, rets);
    return status.is_ok() ? ffi::Error::Success() : error_of(status);
} catch (const std::bad_alloc &) {
    return error_of(Status::no_memory("no memory to describe the call"));
} catch (const std::exception &error) {
    return error_of(Status::failed(error.what()));
}

XLA_FFI_DEFINE_HANDLER(cuda_instantiate, instantiate, ffi::Ffi::BindInstantiate().Attrs());
XLA_FFI_DEFINE_HANDLER(cuda_initialize, initialize,
                       ffi::Ffi::BindInitialize()
                           .Ctx<ffi::State<CudaState>>()
                           .Ctx<ffi::PlatformStream<cuda::Stream>>());
XLA_FFI_DEFINE_HANDLER(cuda_execute, execute,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::State<CudaState>>()
                           .Ctx<ffi::PlatformStream<cuda::Stream>>()
                           .RemainingArgs()
                           .RemainingRets(),
                       {ffi::Traits::kCmdBufferCompatible});

} // namespace

CudaHandlers cuda_handlers() {
    return {reinterpret_cast<void *>(cuda_instantiate), reinterpret_cast<void *>(cuda_initialize),
            reinterpret_cast<void *>(cuda_execute)};
}

CudaType cuda_type() {
    static auto info = ffi::MakeTypeInfo<CudaState>();
    return {&CudaState::id, &info};
}

} // namespace jaxkeops
