// csrc/python/kernel_object.h -- the Python face of a kernel, and the ways to call it
#pragma once

#include "../core/kernel.h"
#include "../core/problem.h"

#include <nanobind/nanobind.h>

#include <string>

namespace jaxkeops {

/// What Python calls `Kernel`.
struct KernelObject {
    KernelPtr kernel;
};

/// The NumPy path: reads `args` through the buffer protocol, makes outputs with `empty(shape,
/// dtype)`, or takes them from `out`, runs, returns them. None, and nothing done, if an array does
/// not fit; the door then knows better what to tell. `ranges` is None or three arrays of int32 or
/// int64, see `Ranges`; ValueError if they are not sound.
nanobind::object call_buffers(const KernelObject &self, nanobind::tuple args,
                              nanobind::object empty, nanobind::tuple dtypes, nanobind::object out,
                              nanobind::object ranges);

/// The PyTorch path: objects with `data_ptr()` and `shape`, contiguous and of the right dtype,
/// which the caller has checked. ValueError if a shape does not fit. `ranges` as above; they also
/// have `dtype`, which is checked here.
void call_tensors(const KernelObject &self, nanobind::tuple args, nanobind::tuple outs,
                  nanobind::object ranges);

/// Runs on (address, shape) pairs of contiguous arrays of the right dtype, int64 for `ranges`.
/// ValueError as above.
void run_addresses(const KernelObject &self, nanobind::sequence inputs, nanobind::sequence outputs,
                   nanobind::object ranges);

/// The three arrays in `ranges`. ValueError if it is not a tuple of three.
nanobind::tuple three_arrays(nanobind::object ranges);

/// Gives a problem its ranges, without Python's lock: sorting may take long. Raises ValueError.
void bind_ranges(Problem &problem, const Buffer *arrays);

/// The name of an object's type, for messages.
std::string name_of_type(nanobind::handle object);

/// Runs a bound problem on our own threads, without Python's lock. Raises MemoryError.
void launch_from_python(const Problem &problem);

/// Adds `Kernel` to the module.
void bind_kernel(nanobind::module_ &module);

} // namespace jaxkeops
