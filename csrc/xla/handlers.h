// csrc/xla/handlers.h -- what XLA calls: one generic target, whose attributes name the kernel
#pragma once

#include <utility>

namespace jaxkeops {

/// Entry points of the FFI target `jaxkeops_reduce`, as jax.ffi.register_ffi_target wants them.
///
/// `instantiate` reads the attributes `key` and `text` (strings), finds or compiles the kernel and
/// keeps it as the call's state. `execute` binds the operands and all results, in the order of the
/// kernel's outputs, and runs on XLA's own threads. Three operands after the kernel's inputs are
/// ranges, S32 or S64, see `Ranges`.
struct CpuHandlers {
    void *instantiate;
    void *execute;
};
CpuHandlers cpu_handlers();

/// The state's type, for jax.ffi.register_ffi_type.
struct CpuType {
    void *id;
    void *info;
};
CpuType cpu_type();

/// (major, minor) of the headers that this file was compiled with: an older XLA refuses it.
std::pair<int, int> ffi_api_version();

} // namespace jaxkeops
