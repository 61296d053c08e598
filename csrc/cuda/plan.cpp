// csrc/cuda/plan.cpp -- tiles, splits, scratches, and where each part of the workspace lies
#include "plan.h"

#include "../core/ranges.h"

#include <algorithm>
#include <limits>
#include <string>

namespace jaxkeops::cuda {

namespace {

constexpr int64_t kAlign = 256; // what cuMemAlloc gives: enough for any load
constexpr int64_t kMostBlocks = (int64_t{1} << 31) - 1; // of a grid, along x
constexpr int64_t kMostSplits = 65535;                  // of a grid, along y
constexpr int64_t kLeastTiles = 2; // of columns in a split: the first of them is not hidden

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max() / 2;

/// a * b, or kHuge if it is more; both are at least 0.
int64_t times(int64_t a, int64_t b) {
    return b != 0 && a > kHuge / b ? kHuge : a * b;
}

int64_t plus(int64_t a, int64_t b) {
    return a > kHuge - b ? kHuge : a + b;
}

int64_t divide_up(int64_t a, int64_t b) {
    return a / b + (a % b != 0);
}

/// The least splits that fill the device, as long as each has columns enough.
void split(Plan &plan, int64_t N, int64_t multiprocessors) {
    const int64_t blocks = times(plan.tiles, plan.elements);
    const int64_t wanted =
        divide_up(times(plan.launch->wave_blocks, multiprocessors), std::max<int64_t>(1, blocks));
    const int64_t tile = plan.launch->tile_columns;
    const int64_t most = std::min(kMostSplits, N / times(tile, kLeastTiles));
    plan.splits = std::max<int64_t>(1, std::min(wanted, most));
    plan.split_columns = divide_up(divide_up(N, tile), plan.splits) * tile;
    if (plan.split_columns > 0)
        plan.splits = divide_up(N, plan.split_columns);
}

/// The scratches that differ: batch axes along which no column input varies share one.
void share_scratches(Plan &plan, const Kernel &kernel, const Batch &batch) {
    const size_t inner = batch.inner_rank(), first = batch.rank() - inner;
    plan.scratches = 1;
    std::fill(std::begin(plan.scratch_strides), std::end(plan.scratch_strides), 0);
    for (size_t axis = inner; axis-- > 0;) {
        const bool varies =
            std::any_of(kernel.column_inputs.begin(), kernel.column_inputs.end(), [&](int64_t k) {
                return batch.stride(static_cast<size_t>(k), first + axis) != 0;
            });
        if (!varies)
            continue;
        plan.scratch_strides[axis] = plan.scratches;
        plan.scratches *= batch.extent(first + axis);
    }
}

void lay_out(Plan &plan, int64_t M, int64_t N, const DeviceRanges *ranges) {
    const Launch &launch = *plan.launch;
    int64_t end = 0;
    const auto place = [&](int64_t count, int64_t bytes) {
        const int64_t start = end;
        end = plus(end, times(divide_up(times(count, bytes), kAlign), kAlign));
        return start;
    };
    const bool has_states = plan.splits > 1 || launch.keeps_states;
    const int64_t states = has_states ? times(times(plan.splits, plan.elements), M) : 0;
    plan.parts.scratch = place(times(plan.scratches, N), launch.column_bytes);
    plan.parts.states = place(states, launch.state_bytes);
    plan.parts.totals = place(times(plan.elements, plan.tiles), launch.total_bytes);
    plan.parts.range_tiles = place(ranges ? plan.tiles : 0, launch.tile_bytes);
    plan.parts.range_pairs = place(ranges ? ranges->columns() : 0, launch.pair_bytes);
    plan.workspace = end;
}

} // namespace

Status DeviceRanges::bind(const Buffer *arrays) {
    if (Status status = Ranges::check_arrays(arrays); !status.is_ok())
        return status;
    for (size_t k = 1; k < Ranges::kArrays; ++k)
        if (arrays[k].dtype != arrays[0].dtype)
            return Ranges::wrong(k, std::string(": expected ") + name_of(arrays[0].dtype) + " as " +
                                        Ranges::name(0) + ", got " + name_of(arrays[k].dtype));
    row_blocks = arrays[0];
    ends = arrays[1];
    column_blocks = arrays[2];
    return Status::ok();
}

Status make_plan(const Problem &problem, const Batch &batch, const DeviceRanges *ranges,
                 int64_t multiprocessors, Plan &plan) {
    const Kernel &kernel = problem.kernel();
    const int64_t M = problem.M(), N = problem.N();
    if (kernel.device->has_ranges() != (ranges != nullptr))
        return Status::misfit(ranges ? "this kernel is for calls without ranges, and got some"
                                     : "this kernel is for calls with ranges, and got none");
    plan.launch = &kernel.device->launch();
    plan.is_empty = M == 0 || N == 0 || (ranges && ranges->columns() == 0);
    plan.elements = batch.elements();
    plan.tiles = divide_up(M, plan.launch->tile_rows);
    if (ranges)
        plan.tiles = plus(plan.tiles, ranges->blocks());
    plan.tiles = std::max<int64_t>(1, plan.tiles);
    split(plan, N, multiprocessors);
    if (ranges)
        plan.split_columns = 0;
    share_scratches(plan, kernel, batch);
    if (plan.is_empty)
        plan.parts = {};
    else
        lay_out(plan, M, N, ranges);
    const bool fits =
        std::all_of(plan.launch->steps.begin(), plan.launch->steps.end(),
                    [&](const Step &step) { return blocks_of(step, plan, N) <= kMostBlocks; });
    if (plan.workspace >= kHuge || !fits)
        return Status::misfit("the arrays are too large for one launch: " + std::to_string(M) +
                              " rows and " + std::to_string(N) + " columns in " +
                              std::to_string(plan.elements) + " batch elements; cut them");
    return Status::ok();
}

int64_t blocks_of(const Step &step, const Plan &plan, int64_t N) {
    switch (step.grid) {
    case Grid::tiles:
    case Grid::rows:
        return times(plan.elements, plan.tiles);
    case Grid::columns:
        return times(plan.scratches, divide_up(N, step.threads));
    case Grid::elements:
        return plan.elements;
    case Grid::once:
        break;
    }
    return 1;
}

} // namespace jaxkeops::cuda
