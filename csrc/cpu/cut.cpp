// csrc/cpu/cut.cpp -- decides how fine to cut
#include "cut.h"

#include "../core/problem.h"
#include "../core/ranges.h"

#include <algorithm>
#include <utility>

namespace jaxkeops {

namespace {

constexpr double kClaimNs = 4e3; // least work of a claim: 100 times the cost of claiming
constexpr double kChunkNs = 1e6; // most work of a chunk, so that a late thread delays little
constexpr double kClaimsPerThread = 8;

// Sums over the kept rows: so many shares keep 64 threads even; 64 MB for their partial sums, so
// that a wide sum has fewer; and work in a share, for a number of its partial sum, that makes
// little of adding that up, which one thread does.
constexpr double kMostShares = 1024;
constexpr double kLeastShares = 16;
constexpr double kPartialBytes = 64e6;
constexpr double kPartialNs = 32;

// Few rows: fewer blocks than this may leave threads without work, and are cut into some 128
// parts, so that 16 threads get 8 each and 64 get 2.
constexpr int64_t kFewBlocks = 64;
constexpr int64_t kParts = 128;

// What a part costs beside its pairs: the claim, the call, and what is kept goes to memory and is
// read again, maybe by another core. This may be a fiftieth of a part.
constexpr double kPartNs = 400;
constexpr double kKeptNs = 0.5; // per byte
constexpr double kWorkOfPart = 50;
constexpr double kKeptBytes = 64e6;

constexpr int64_t kPartColumns = 1024; // a multiple of every tile: no part ends within one

constexpr double kCallNs = 20;  // to find a block and to call the kernel for it
constexpr double kColumnNs = 1; // per number of the scratch: it is read, combined and written

double row_ns(const Problem &problem) {
    return std::max(1.0, static_cast<double>(problem.N()) * problem.kernel().pair_cost);
}

double column_ns(const Problem &problem) {
    return std::max(1.0, static_cast<double>(problem.kernel().column_width) * kColumnNs);
}

int64_t divide_up(int64_t a, int64_t b) {
    return a / b + (a % b != 0);
}

/// Rows that go through the columns together: without columns, rows are only filled.
int64_t tile_of(const Problem &problem, const Ranges::Block &block) {
    return block.count ? problem.row_block() : 1;
}

double tile_ns(const Problem &problem, const Ranges::Block &block) {
    return static_cast<double>(tile_of(problem, block)) *
           std::max(1.0, block.columns * problem.kernel().pair_cost);
}

double block_ns(const Problem &problem, const Ranges::Block &block) {
    const int64_t tiles = divide_up(block.end - block.begin, tile_of(problem, block));
    return kCallNs + static_cast<double>(tiles) * tile_ns(problem, block);
}

/// A block of rows takes as long whether or not its last rows are there.
double whole_rows(int64_t rows, int64_t block) {
    return static_cast<double>(divide_up(rows, block)) * static_cast<double>(block);
}

/// The rows of one batch element.
double rows_ns(const Problem &problem) {
    if (!problem.ranges())
        return whole_rows(problem.M(), problem.row_block()) * row_ns(problem);
    double ns = 0;
    for (const Ranges::Block &block : problem.ranges()->blocks())
        ns += block_ns(problem, block);
    return ns;
}

/// All columns of all scratches.
double columns_ns(const Problem &problem) {
    return static_cast<double>(problem.scratch_elements()) * static_cast<double>(problem.N()) *
           column_ns(problem);
}

/// The work that a thread should take at once, out of `all`, in columns or in rows.
double target_ns(double all, int64_t threads) {
    const double least = threads > 1 ? kClaimNs : kChunkNs;
    return std::clamp(all / (kClaimsPerThread * static_cast<double>(threads)), least, kChunkNs);
}

/// The same in rows: where these are summed, it must not depend on `threads`, for the sum depends
/// on how the rows are cut.
double row_target_ns(const Problem &problem, double all, int64_t threads) {
    const double width = static_cast<double>(partial_width(problem.kernel()));
    if (width == 0)
        return target_ns(all, threads);
    const double shares =
        std::clamp(kPartialBytes / (width * sizeof(double)), kLeastShares, kMostShares);
    return std::max({all / shares, kClaimNs, width * kPartialNs});
}

/// Cuts `elements` times `rows` into chunks of about `target` ns, multiples of `block`.
Cut cut(int64_t elements, int64_t rows, int64_t block, double ns_per_row, double target) {
    Cut cut;
    const double blocks = std::clamp(target / (ns_per_row * static_cast<double>(block)), 1.0, 1e9);
    const int64_t most = divide_up(rows, block);
    const int64_t taken = std::min(static_cast<int64_t>(blocks), most);
    cut.chunk = taken == most ? rows : taken * block;
    cut.chunks = divide_up(rows, cut.chunk);
    cut.items = elements * cut.chunks;
    const double chunk_ns = ns_per_row * whole_rows(cut.chunk, block);
    cut.group = static_cast<int64_t>(std::clamp(target / chunk_ns, 1.0, 1e9));
    return cut;
}

} // namespace

double work_ns(const Problem &problem) {
    const double ns = static_cast<double>(problem.batch_elements()) * rows_ns(problem);
    return problem.has_scratch() ? ns + columns_ns(problem) : ns;
}

Cuts cut_all(const Problem &problem, int64_t threads) {
    Cuts cuts;
    cuts.columns = cut_columns(problem, threads);
    if (problem.ranges()) {
        RangeCut ranged = cut_ranges(problem, threads);
        cuts.rows = ranged.cut;
        cuts.runs = std::move(ranged.runs);
    } else if (const PartCut cut = cut_parts(problem); cut.parts.items > 0) {
        cuts.parts = cut.parts;
        cuts.rows = cut.merges;
    } else {
        cuts.rows = cut_rows(problem, threads);
    }
    return cuts;
}

Cut cut_rows(const Problem &problem, int64_t threads) {
    const double elements = static_cast<double>(problem.batch_elements());
    const double target = row_target_ns(problem, elements * rows_ns(problem), threads);
    return cut(problem.batch_elements(), problem.M(), problem.row_block(), row_ns(problem),
               target);
}

Cut cut_columns(const Problem &problem, int64_t threads) {
    if (!problem.has_scratch())
        return {};
    return cut(problem.scratch_elements(), problem.N(), kColumnBlock, column_ns(problem),
               target_ns(columns_ns(problem), threads));
}

PartCut cut_parts(const Problem &problem) {
    const Kernel &kernel = problem.kernel();
    const int64_t elements = problem.batch_elements(), N = problem.N();
    const int64_t chunks = divide_up(problem.M(), problem.row_block());
    if (!kernel.parts || problem.ranges() || elements >= kFewBlocks || chunks >= kFewBlocks ||
        elements * chunks >= kFewBlocks)
        return {};
    const int64_t blocks = elements * chunks;
    const double kept = static_cast<double>(kernel.workspace);
    const double least = kWorkOfPart * (kPartNs + kKeptNs * kept + kernel.part_cost);
    const double block_ns = static_cast<double>(problem.row_block()) * row_ns(problem);
    const double most = std::min({static_cast<double>(divide_up(kParts, blocks)), block_ns / least,
                                  static_cast<double>(N / kPartColumns),
                                  kKeptBytes / (kept * static_cast<double>(blocks))});
    if (most < 2)
        return {};
    PartCut made;
    made.parts.chunk =
        divide_up(divide_up(N, static_cast<int64_t>(most)), kPartColumns) * kPartColumns;
    made.parts.chunks = divide_up(N, made.parts.chunk);
    made.parts.items = blocks * made.parts.chunks;
    made.merges.chunk = problem.row_block();
    made.merges.chunks = chunks;
    made.merges.items = blocks;
    const double merge_ns = static_cast<double>(made.parts.chunks) * kept * kKeptNs;
    made.merges.group = static_cast<int64_t>(std::clamp(kClaimNs / merge_ns, 1.0, 1e9));
    return made;
}

RangeCut cut_ranges(const Problem &problem, int64_t threads) {
    const double elements = static_cast<double>(problem.batch_elements());
    const double element_ns = rows_ns(problem);
    const double target = row_target_ns(problem, elements * element_ns, threads);
    const std::vector<Ranges::Block> &blocks = problem.ranges()->blocks();
    RangeCut made;
    int64_t items = 0;
    double run_ns = target; // of the last run: beyond `target` nothing is added to it
    for (size_t b = 0; b < blocks.size(); ++b) {
        const Ranges::Block &block = blocks[b];
        const double ns = block_ns(problem, block);
        run_ns += ns;
        if (!made.runs.empty() && run_ns <= target) {
            ++made.runs.back().blocks;
            continue;
        }
        const double tiles = std::clamp(target / tile_ns(problem, block), 1.0, 1e9);
        const int64_t rows = block.end - block.begin, tile = tile_of(problem, block);
        const int64_t most = divide_up(rows, tile);
        const int64_t taken = ns <= target ? most : std::min(static_cast<int64_t>(tiles), most);
        const int64_t chunk = taken == most ? rows : taken * tile;
        made.runs.push_back({items, static_cast<int64_t>(b), 1, chunk});
        items += divide_up(rows, chunk);
        run_ns = chunk == rows ? ns : target;
    }
    made.cut.chunks = items;
    made.cut.items = problem.batch_elements() * items;
    // Several items of an element are about `target` each, one may be far less.
    if (items == 1)
        made.cut.group = static_cast<int64_t>(std::clamp(target / element_ns, 1.0, 1e9));
    return made;
}

} // namespace jaxkeops
