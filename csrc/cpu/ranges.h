// csrc/cpu/ranges.h -- which columns each row is reduced over, when that is not all of them
#pragma once

#include "../core/buffer.h"
#include "../core/status.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace jaxkeops {

/// A block-sparse pattern of (row, column) pairs, checked, and copied: its arrays may change.
///
/// Three integer arrays say it. Rows [start, end) of row_blocks[k] are reduced over the column
/// blocks column_blocks[ends[k-1]] to column_blocks[ends[k] - 1], in this order, as often as they
/// occur; ends[-1] counts as 0. Row blocks come in any order, and may not overlap.
class Ranges {
  public:
    static constexpr size_t kArrays = 3;

    static const char *name(size_t k) {
        constexpr const char *names[kArrays] = {"row_blocks", "ends", "column_blocks"};
        return names[k];
    }

    static Status wrong(size_t k, const std::string &what) {
        return Status::misfit(std::string("ranges: ") + name(k) + what);
    }

    static Status wrong_dtype(size_t k, const std::string &got) {
        return wrong(k, ": expected int32 or int64, got " + got);
    }

    /// Some rows with one list of columns.
    struct Block {
        int64_t begin, end;   // never equal
        int64_t first, count; // its pairs; none: these rows have the value of an empty reduction
        double columns;       // the lengths of its pairs together: may exceed N, and int64
    };

    /// Reads and checks the arrays (Mc, 2), (Mc,), (Mcc, 2) against M rows and N columns.
    ///
    /// Time Mc log Mc + Mcc, or Mc + Mcc if the row blocks are sorted. Throws std::bad_alloc.
    Status bind(const Buffer *arrays, int64_t M, int64_t N) {
        if (Status status = check_arrays(arrays); !status.is_ok())
            return status;
        // Copied before they are checked: another thread may write to them meanwhile.
        const Numbers rows = read(arrays[kRows]), ends = read(arrays[kEnds]),
                      columns = read(arrays[kColumns]);
        if (Status status = check_blocks(kRows, rows, M, "rows"); !status.is_ok())
            return status;
        if (Status status = check_ends(ends, columns.size() / 2); !status.is_ok())
            return status;
        if (Status status = check_blocks(kColumns, columns, N, "columns"); !status.is_ok())
            return status;
        const Numbers order = sorted(rows);
        if (Status status = check_disjoint(rows, order); !status.is_ok())
            return status;
        build(rows, ends, columns, order, M);
        return Status::ok();
    }

    /// Blocks that cover [0, M) once, in order; neighbours are not both without columns.
    const std::vector<Block> &blocks() const { return blocks_; }

    /// The [start, end) pairs of a block, none of them empty.
    const int64_t *pairs(const Block &block) const { return pairs_.data() + 2 * block.first; }

    /// Whether no row has a column.
    bool is_empty() const { return pairs_.empty(); }

  private:
    using Numbers = std::vector<int64_t>;
    static constexpr size_t kRows = 0, kEnds = 1, kColumns = 2;

    static Status check_arrays(const Buffer *arrays) {
        for (size_t k = 0; k < kArrays; ++k) {
            const Buffer &array = arrays[k];
            const bool is_pairs = k != kEnds;
            if (array.dtype != Dtype::int32 && array.dtype != Dtype::int64)
                return wrong_dtype(k, name_of(array.dtype));
            if (array.rank != (is_pairs ? 2 : 1) || array.shape[0] < 0 ||
                (is_pairs && array.shape[1] != 2))
                return wrong(k, std::string(": expected shape ") +
                                    (k == kRows   ? "(Mc, 2)"
                                     : k == kEnds ? "(Mc,)"
                                                  : "(Mcc, 2)") +
                                    ", got " + show_shape(array));
            if (array.shape[0] > 0 && !array.data)
                return wrong(k, ": its address is null");
        }
        if (arrays[kEnds].shape[0] != arrays[kRows].shape[0])
            return wrong(kEnds, ": expected one end for each of the " +
                                    std::to_string(arrays[kRows].shape[0]) + " row_blocks, got " +
                                    std::to_string(arrays[kEnds].shape[0]));
        return Status::ok();
    }

