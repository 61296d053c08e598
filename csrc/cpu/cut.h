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

/// Few rows, cut over their columns as well: a part is a block of rows over some columns.
struct PartCut {
    Cut parts;  // `chunk` columns of a block, `chunks` parts of a block; without items: no parts
    Cut merges; // an item is one block of rows
};

/// All items of a job, phase by phase.
struct Cuts {
    Cut columns; // no items if the kernel has no columns function
    Cut parts;   // none if rows go through all columns at once; else `rows` are merges
    Cut rows;
    std::vector<Run> runs; // of `rows`, if the problem has ranges
};

/// How `launch` cuts a problem for so many threads. This and what follows is for problems that
/// have rows and columns. Throws std::bad_alloc.
Cuts cut_all(const Problem &problem, int64_t threads);

/// About how long a problem takes on one core, in ns.
double work_ns(const Problem &problem);

/// How the rows, and the columns, are cut for so many threads. Rows are cut alike for any number
/// if the kernel has outputs of axis p.
Cut cut_rows(const Problem &problem, int64_t threads);
Cut cut_columns(const Problem &problem, int64_t threads);

/// How few rows are cut, the same for any number of threads: so are the bits of the results. Rows
/// enough, or little work, are not cut into parts, nor is what has ranges.
PartCut cut_parts(const Problem &problem);

/// How the rows of a problem with ranges are cut: small blocks together, large ones in chunks of
/// whole tiles, so that an item is about as long whatever the lengths of the lists.
/// Throws std::bad_alloc.
RangeCut cut_ranges(const Problem &problem, int64_t threads);

} // namespace jaxkeops
