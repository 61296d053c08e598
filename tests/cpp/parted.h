// tests/cpp/parted.h -- kernels that keep and merge parts of their columns, as compiled code does
#pragma once

#include "../../csrc/cpu/launch.h"

#include "check.h"
#include "patterns.h"
#include "totals.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace samples {

using namespace jaxkeops;

inline constexpr int64_t kBlock = 4;

/// What a call carries for a row. The float sum depends on where parts begin.
struct Kept {
    float sum;
    int64_t row, first, end;
};

inline std::atomic<int64_t> parts_kept{0}, parts_merged{0};

inline Kept reduce(const Call *call, int64_t i) {
    const auto *x = static_cast<const float *>(call->inputs[0]);
    const auto *y = static_cast<const float *>(call->inputs[1]);
    const bool is_weighted = !call->columns && call->inputs[2];
    const auto *w = is_weighted ? static_cast<const float *>(call->inputs[2]) : nullptr;
    const auto *p = is_weighted ? static_cast<const float *>(call->inputs[3]) : nullptr;
    if (call->columns)
        y = static_cast<const float *>(call->columns);
    Kept kept{0, i, call->ranges[0], call->ranges[1]};
    walk(call, [&](int64_t j) {
        float dot = 0;
        for (int64_t d = 0; d < kWidth; ++d)
            dot += x[i * kWidth + d] * y[j * kWidth + d];
        kept.sum += w ? p[0] * dot * w[j] : dot;
    });
    return kept;
}

/// The parts of row `i` together; they must be its own, and cover [0, N) once, in order.
inline Kept merge(const Call *call, int64_t i, int64_t begin) {
    const auto *kept = static_cast<const Kept *>(call->workspace) + (i - begin);
    double sum = 0;
    int64_t column = 0;
    for (int64_t part = 0; part < call->parts; ++part, kept += kBlock) {
        CHECK(kept->row == i && kept->first == column && kept->end > column);
        CHECK(kept->first % 1024 == 0);
        sum += kept->sum;
        column = kept->end;
    }
    CHECK(column == call->N && call->ranges[0] == 0 && call->ranges[1] == call->N);
    return {static_cast<float>(sum), i, 0, column};
}

/// As `samples::rows`, or `rows_from_columns`, in all three modes.
template <bool kHasTotals>
void rows_in_parts(const Call *call, int64_t begin, int64_t end) {
    CHECK(begin % kBlock == 0 && begin < end && end <= call->M && call->range_count == 1);
    CHECK(call->parts == 0 || end - begin <= kBlock);
    CHECK(call->parts == 0 || reinterpret_cast<uintptr_t>(call->workspace) % 64 == 0);
    CHECK((call->partials != nullptr) == (kHasTotals && call->parts >= 0));
    double totals[3] = {0, 0, 0};
    for (int64_t i = begin; i < end; ++i) {
        const Kept kept = call->parts > 0 ? merge(call, i, begin) : reduce(call, i);
        if (call->parts == kKeep) {
            static_cast<Kept *>(call->workspace)[i - begin] = kept;
            continue;
        }
        if (call->parts == kResume) {
            Kept &held = static_cast<Kept *>(call->workspace)[i - begin];
            CHECK(held.row == i && held.end == kept.first);
            held.sum += kept.sum;
            held.end = kept.end;
            continue;
        }
        totals[0] += kept.sum;
        totals[1] += double(kept.sum) * static_cast<const float *>(call->inputs[0])[i * kWidth];
        totals[2] += static_cast<double>(kept.end - kept.first);
        static_cast<float *>(call->outputs[kHasTotals ? 1 : 0])[i] = kept.sum;
        static_cast<int64_t *>(call->outputs[kHasTotals ? 3 : 1])[i] = kept.end - kept.first;
    }
    if (call->partials)
        std::copy(totals, totals + 3, call->partials);
    parts_kept += call->parts == kKeep;
    parts_merged += std::max<int64_t>(0, call->parts);
}

inline Kernel in_parts(Kernel kernel, RowsFn rows) {
    kernel.rows = rows;
    kernel.row_block = kBlock;
    kernel.pair_cost = 20;
    kernel.workspace = kBlock * sizeof(Kept);
    kernel.parts = true;
    return kernel;
}

inline Kernel plain_parts() {
    return in_parts(plain_kernel(), rows_in_parts<false>);
}

inline Kernel column_parts() {
    return in_parts(column_kernel(), rows_in_parts<false>);
}

/// The sample's third input has no room in `reduce`: it would be taken for weights.
inline Kernel total_parts() {
    return in_parts(total_kernel(), [](const Call *call, int64_t begin, int64_t end) {
        const void *const inputs[] = {call->inputs[0], call->inputs[1], nullptr};
        Call padded = *call;
        padded.inputs = inputs;
        rows_in_parts<true>(&padded, begin, end);
    });
}

template <class Some>
Status bind(Problem &problem, Some &arrays, Pattern<int64_t> *pattern = nullptr) {
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    if (Status status = problem.bind_inputs(inputs.data(), inputs.size()); !status.is_ok())
        return status;
    if (pattern)
        if (Status status = problem.bind_ranges(pattern->buffers().data()); !status.is_ok())
            return status;
    return problem.bind_outputs(outputs.data(), outputs.size());
}

} // namespace samples
