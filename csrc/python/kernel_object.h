// csrc/python/kernel_object.h -- the Python face of a kernel, and the ways to call it
#pragma once

#include "../core/kernel.h"
#include "../cpu/problem.h"

#include <nanobind/nanobind.h>

namespace jaxkeops {

/// What Python calls `Kernel`.
struct KernelObject {
    KernelPtr kernel;
};

/// The NumPy path: reads `args` through the buffer protocol, makes outputs with `empty(shape,
/// dtype)`, or takes them from `out`, runs, returns them. None, and nothing done, if an array does
/// not fit; the door then knows better what to tell.
nanobind::object call_buffers(const KernelObject &self, nanobind::tuple args,
                              nanobind::object empty, nanobind::tuple dtypes, nanobind::object out);

/// The PyTorch path: objects with `data_ptr()` and `shape`, contiguous and of the right dtype,
/// which the caller has checked. ValueError if a shape does not fit.
void call_tensors(const KernelObject &self, nanobind::tuple args, nanobind::tuple outs);

/// Runs on (address, shape) pairs of contiguous arrays of the right dtype. ValueError as above.
void run_addresses(const KernelObject &self, nanobind::sequence inputs, nanobind::sequence outputs);

/// Runs a bound problem on our own threads, without Python's lock. Raises MemoryError.
void launch_from_python(const Problem &problem);

/// Adds `Kernel` to the module.
void bind_kernel(nanobind::module_ &module);

} // namespace jaxkeops
