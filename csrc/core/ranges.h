// csrc/core/ranges.h -- which columns each row is reduced over, when that is not all of them
#pragma once

#include "buffer.h"
#include "status.h"

#include <cstddef>
#include <cstdint>
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

    /// Whether the arrays have the dtypes and shapes that `bind` takes; their numbers are not read.
    static Status check_arrays(const Buffer *arrays);

    /// Some rows with one list of columns.
    struct Block {
        int64_t begin, end;   // never equal
        int64_t first, count; // its pairs; none: these rows have the value of an empty reduction
        double columns;       // the lengths of its pairs together: may exceed N, and int64
    };

    /// Reads and checks the arrays (Mc, 2), (Mc,), (Mcc, 2) against M rows and N columns.
    ///
    /// Time Mc log Mc + Mcc, or Mc + Mcc if the row blocks are sorted. Throws std::bad_alloc.
    Status bind(const Buffer *arrays, int64_t M, int64_t N);

    /// Blocks that cover [0, M) once, in order; neighbours are not both without columns.
    const std::vector<Block> &blocks() const { return blocks_; }

    /// The [start, end) pairs of a block, none of them empty.
    const int64_t *pairs(const Block &block) const { return pairs_.data() + 2 * block.first; }

    /// Whether no row has a column.
    bool is_empty() const { return pairs_.empty(); }

  private:
    using Numbers = std::vector<int64_t>;

    void build(const Numbers &rows, const Numbers &ends, const Numbers &columns,
               const Numbers &order, int64_t M);
    void append(const Block &block);

    std::vector<Block> blocks_;
    Numbers pairs_;
};

} // namespace jaxkeops
