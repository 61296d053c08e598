// csrc/xla/cuda_handlers.h -- what XLA calls on a GPU: nothing here touches CUDA before it does
#pragma once

namespace jaxkeops {

/// Entry points of the FFI target `jaxkeops_reduce` on the platform CUDA.
///
/// `instantiate` reads the attributes `key` and `text` (strings) and `multiprocessors` (int64: of
/// the device that the workspace was sized for), finds or compiles the kernel, and keeps it as the
/// call's state. `initialize` loads it on the device of the stream. `execute` binds the operands,
/// three more if the kernel has ranges, and the results in the order of the kernel's outputs; one
/// more result, of bytes, is the workspace. It launches on XLA's stream, and may be recorded in a
/// command buffer.
struct CudaHandlers {
    void *instantiate;
    void *initialize;
    void *execute;
};
CudaHandlers cuda_handlers();

/// The state's type, for jax.ffi.register_ffi_type.
struct CudaType {
    void *id;
    void *info;
};
CudaType cuda_type();

} // namespace jaxkeops
