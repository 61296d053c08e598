// csrc/core/ranges.cpp -- reads the arrays of a pattern, refuses what is not sound, orders its
// blocks
#include "ranges.h"

#include <algorithm>
#include <cstring>

namespace jaxkeops {

namespace {

using Numbers = std::vector<int64_t>;

constexpr size_t kRows = 0, kEnds = 1, kColumns = 2;

Numbers read(const Buffer &array) {
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
std::string show(const Numbers &blocks, size_t k) {
    return "[" + std::to_string(k) + "] = [" + std::to_string(blocks[2 * k]) + ", " +
           std::to_string(blocks[2 * k + 1]) + ")";
}

Status check_blocks(size_t which, const Numbers &blocks, int64_t extent, const char *what) {
    for (size_t k = 0; k < blocks.size() / 2; ++k) {
        const int64_t start = blocks[2 * k], end = blocks[2 * k + 1];
        if (start > end)
            return Ranges::wrong(which, show(blocks, k) + " ends before it starts");
        if (start < 0 || end > extent)
            return Ranges::wrong(which, show(blocks, k) + " is not within [0, " +
                                            std::to_string(extent) + "], the " + what +
                                            " of the arrays");
    }
    return Status::ok();
}

Status check_ends(const Numbers &ends, size_t column_blocks) {
    int64_t before = 0;
    for (size_t k = 0; k < ends.size(); ++k) {
        const auto end = [&] { return "[" + std::to_string(k) + "] = " + std::to_string(ends[k]); };
        if (ends[k] < 0 || ends[k] > static_cast<int64_t>(column_blocks))
            return Ranges::wrong(kEnds, end() + " is not within [0, " +
                                            std::to_string(column_blocks) +
                                            "], the number of column_blocks");
        if (ends[k] < before)
            return Ranges::wrong(kEnds, end() + " is less than the end before it, " +
                                            std::to_string(before));
        before = ends[k];
    }
    return Status::ok();
}

/// The numbers of the row blocks that are not empty, by their first row.
Numbers sorted(const Numbers &rows) {
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

Status check_disjoint(const Numbers &rows, const Numbers &order) {
    for (size_t at = 1; at < order.size(); ++at) {
        const auto a = static_cast<size_t>(std::min(order[at - 1], order[at]));
        const auto b = static_cast<size_t>(std::max(order[at - 1], order[at]));
        if (rows[2 * order[at]] < rows[2 * order[at - 1] + 1])
            return Ranges::wrong(kRows, show(rows, a) + " overlaps row_blocks" + show(rows, b));
    }
    return Status::ok();
}

} // namespace

Status Ranges::check_arrays(const Buffer *arrays) {
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

Status Ranges::bind(const Buffer *arrays, int64_t M, int64_t N) {
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

void Ranges::build(const Numbers &rows, const Numbers &ends, const Numbers &columns,
                   const Numbers &order, int64_t M) {
    blocks_.clear();
    pairs_.clear();
    blocks_.reserve(2 * order.size() + 1);
    pairs_.reserve(columns.size());
    int64_t row = 0;
    for (int64_t k : order) {
        append({row, rows[2 * k], 0, 0, 0});
        Block block{rows[2 * k], rows[2 * k + 1], static_cast<int64_t>(pairs_.size() / 2), 0, 0};
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

void Ranges::append(const Block &block) {
    if (block.begin == block.end)
        return;
    if (block.count == 0 && !blocks_.empty() && blocks_.back().count == 0)
        blocks_.back().end = block.end;
    else
        blocks_.push_back(block);
}

} // namespace jaxkeops
