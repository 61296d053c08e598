// csrc/cuda/launch.h -- puts the steps of a kernel on a stream
#pragma once

#include "../core/problem.h"
#include "../core/status.h"
#include "plan.h"

#include <cstdint>

namespace jaxkeops::cuda {

/// Memory of the device that a launch may write to; undefined before and after.
struct Workspace {
    Address address;
    int64_t bytes;
};

/// The bytes that `launch` will ask for. Throws std::bad_alloc.
Status workspace_bytes(const Problem &problem, const DeviceRanges *ranges, int64_t multiprocessors,
                       int64_t &bytes);

/// Launches a problem whose inputs and outputs are bound, to arrays of the context's device.
///
/// Returns once the steps are on the stream. Allocates nothing on the device, waits for nothing,
/// and asks the stream nothing but its context, so it may be captured; to be replayed right, if
/// `workspace` and arrays stay. `multiprocessors` must be what `workspace_bytes` was given. The
/// context's stream may be the default one, null. Never throws.
Status launch(const Problem &problem, const DeviceRanges *ranges, Workspace workspace,
              int64_t multiprocessors, Context context, Stream stream) noexcept;

/// The context of a stream that is not null.
Status context_of(Stream stream, Context &context);

/// Loads the code of a kernel where `launch` will want it: slow things, done beforehand.
Status prepare(const Kernel &kernel, Context context);

} // namespace jaxkeops::cuda
