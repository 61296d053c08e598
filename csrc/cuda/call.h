// csrc/cuda/call.h -- the one parameter of every CUDA kernel, by value: docs/design/cuda.md
#pragma once

#include <cstddef>
#include <cstdint>

namespace jaxkeops::cuda {

inline constexpr size_t kBatchAxes = 4;

/// An address of the device.
using Address = uint64_t;

/// What comes before the arrays. After it: the addresses of the outputs, those of the inputs, and
/// `kBatchAxes` strides for each input. The emitter writes this layout by hand.
struct CallHead {
    int64_t M;
    int64_t N;
    int64_t elements;
    int64_t tiles;
    int64_t splits;
    int64_t split_columns;
    int64_t extents[kBatchAxes];
    int64_t scratch_strides[kBatchAxes];
    Address scratch;
    Address states;
    Address totals;
    Address range_tiles;
    Address range_pairs;
    int64_t range_blocks;
    int64_t range_columns;
    int64_t range_bytes;
    Address row_blocks;
    Address ends;
    Address column_blocks;
};

static_assert(sizeof(CallHead) == 25 * 8);

/// What a kernel's parameters may take together: 4 KiB before CUDA 12.1 and on sm_60.
inline constexpr size_t kParameterBytes = 4096;

/// The size of the parameter of a kernel.
inline constexpr size_t call_bytes(size_t inputs, size_t outputs) {
    return sizeof(CallHead) + sizeof(Address) * outputs +
           (sizeof(Address) + sizeof(int64_t) * kBatchAxes) * inputs;
}

} // namespace jaxkeops::cuda
