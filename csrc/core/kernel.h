// csrc/core/kernel.h -- what compiled code looks like: its C interface, and its description
#pragma once

#include "status.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace jaxkeops {

/// What compiled code is given, for one batch element of M kept and N reduced rows.
///
/// The emitters write this layout by hand: it only changes together with them.
struct Call {
    int64_t M;
    int64_t N;
    const void *const *inputs; // per input its first row: (M, D), (N, D) or (D,), C order
    void *const *outputs;      // per output its first row: (M, E), C order; null if of axis p
    void *columns;             // scratch (N, column_width), see `computing`, or null if there is
                               // none, or it does not pay: see `Kernel::scratch_rows`
    const int64_t *ranges;     // [start, end) pairs of columns, none empty: what `rows` walks
    int64_t range_count;       // pairs, at least 1; a dense reduction has the one pair [0, N)
    void *workspace;           // `Kernel::workspace` bytes of this call alone, or null if that is 0
    double *partials;          // one number per column of all outputs of axis p; null without any
    int64_t parts;             // 0: all at once; `kKeep`, `kResume`; else so many parts are merged
};

/// `Call::parts` of a call that keeps what it carries, and of one that goes on from what is kept.
inline constexpr int64_t kKeep = -1;
inline constexpr int64_t kResume = -2;

/// Fills rows [begin, end) of every output, from the columns of `ranges` alone: pair by pair, in
/// order, as often as a column occurs. Of outputs of axis p it writes the sum over these rows to
/// `partials`, all of it, whatever was there.
///
/// In a dense call, `begin` is a multiple of the kernel's `row_block`. With ranges of the user it
/// is any row, and rows before `begin` or from `end` on may belong to another thread.
///
/// If the kernel has `parts`, a dense reduction of few rows may also come in parts, for at most
/// one `row_block` of rows at a time. Calls with `parts` of `kKeep` reduce over `ranges`, one pair
/// of them, keep what they carry in `workspace`, and write no output; `partials` is null. When
/// all have returned, one call with `parts` S > 0 finds what they kept in `workspace`, side by
/// side in the order of their columns, `Kernel::workspace` bytes each. It merges them and writes
/// what a call for all columns does; `ranges` is [0, N). A call with `kResume` goes on from what
/// `workspace` keeps, in place of parts that are merged.
using RowsFn = void (*)(const Call *, int64_t begin, int64_t end);

/// Fills rows [begin, end) of the scratch. Inputs that are not `column_inputs`, and all outputs,
/// are null, as are `ranges`, `workspace` and `partials`: all N rows are filled. `begin` is a
/// multiple of `kColumnBlock`.
using ColumnsFn = void (*)(const Call *, int64_t begin, int64_t end);

inline constexpr int64_t kColumnBlock = 64;

enum class Axis : uint8_t { i, j, p }; // kept rows, reduced rows, parameter (no rows)
enum class Dtype : uint8_t { float16, bfloat16, float32, float64, int32, int64 };

inline constexpr Dtype kDtypes[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32,
                                    Dtype::float64, Dtype::int32,    Dtype::int64};

int64_t size_of(Dtype dtype);

/// What kernels compute in on numbers of a float dtype, and keep in the scratch: float32 for those
/// of 16 bits.
Dtype computing(Dtype dtype);
const char *name_of(Dtype dtype);
char name_of(Axis axis);

struct Input {
    Axis axis;
    int64_t width; // D; 0 for an array that only carries an extent
};

struct Output {
    int64_t width; // E
    Dtype dtype;
    double empty;        // the value of a reduction over no rows
    Axis axis = Axis::i; // p: summed over the kept rows as well, of shape (E,); a float dtype
    std::vector<double> empties = {}; // `empty` of each column, where they differ; a float dtype
};

/// Code that is quicker for few rows: it takes them one by one, lanes being columns.
///
/// Most problems have many rows, so it is a kernel of its own, of which `rows` alone is used: it is
/// compiled when rows are first few, by `complete` of kernel_table.h.
struct FewRows {
    FewRows(int64_t most, std::string key, std::string text)
        : most(most), key(std::move(key)), text(std::move(text)) {}

    const int64_t most; // rows of a problem
    const std::string key, text;
    mutable std::atomic<RowsFn> rows{nullptr};
};

/// Code for a GPU: csrc/cuda/code.h.
class DeviceCode;

/// Compiled code and what a caller must know to run it. Never changes once made.
///
/// Has `rows`, and maybe what follows it, or else `device`.
struct Kernel {
    std::vector<Input> inputs;
    std::vector<Output> outputs;
    Dtype dtype = Dtype::float32; // of every input
    RowsFn rows = nullptr;
    ColumnsFn columns = nullptr; // null: no scratch
    int64_t column_width = 0;
    std::vector<int64_t> column_inputs; // the j and p inputs that `columns` reads
    int64_t scratch_rows = 0;           // for fewer rows, or fewer columns than this, `rows` does
    int64_t scratch_columns = 0;        // without the scratch; and for ranges, if either is not 0
    int64_t row_block = 1;              // rows of a register tile: chunks are multiples of it
    double pair_cost = 0.2;             // ns per (i, j) pair on one core, roughly
    int64_t workspace = 0;              // bytes that each running call of `rows` has to itself
    bool parts = false;                 // whether `rows` can keep and merge: `Call::parts`
    double part_cost = 0;               // ns that a part costs beside its pairs, roughly
    std::shared_ptr<const FewRows> few = nullptr; // null: `rows` serves any number of rows
    int64_t panel = 0;                  // columns that stay in a cache for many blocks; 0: all
    int64_t most_columns = INT64_MAX;   // N beyond it is refused: lists hold 32-bit column numbers
    std::shared_ptr<const void> code;   // keeps the machine code mapped; may be null
    std::shared_ptr<const DeviceCode> device = nullptr;
};

/// Numbers in `Call::partials`: the widths of the outputs of axis p together.
int64_t partial_width(const Kernel &kernel);

using KernelPtr = std::shared_ptr<const Kernel>;

/// Whether a description makes sense: widths, dtypes, axes, indices, the `empty` value of
/// integers.
Status check(const Kernel &kernel);

} // namespace jaxkeops
