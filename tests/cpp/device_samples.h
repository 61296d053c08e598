// tests/cpp/device_samples.h -- the sample kernel for GPUs, as host functions that do all blocks
#pragma once

#include "../../csrc/cuda/call.h"
#include "../../csrc/cuda/code.h"
#include "fake_cuda.h"
#include "samples.h"

#include <cstring>

namespace samples {

using namespace jaxkeops::cuda;

/// The parameter of a launch, read as a kernel reads it.
struct View {
    CallHead head;
    const char *arrays;
    size_t outputs, inputs;

    View(const void *parameter, size_t output_count, size_t input_count)
        : arrays(static_cast<const char *>(parameter) + sizeof head), outputs(output_count),
          inputs(input_count) {
        std::memcpy(&head, parameter, sizeof head);
    }

    uint64_t word(size_t k) const {
        uint64_t value;
        std::memcpy(&value, arrays + 8 * k, sizeof value);
        return value;
    }

    template <class T>
    T *output(size_t k) const {
        return reinterpret_cast<T *>(word(k));
    }

    /// Input `k` of a batch element.
    const float *input(size_t k, int64_t element) const {
        uint64_t address = word(outputs + k);
        for (size_t axis = kBatchAxes; axis-- > 0;) {
            const int64_t index = element % head.extents[axis];
            element /= head.extents[axis];
            address +=
                static_cast<uint64_t>(index) * word(outputs + inputs + kBatchAxes * k + axis);
        }
        return reinterpret_cast<const float *>(address);
    }

    /// The scratch of a batch element, of columns of `width` numbers.
    float *scratch(int64_t element, int64_t width) const {
        int64_t found = 0;
        for (size_t axis = kBatchAxes; axis-- > 0;) {
            found += element % head.extents[axis] * head.scratch_strides[axis];
            element /= head.extents[axis];
        }
        return reinterpret_cast<float *>(head.scratch) + found * head.N * width;
    }
};

inline View view(const void *parameter) {
    return View(parameter, 2, 4);
}

inline constexpr int64_t kTileRows = 8, kTileColumns = 16, kThreads = 32;

struct State {
    float sum;
    int64_t count;
};

struct RangeTile {
    int64_t first, end, pair_first, pair_end;
};

/// Calls `visit(element, first row, end of rows, tile, split)` for each block of the grid `tiles`.
template <class Visit>
void each_tile(const CallHead &head, const unsigned *grid, Visit visit) {
    for (unsigned split = 0; split < grid[1]; ++split)
        for (unsigned block = 0; block < grid[0]; ++block) {
            const int64_t element = block / head.tiles, tile = block % head.tiles;
            visit(element, std::min(head.M, tile * kTileRows),
                  std::min(head.M, (tile + 1) * kTileRows), tile, split);
        }
}

inline void device_columns(const unsigned *grid, const unsigned *block, unsigned, const void *of) {
    const View v = view(of);
    const int64_t blocks = (v.head.N + block[0] - 1) / block[0];
    for (int64_t b = 0; b < grid[0]; ++b) {
        const int64_t element = b / blocks;
        const float *y = v.input(1, element), *w = v.input(2, element), *p = v.input(3, element);
        float *scratch = reinterpret_cast<float *>(v.head.scratch) + element * v.head.N * kWidth;
        const int64_t end = std::min<int64_t>(v.head.N, (b % blocks + 1) * block[0]);
        for (int64_t j = b % blocks * block[0]; j < end; ++j)
            for (int64_t d = 0; d < kWidth; ++d)
                scratch[j * kWidth + d] = p[0] * w[j] * y[j * kWidth + d];
    }
}

inline float product(const View &v, int64_t element, int64_t i, int64_t j) {
    const float *x = v.input(0, element) + i * kWidth, *c = v.scratch(element, kWidth) + j * kWidth;
    return x[0] * c[0] + x[1] * c[1] + x[2] * c[2];
}

/// Rows to outputs, or to states where the columns are split.
inline void device_tiles(const unsigned *grid, const unsigned *, unsigned, const void *of) {
    const View v = view(of);
    each_tile(v.head, grid, [&](int64_t element, int64_t begin, int64_t end, int64_t, int64_t s) {
        const int64_t first = s * v.head.split_columns;
        const int64_t last = std::min(v.head.N, first + v.head.split_columns);
        for (int64_t i = begin; i < end; ++i) {
            State state{0, last - first};
            for (int64_t j = first; j < last; ++j)
                state.sum += product(v, element, i, j);
            const int64_t row = element * v.head.M + i;
            if (v.head.splits > 1) {
                reinterpret_cast<State *>(v.head.states)[s * v.head.elements * v.head.M + row] =
                    state;
                continue;
            }
            v.output<float>(0)[row] = state.sum;
            v.output<int64_t>(1)[row] = state.count;
        }
    });
}

inline void device_combine(const unsigned *grid, const unsigned *, unsigned, const void *of) {
    const View v = view(of);
    each_tile(v.head, grid, [&](int64_t element, int64_t begin, int64_t end, int64_t, int64_t) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t row = element * v.head.M + i;
            State all{0, 0};
            for (int64_t s = 0; s < v.head.splits; ++s) {
                const State &part = reinterpret_cast<const State *>(
                    v.head.states)[s * v.head.elements * v.head.M + row];
                all.sum += part.sum;
                all.count += part.count;
            }
            v.output<float>(0)[row] = all.sum;
            v.output<int64_t>(1)[row] = all.count;
        }
    });
}

