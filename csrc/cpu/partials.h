// csrc/cpu/partials.h -- sums over the kept rows, the same whichever threads did which rows
#pragma once

#include "../core/aligned_memory.h"
#include "../core/problem.h"
#include "../core/status.h"
#include "cut.h"

#include <cstdint>

namespace jaxkeops {

/// Sums of `width` columns, with what rounding took from each: Knuth's two-sum, TAOCP 2, 4.2.2.
///
/// An infinite sum stays what plain summation makes of it.
class ColumnSums {
  public:
    static constexpr int64_t kNumbers = 2; // of memory, per column

    ColumnSums(double *memory, int64_t width)
        : sums_(memory), errors_(memory + width), width_(width) {}

    void clear();
    void add(const double *terms);
    void write(double *totals) const;

  private:
    double *sums_;
    double *errors_;
    int64_t width_;
};

/// What `rows` wrote of the outputs of axis p, item by item, where an element has several.
class Partials {
  public:
    /// Room for every item of `rows`; none if the kernel has no outputs of axis p, or if each
    /// batch element is one item, whose sums can be written at once.
    Status allocate(const Problem &problem, const Cut &rows);

    /// The numbers of an item, or null if there is no room for them.
    double *at(int64_t item) const {
        return memory_.data() ? reinterpret_cast<double *>(memory_.data() + item * stride_)
                              : nullptr;
    }

    /// Adds the items of each batch element up, in order, and writes the outputs of axis p.
    void write_totals(const Problem &problem) const;

  private:
    AlignedMemory memory_;
    int64_t stride_ = 0; // bytes: whole cache lines, so that threads do not share one
    int64_t items_ = 0;
    int64_t chunks_ = 0; // items of a batch element
};

} // namespace jaxkeops
