// tests/cpp/samples.h -- kernels written by hand, arrays that own their shape, and the dense oracle
#pragma once

#include "../../csrc/core/buffer.h"
#include "../../csrc/core/kernel.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace samples {

using namespace jaxkeops;

/// An array of T that owns its numbers; filled with a fixed pattern of small fractions.
template <class T>
struct Array {
    std::vector<int64_t> shape;
    std::vector<T> values;

    explicit Array(std::vector<int64_t> extents, int64_t seed = 1) : shape(std::move(extents)) {
        values.resize(static_cast<size_t>(
            std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>())));
        for (size_t k = 0; k < values.size(); ++k)
            values[k] =
                static_cast<T>((static_cast<int64_t>(k) * 7919 + seed * 104729) % 997 / 100);
    }

    Buffer buffer() {
        const Dtype dtype = std::is_same_v<T, float>     ? Dtype::float32
                            : std::is_same_v<T, double>  ? Dtype::float64
                            : std::is_same_v<T, int32_t> ? Dtype::int32
                                                         : Dtype::int64;
        return {values.data(), shape.data(), static_cast<int64_t>(shape.size()), dtype};
    }
};

inline constexpr int64_t kWidth = 3; // of x and y

/// Calls `visit(j)` for each column of the call's ranges, in order; returns how many there were.
template <class Visit>
int64_t walk(const Call *call, Visit visit) {
    int64_t visited = 0;
    for (int64_t r = 0; r < call->range_count; ++r)
        for (int64_t j = call->ranges[2 * r]; j < call->ranges[2 * r + 1]; ++j, ++visited)
            visit(j);
    return visited;
}

/// Outputs: sum over the columns j of p (x_i . y_j) w_j in float32, and their number in int64.
inline void rows(const Call *call, int64_t begin, int64_t end) {
    const auto *x = static_cast<const float *>(call->inputs[0]);
    const auto *y = static_cast<const float *>(call->inputs[1]);
    const auto *w = static_cast<const float *>(call->inputs[2]);
    const auto *p = static_cast<const float *>(call->inputs[3]);
    for (int64_t i = begin; i < end; ++i) {
        float sum = 0;
        const int64_t visited = walk(call, [&](int64_t j) {
            float dot = 0;
            for (int64_t d = 0; d < kWidth; ++d)
                dot += x[i * kWidth + d] * y[j * kWidth + d];
            sum += p[0] * dot * w[j];
        });
        static_cast<float *>(call->outputs[0])[i] = sum;
        static_cast<int64_t *>(call->outputs[1])[i] = visited;
    }
}

/// The same from a scratch: column j is p w_j y_j.
inline void columns(const Call *call, int64_t begin, int64_t end) {
    const auto *y = static_cast<const float *>(call->inputs[1]);
    const auto *w = static_cast<const float *>(call->inputs[2]);
    const auto *p = static_cast<const float *>(call->inputs[3]);
    auto *scratch = static_cast<float *>(call->columns);
    for (int64_t j = begin; j < end; ++j)
        for (int64_t d = 0; d < kWidth; ++d)
            scratch[j * kWidth + d] = p[0] * w[j] * y[j * kWidth + d];
}

inline void rows_from_columns(const Call *call, int64_t begin, int64_t end) {
    const auto *x = static_cast<const float *>(call->inputs[0]);
    const auto *scratch = static_cast<const float *>(call->columns);
    for (int64_t i = begin; i < end; ++i) {
        float sum = 0;
        const int64_t visited = walk(call, [&](int64_t j) {
            for (int64_t d = 0; d < kWidth; ++d)
                sum += x[i * kWidth + d] * scratch[j * kWidth + d];
        });
        static_cast<float *>(call->outputs[0])[i] = sum;
        static_cast<int64_t *>(call->outputs[1])[i] = visited;
    }
}

inline Kernel plain_kernel() {
    Kernel kernel;
    kernel.inputs = {{Axis::i, kWidth}, {Axis::j, kWidth}, {Axis::j, 1}, {Axis::p, 1}};
    kernel.outputs = {{1, Dtype::float32, -1.5}, {1, Dtype::int64, -1}};
    kernel.rows = rows;
    kernel.pair_cost = 1;
    return kernel;
}

inline Kernel column_kernel() {
    Kernel kernel = plain_kernel();
    kernel.rows = rows_from_columns;
    kernel.columns = columns;
    kernel.column_width = kWidth;
    kernel.column_inputs = {1, 2, 3};
    return kernel;
}

/// Four inputs and two outputs of one call, with batch extents of the four and of the result.
struct Arrays {
    int64_t M, N;
    std::vector<int64_t> batch;
    Array<float> x, y, w, p, sum;
    Array<int64_t> count;

    using Extents = std::vector<int64_t>;

    Arrays(int64_t M_, int64_t N_, Extents result = {}, Extents bx = {}, Extents by = {},
           Extents bw = {}, Extents bp = {})
        : M(M_), N(N_), batch(result), x(join(bx, {M_, kWidth}), 1), y(join(by, {N_, kWidth}), 2),
          w(join(bw, {N_, 1}), 3), p(join(bp, {1}), 4), sum(join(result, {M_, 1})),
          count(join(result, {M_, 1})) {
        std::fill(sum.values.begin(), sum.values.end(), NAN);
        std::fill(count.values.begin(), count.values.end(), -77);
    }

    static Extents join(Extents a, const Extents &b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    }

    std::vector<Buffer> inputs() { return {x.buffer(), y.buffer(), w.buffer(), p.buffer()}; }
    std::vector<Buffer> outputs() { return {sum.buffer(), count.buffer()}; }

    /// Where the batch element of multi-index `at` starts in `array`: extents of 1 are repeated.
    template <class T>
    const T *start(const Array<T> &array, const Extents &at, size_t core) const {
        int64_t offset = 0, stride = 1;
        for (size_t d = array.shape.size(); d-- > 0;) {
            if (d + core < array.shape.size() && array.shape[d] != 1)
                offset += at[d] * stride;
            stride *= array.shape[d];
        }
        return array.values.data() + offset;
    }

    /// Whether both outputs agree with dense sums in double. The patterns are multiples of 1/100
    /// below 10, so `tolerance` is for float sums of N products, not for the data.
    bool agree(double tolerance = 1e-4) const {
        int64_t elements = 1;
        for (int64_t extent : batch)
            elements *= extent;
        for (int64_t b = 0; b < elements; ++b) {
            Extents at(batch.size());
            for (int64_t rest = b, d = static_cast<int64_t>(batch.size()); d-- > 0;) {
                at[d] = rest % batch[d];
                rest /= batch[d];
            }
            const float *xs = start(x, at, 2), *ys = start(y, at, 2), *ws = start(w, at, 2),
                        *ps = start(p, at, 1);
            for (int64_t i = 0; i < M; ++i) {
                double expected = N == 0 ? -1.5 : 0;
                for (int64_t j = 0; j < N; ++j)
                    for (int64_t d = 0; d < kWidth; ++d)
                        expected += double(ps[0]) * ws[j] * xs[i * kWidth + d] * ys[j * kWidth + d];
                const double got = sum.values[b * M + i];
                const int64_t pairs = count.values[b * M + i];
                if (!(std::abs(got - expected) <= tolerance * (1 + std::abs(expected))) ||
                    pairs != (N == 0 ? -1 : N))
                    return false;
            }
        }
        return true;
    }
};

} // namespace samples
