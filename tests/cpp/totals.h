// tests/cpp/totals.h -- a kernel that also sums over the kept rows, and what its sums must be
#pragma once

#include "samples.h"

#include <random>

namespace samples {

/// A call's row sums s_i over its columns, and their totals: sum of s_i, of s_i x_i0, of pairs.
template <bool kHasRows>
void total_rows(const Call *call, int64_t begin, int64_t end) {
    const auto *x = static_cast<const float *>(call->inputs[0]);
    const auto *y = static_cast<const float *>(call->inputs[1]);
    double totals[3] = {0, 0, 0};
    for (int64_t i = begin; i < end; ++i) {
        float sum = 0;
        const int64_t visited = walk(call, [&](int64_t j) {
            for (int64_t d = 0; d < kWidth; ++d)
                sum += x[i * kWidth + d] * y[j * kWidth + d];
        });
        totals[0] += sum;
        totals[1] += double(sum) * x[i * kWidth];
        totals[2] += static_cast<double>(visited);
        if constexpr (kHasRows) {
            static_cast<float *>(call->outputs[1])[i] = sum;
            static_cast<int64_t *>(call->outputs[3])[i] = visited;
        }
    }
    std::copy(totals, totals + 3, call->partials);
}

/// Outputs of both axes in turn.
inline Kernel total_kernel() {
    Kernel kernel;
    kernel.inputs = {{Axis::i, kWidth}, {Axis::j, kWidth}};
    kernel.outputs = {{2, Dtype::float64, 0, Axis::p},
                      {1, Dtype::float32, -1.5},
                      {1, Dtype::float32, 0, Axis::p},
                      {1, Dtype::int64, -1}};
    kernel.rows = total_rows<true>;
    kernel.row_block = 4;
    kernel.pair_cost = 5;
    return kernel;
}

/// The same without the outputs of axis i.
inline Kernel only_totals_kernel() {
    Kernel kernel = total_kernel();
    kernel.outputs = {kernel.outputs[0], kernel.outputs[2]};
    kernel.rows = total_rows<false>;
    return kernel;
}

/// Arrays whose sums depend on the order of their terms.
struct TotalArrays {
    using Extents = std::vector<int64_t>;

    int64_t M, N;
    Array<float> x, y;
    Array<double> totals;
    Array<float> sum, pairs;
    Array<int64_t> count;

    TotalArrays(int64_t M_, int64_t N_, Extents result = {}, Extents bx = {}, Extents by = {})
        : M(M_), N(N_), x(join(bx, {M_, kWidth})), y(join(by, {N_, kWidth})),
          totals(join(result, {2})), sum(join(result, {M_, 1})), pairs(join(result, {1})),
          count(join(result, {M_, 1})) {
        std::mt19937_64 random(static_cast<uint64_t>(M_ * 1000 + N_));
        std::uniform_real_distribution<float> between(-1, 1);
        for (Array<float> *array : {&x, &y})
            std::generate(array->values.begin(), array->values.end(),
                          [&] { return between(random); });
        std::fill(totals.values.begin(), totals.values.end(), NAN);
        std::fill(sum.values.begin(), sum.values.end(), NAN);
        std::fill(pairs.values.begin(), pairs.values.end(), NAN);
    }

    static Extents join(Extents a, const Extents &b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    }

    std::vector<Buffer> inputs() { return {x.buffer(), y.buffer()}; }
    std::vector<Buffer> outputs() {
        return {totals.buffer(), sum.buffer(), pairs.buffer(), count.buffer()};
    }
    std::vector<Buffer> only_totals() { return {totals.buffer(), pairs.buffer()}; }

    int64_t elements() const { return static_cast<int64_t>(pairs.values.size()); }

    /// Whether the totals are those of the rows that were written, to the rounding of doubles;
    /// x is `repeated` if it has no batch.
    bool agree(bool is_repeated = false) const {
        for (int64_t b = 0; b < elements(); ++b) {
            long double expected[3] = {0, 0, 0}, size = 0;
            for (int64_t i = 0; i < M; ++i) {
                if (count.values[b * M + i] < 0)
                    continue;
                const long double s = sum.values[b * M + i];
                expected[0] += s;
                expected[1] += s * x.values[((is_repeated ? 0 : b) * M + i) * kWidth];
                expected[2] += count.values[b * M + i];
                size += std::abs(s);
            }
            const long double tolerance = 1e-15L * M * size; // a sum of M terms within a call
            if (!(std::abs(totals.values[2 * b] - expected[0]) <= tolerance) ||
                !(std::abs(totals.values[2 * b + 1] - expected[1]) <= tolerance) ||
                pairs.values[b] != expected[2])
                return false;
        }
        return true;
    }
};

} // namespace samples