    static Numbers read(const Buffer &array) {
        const auto count = static_cast<size_t>(array.shape[0] * (array.rank == 2 ? 2 : 1));
        Numbers numbers(count);
        const auto *const from = static_cast<const char *>(array.data);
        if (array.dtype == Dtype::int64) {
            if (count > 0)
                std::memcpy(numbers.data(), from, count * sizeof(int64_t));
            return numbers;
        }
        for (size_t k = 0; k < count; ++k) {
            int32_t number;
            std::memcpy(&number, from + k * sizeof number, sizeof number);
            numbers[k] = number;
        }
        return numbers;
    }

    /// "[4] = [7, 9)"
    static std::string show(const Numbers &blocks, size_t k) {
        return "[" + std::to_string(k) + "] = [" + std::to_string(blocks[2 * k]) + ", " +
               std::to_string(blocks[2 * k + 1]) + ")";
    }

    static Status check_blocks(size_t which, const Numbers &blocks, int64_t extent,
                               const char *what) {
        for (size_t k = 0; k < blocks.size() / 2; ++k) {
            const int64_t start = blocks[2 * k], end = blocks[2 * k + 1];
            if (start > end)
                return wrong(which, show(blocks, k) + " ends before it starts");
            if (start < 0 || end > extent)
                return wrong(which, show(blocks, k) + " is not within [0, " +
                                        std::to_string(extent) + "], the " + what +
                                        " of the arrays");
        }
        return Status::ok();
    }

    static Status check_ends(const Numbers &ends, size_t column_blocks) {
        int64_t before = 0;
        for (size_t k = 0; k < ends.size(); ++k) {
            const auto end = [&] {
                return "[" + std::to_string(k) + "] = " + std::to_string(ends[k]);
            };
            if (ends[k] < 0 || ends[k] > static_cast<int64_t>(column_blocks))
                return wrong(kEnds, end() + " is not within [0, " + std::to_string(column_blocks) +
                                        "], the number of column_blocks");
            if (ends[k] < before)
                return wrong(kEnds,
                             end() + " is less than the end before it, " + std::to_string(before));
            before = ends[k];
        }
        return Status::ok();
    }

    /// The numbers of the row blocks that are not empty, by their first row.
    static Numbers sorted(const Numbers &rows) {
        Numbers order;
        order.reserve(rows.size() / 2);
        for (size_t k = 0; k < rows.size() / 2; ++k)
            if (rows[2 * k] < rows[2 * k + 1])
                order.push_back(static_cast<int64_t>(k));
        const auto by_start = [&](int64_t a, int64_t b) { return rows[2 * a] < rows[2 * b]; };
        if (!std::is_sorted(order.begin(), order.end(), by_start))
            std::sort(order.begin(), order.end(), by_start);
        return order;
    }

    static Status check_disjoint(const Numbers &rows, const Numbers &order) {
        for (size_t at = 1; at < order.size(); ++at) {
            const auto a = static_cast<size_t>(std::min(order[at - 1], order[at]));
            const auto b = static_cast<size_t>(std::max(order[at - 1], order[at]));
            if (rows[2 * order[at]] < rows[2 * order[at - 1] + 1])
                return wrong(kRows, show(rows, a) + " overlaps row_blocks" + show(rows, b));
        }
        return Status::ok();
    }

    void build(const Numbers &rows, const Numbers &ends, const Numbers &columns,
               const Numbers &order, int64_t M) {
        blocks_.clear();
        pairs_.clear();
        blocks_.reserve(2 * order.size() + 1);
        pairs_.reserve(columns.size());
        int64_t row = 0;
        for (int64_t k : order) {
            append({row, rows[2 * k], 0, 0, 0});
            Block block{rows[2 * k], rows[2 * k + 1], static_cast<int64_t>(pairs_.size() / 2), 0,
                        0};
            for (int64_t c = k ? ends[k - 1] : 0; c < ends[k]; ++c) {
                const int64_t start = columns[2 * c], end = columns[2 * c + 1];
                if (start == end)
                    continue;
                pairs_.push_back(start);
                pairs_.push_back(end);
                ++block.count;
                block.columns += static_cast<double>(end - start);
            }
            append(block);
            row = block.end;
        }
        append({row, M, 0, 0, 0});
    }

    void append(const Block &block) {
        if (block.begin == block.end)
            return;
        if (block.count == 0 && !blocks_.empty() && blocks_.back().count == 0)
            blocks_.back().end = block.end;
        else
            blocks_.push_back(block);
    }

    std::vector<Block> blocks_;
    Numbers pairs_;
};

} // namespace jaxkeops
