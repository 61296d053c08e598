// csrc/cuda/host_arrays.h -- runs a kernel on arrays in the host's memory: copies there and back
#pragma once

#include "../core/buffer.h"
#include "../core/problem.h"
#include "../core/status.h"
#include "device.h"

#include <vector>

namespace jaxkeops::cuda {

/// Solves a problem that is bound to arrays of the host, on a device; returns when the outputs are
/// written.
///
/// `inputs` and `outputs` are what the problem was bound to, `ranges` null or its three arrays.
/// Everything, the workspace too, is one allocation of the device, released at the end. Waits for
/// this thread's stream alone. Never throws.
Status launch_on_host_arrays(const Problem &problem, const std::vector<Buffer> &inputs,
                             const std::vector<Buffer> &outputs, const Buffer *ranges,
                             Ordinal device) noexcept;

} // namespace jaxkeops::cuda
