// csrc/python/cuda_kernel.h -- the Python face of a kernel for GPUs, and of CUDA itself
#pragma once

#include "../core/kernel.h"

#include <nanobind/nanobind.h>

namespace jaxkeops {

/// What Python calls `CudaKernel`.
struct CudaKernelObject {
    KernelPtr kernel;
};

/// Adds `CudaKernel` to the module.
void bind_cuda_kernel(nanobind::module_ &module);

/// Adds what asks for devices, and the compiler.
void bind_cuda(nanobind::module_ &module);

} // namespace jaxkeops