inline void device_fill(const unsigned *grid, const unsigned *, unsigned, const void *of) {
    const View v = view(of);
    each_tile(v.head, grid, [&](int64_t element, int64_t begin, int64_t end, int64_t, int64_t) {
        for (int64_t i = begin; i < end; ++i) {
            v.output<float>(0)[element * v.head.M + i] = -1.5f;
            v.output<int64_t>(1)[element * v.head.M + i] = -1;
        }
    });
}

inline int64_t range_number(const CallHead &head, Address array, int64_t k) {
    return head.range_bytes == 8 ? reinterpret_cast<const int64_t *>(array)[k]
                                 : reinterpret_cast<const int32_t *>(array)[k];
}

/// Cuts the row blocks into tiles, and copies the pairs.
inline void device_ranges(const unsigned *, const unsigned *, unsigned, const void *of) {
    const CallHead head = view(of).head;
    auto *tile = reinterpret_cast<RangeTile *>(head.range_tiles);
    const RangeTile *const last = tile + head.tiles;
    for (int64_t k = 0; k < head.range_blocks; ++k) {
        const int64_t end = range_number(head, head.row_blocks, 2 * k + 1);
        for (int64_t i = range_number(head, head.row_blocks, 2 * k); i < end; i += kTileRows)
            *tile++ = {i, std::min(end, i + kTileRows),
                       k ? range_number(head, head.ends, k - 1) : 0,
                       range_number(head, head.ends, k)};
    }
    while (tile < last)
        *tile++ = {0, 0, 0, 0};
    for (int64_t k = 0; k < 2 * head.range_columns; ++k)
        reinterpret_cast<int64_t *>(head.range_pairs)[k] =
            range_number(head, head.column_blocks, k);
}

/// Every split takes each `splits`-th column.
inline void device_ranged_tiles(const unsigned *grid, const unsigned *, unsigned, const void *of) {
    const View v = view(of);
    const auto *pairs = reinterpret_cast<const int64_t *>(v.head.range_pairs);
    each_tile(v.head, grid, [&](int64_t element, int64_t, int64_t, int64_t t, int64_t) {
        const RangeTile tile = reinterpret_cast<const RangeTile *>(v.head.range_tiles)[t];
        for (int64_t i = tile.first; i < tile.end; ++i) {
            State state{0, 0};
            for (int64_t r = tile.pair_first; r < tile.pair_end; ++r)
                for (int64_t j = pairs[2 * r]; j < pairs[2 * r + 1]; ++j, ++state.count)
                    state.sum += product(v, element, i, j);
            if (state.count == 0)
                continue;
            v.output<float>(0)[element * v.head.M + i] = state.sum;
            v.output<int64_t>(1)[element * v.head.M + i] = state.count;
        }
    });
}

inline void register_device_samples() {
    const size_t bytes = call_bytes(4, 2);
    fake_register("columns", device_columns, bytes, 0);
    fake_register("tiles", device_tiles, bytes, 1024);
    fake_register("combine", device_combine, bytes, 0);
    fake_register("fill", device_fill, bytes, 0);
    fake_register("ranges", device_ranges, bytes, 0);
    fake_register("ranged", device_ranged_tiles, bytes, 1024);
}

inline cuda::Launch device_launch(int64_t wave_blocks) {
    cuda::Launch launch{};
    launch.steps = {{"columns", Grid::columns, kThreads, 0, When::always},
                    {"tiles", Grid::tiles, kThreads, 0, When::always},
                    {"combine", Grid::rows, kThreads, 0, When::split},
                    {"fill", Grid::rows, kThreads, 0, When::empty}};
    launch.tile_rows = kTileRows;
    launch.tile_columns = kTileColumns;
    launch.wave_blocks = wave_blocks;
    launch.column_bytes = kWidth * sizeof(float);
    launch.state_bytes = sizeof(State);
    return launch;
}

inline cuda::Launch ranged_launch() {
    cuda::Launch launch = device_launch(0);
    launch.steps = {{"fill", Grid::rows, kThreads, 0, When::always},
                    {"columns", Grid::columns, kThreads, 0, When::always},
                    {"ranges", Grid::once, kThreads, 0, When::always},
                    {"ranged", Grid::tiles, kThreads, 0, When::always},
                    {"fill", Grid::rows, kThreads, 0, When::empty}};
    launch.tile_bytes = sizeof(RangeTile);
    launch.pair_bytes = 2 * sizeof(int64_t);
    return launch;
}

/// The sample kernel with this launch, for both devices of the fake driver.
inline Kernel device_kernel(cuda::Launch launch, bool has_ranges = false) {
    Kernel kernel = plain_kernel();
    kernel.rows = nullptr;
    kernel.column_inputs = {1, 2, 3};
    std::map<int, std::string> images{{80, "fake sm_80"}, {90, "fake sm_90"}};
    kernel.device = std::make_shared<DeviceCode>(std::move(images), std::move(launch), has_ranges);
    return kernel;
}

} // namespace samples
