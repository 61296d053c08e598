// csrc/cuda/batch.cpp -- joins batch axes
#include "batch.h"

#include <algorithm>

namespace jaxkeops::cuda {

Batch::Batch(const Problem &problem) : most_(problem.batch_rank()) {
    const std::vector<Input> &inputs = problem.kernel().inputs;
    extents_.reset(most_);
    strides_.reset(most_ * inputs.size());
    // Found from the last axis to the first, and turned round at the end.
    for (size_t axis = most_; axis-- > 0;) {
        const int64_t extent = problem.batch_extent(axis);
        if (extent == 1)
            continue;
        bool joins = rank_ > 0;
        for (size_t k = 0; joins && k < inputs.size(); ++k)
            joins = inputs[k].width == 0 ||
                    problem.stride(k, axis) == stride(k, rank_ - 1) * extents_[rank_ - 1];
        if (joins) {
            extents_[rank_ - 1] *= extent;
            continue;
        }
        extents_[rank_] = extent;
        for (size_t k = 0; k < inputs.size(); ++k)
            strides_[k * most_ + rank_] = problem.stride(k, axis);
        ++rank_;
    }
    std::reverse(extents_.begin(), extents_.begin() + rank_);
    for (size_t k = 0; k < inputs.size(); ++k)
        std::reverse(strides_.begin() + k * most_, strides_.begin() + k * most_ + rank_);
}

int64_t Batch::product(size_t begin, size_t end) const {
    int64_t product = 1;
    for (size_t axis = begin; axis < end; ++axis)
        product *= extents_[axis];
    return product;
}

} // namespace jaxkeops::cuda
