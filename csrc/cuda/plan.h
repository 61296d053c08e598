// csrc/cuda/plan.h -- how a problem is cut for a GPU, and the workspace that it takes
#pragma once

#include "../core/buffer.h"
#include "../core/problem.h"
#include "../core/status.h"
#include "batch.h"
#include "code.h"

#include <cstdint>

namespace jaxkeops::cuda {

/// Ranges in the memory of a device: only their shapes are known here.
struct DeviceRanges {
    Buffer row_blocks, ends, column_blocks;

    int64_t blocks() const { return ends.shape[0]; }
    int64_t columns() const { return column_blocks.shape[0]; }

    /// Three arrays as `Ranges` takes them, but all of one dtype, since nothing converts them.
    Status bind(const Buffer *arrays);
};

/// Parts of the workspace, as offsets in bytes.
struct Parts {
    int64_t scratch, states, totals, range_tiles, range_pairs;
};

/// All that is decided before a launch. Depends on the kernel, the shapes and the number of
/// multiprocessors alone, so that memory can be had beforehand.
struct Plan {
    const Launch *launch;
    bool is_empty;    // nothing to reduce: outputs are only filled
    int64_t elements; // batch elements of one launch
    int64_t tiles;
    int64_t splits;
    int64_t split_columns; // 0 with ranges: only the device knows the columns of a tile
    int64_t scratches;
    int64_t scratch_strides[kBatchAxes]; // along the inner axes of the batch, then 0
    Parts parts;
    int64_t workspace; // bytes
};

/// Plans a problem whose inputs are bound. `ranges` are null for a kernel that has none.
///
/// Refuses ranges where the kernel has none and the other way round, and what is too large for a
/// grid.
Status make_plan(const Problem &problem, const Batch &batch, const DeviceRanges *ranges,
                 int64_t multiprocessors, Plan &plan);

/// The blocks of a step, along x.
int64_t blocks_of(const Step &step, const Plan &plan, int64_t N);

} // namespace jaxkeops::cuda
