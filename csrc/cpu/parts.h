// csrc/cpu/parts.h -- what calls keep of the columns that they reduced over
#pragma once

#include "../core/aligned_memory.h"
#include "../core/problem.h"
#include "../core/status.h"
#include "cut.h"

#include <cstdint>

namespace jaxkeops {

/// Memory of all parts of a launch, those of one block of rows side by side.
///
/// Nothing is written to it here: its pages come to be near the threads that fill the parts.
class Parts {
  public:
    /// Room for every item of `parts`, if it has any.
    Status allocate(const Problem &problem, const Cut &parts);

    /// Where part `part` of block `block` is kept: a multiple of 64. Null without parts.
    void *at(int64_t block, int64_t part) const {
        return memory_.data() ? memory_.data() + (block * parts_ + part) * stride_ : nullptr;
    }

  private:
    AlignedMemory memory_;
    int64_t stride_ = 0; // bytes
    int64_t parts_ = 0;  // of a block
};

} // namespace jaxkeops
