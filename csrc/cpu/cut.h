// csrc/cpu/cut.h -- how a problem is cut into items of work
#pragma once

#include <cstdint>
#include <vector>

namespace jaxkeops {

class Problem;

/// How a problem is cut: chunks of one batch element, and how many of them a thread takes at once.
struct Cut {
    int64_t chunk = 0;  // rows of a chunk
    int64_t chunks = 0; // per element
    int64_t items = 0;  // chunks of all elements
    int64_t group = 1;  // chunks per claim
};

/// How the blocks of ranges are cut: a run is several blocks whole, or one block in chunks.
struct Run {
    int64_t first_item; // of one batch element; several blocks are one item
    int64_t block;      // the first of `blocks` in Ranges::blocks()
    int64_t blocks;
    int64_t chunk; // rows of an item, if there is one block
};

/// The runs of one batch element, and in `cut` their items: `chunk` is not used.
struct RangeCut {
    Cut cut;
    std::vector<Run> runs;
};

/// About how long a problem takes on one core, in ns.
double work_ns(const Problem &problem);

/// How the rows, and the columns, are cut for so many threads. Rows are cut alike for any number
/// if the kernel has outputs of axis p.
Cut cut_rows(const Problem &problem, int64_t threads);
Cut cut_columns(const Problem &problem, int64_t threads);

/// How the rows of a problem with ranges are cut: small blocks together, large ones in chunks of
/// whole tiles, so that an item is about as long whatever the lengths of the lists.
/// Throws std::bad_alloc.
RangeCut cut_ranges(const Problem &problem, int64_t threads);

} // namespace jaxkeops
