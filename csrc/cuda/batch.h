// csrc/cuda/batch.h -- the batch axes of a problem, as few of them as can be
#pragma once

#include "../core/problem.h"
#include "../core/small_array.h"
#include "call.h"

#include <cstddef>
#include <cstdint>

namespace jaxkeops::cuda {

/// The batch axes that are left when axes of extent 1 are dropped, and axes that lie behind each
/// other in all inputs are joined: most batches have one. The last axis is the fastest.
class Batch {
  public:
    /// Throws std::bad_alloc.
    explicit Batch(const Problem &problem);

    size_t rank() const { return rank_; }
    int64_t extent(size_t axis) const { return extents_[axis]; }

    /// In bytes; 0 where input `k` is repeated.
    int64_t stride(size_t k, size_t axis) const { return strides_[k * most_ + axis]; }

    /// How many of the axes, the last ones, a launch can take; the others are its caller's to walk.
    size_t inner_rank() const { return rank_ < kBatchAxes ? rank_ : kBatchAxes; }

    /// Batch elements of a launch, and how many launches that makes.
    int64_t elements() const { return product(rank_ - inner_rank(), rank_); }
    int64_t launches() const { return product(0, rank_ - inner_rank()); }

  private:
    int64_t product(size_t begin, size_t end) const;

    size_t rank_ = 0;
    size_t most_; // axes of the problem
    SmallArray<int64_t, 8> extents_;
    SmallArray<int64_t, 64> strides_;
};

} // namespace jaxkeops::cuda
