// tests/cpp/patterns.h -- block-sparse patterns that own their arrays, and their brute force
#pragma once

#include "samples.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace samples {

using Pair = std::pair<int64_t, int64_t>;

/// The three arrays of ranges, in integers of type T.
template <class T>
struct Pattern {
    Array<T> row_blocks{{0, 2}}, ends{{0}}, column_blocks{{0, 2}};

    /// One row block and its list of columns.
    void add(Pair rows, const std::vector<Pair> &columns) {
        push(row_blocks, rows);
        for (const Pair &block : columns)
            push(column_blocks, block);
        ends.values.push_back(static_cast<T>(column_blocks.shape[0]));
        ends.shape[0] += 1;
    }

    std::array<Buffer, 3> buffers() {
        return {row_blocks.buffer(), ends.buffer(), column_blocks.buffer()};
    }

    /// The columns of each of M rows, in order: brute force.
    std::vector<std::vector<int64_t>> lists(int64_t M) const {
        std::vector<std::vector<int64_t>> all(static_cast<size_t>(M));
        for (size_t k = 0; k < ends.values.size(); ++k)
            for (int64_t i = row_blocks.values[2 * k]; i < row_blocks.values[2 * k + 1]; ++i)
                for (int64_t c = k ? ends.values[k - 1] : 0; c < ends.values[k]; ++c)
                    for (int64_t j = column_blocks.values[2 * c];
                         j < column_blocks.values[2 * c + 1]; ++j)
                        all[static_cast<size_t>(i)].push_back(j);
        return all;
    }

  private:
    static void push(Array<T> &blocks, Pair block) {
        blocks.values.push_back(static_cast<T>(block.first));
        blocks.values.push_back(static_cast<T>(block.second));
        blocks.shape[0] += 1;
    }
};

/// Row blocks of at most `most` rows in random order, some left out, some empty; lists of at most
/// `lists` blocks that overlap and repeat, some of them empty.
template <class T>
Pattern<T> random_pattern(std::mt19937_64 &random, int64_t M, int64_t N, int64_t most,
                          int64_t lists) {
    const auto below = [&](int64_t limit) {
        return std::uniform_int_distribution<int64_t>(0, limit)(random);
    };
    std::vector<Pair> rows;
    for (int64_t at = 0; at < M;) {
        const int64_t end = std::min(M, at + below(most));
        if (below(4) > 0)
            rows.emplace_back(at, end);
        at = std::max(at + (end == at && below(1)), end);
    }
    std::shuffle(rows.begin(), rows.end(), random);
    Pattern<T> pattern;
    for (const Pair &block : rows) {
        std::vector<Pair> columns;
        for (int64_t count = below(lists); count > 0; --count) {
            const int64_t a = below(N), b = below(5) ? below(N) : a;
            columns.emplace_back(std::min(a, b), std::max(a, b));
            if (below(5) == 0)
                columns.push_back(columns.back());
        }
        pattern.add(block, columns);
    }
    return pattern;
}

} // namespace samples
