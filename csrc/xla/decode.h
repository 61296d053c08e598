// csrc/xla/decode.h -- what the handlers of all platforms do with XLA's values
#pragma once

#include "../core/buffer.h"
#include "../core/kernel_table.h"
#include "../core/small_array.h"
#include "../core/status.h"

#include "xla/ffi/api/c_api.h"
#include "xla/ffi/api/ffi.h"

#include <cstddef>

namespace jaxkeops {

/// The error of a failed status, in XLA's code, with our name before the message.
xla::ffi::Error error_of(const Status &status);

/// Reads all operands. Those from `ranges` on are ranges, and are blamed as such. Throws
/// std::bad_alloc, as does `read_outputs`.
Status read_inputs(const xla::ffi::RemainingArgs &args, size_t ranges,
                   SmallArray<Buffer, 16> &inputs);

/// Reads the first `count` results.
Status read_outputs(xla::ffi::RemainingRets &rets, size_t count, SmallArray<Buffer, 4> &outputs);

/// The kernel that the attributes `key` and `text` name, compiled if need be; for this CPU or for a
/// device.
Status find_kernel(const xla::ffi::Dictionary &attributes, bool is_for_device, KernelPtr &kernel);

} // namespace jaxkeops
