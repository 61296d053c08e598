// csrc/cpu/thread_memory.h -- what a thread that works on a job has to itself
#pragma once

#include "../core/aligned_memory.h"
#include "../core/problem.h"
#include "partials.h"

#include <cstddef>
#include <cstdint>

namespace jaxkeops {

/// Blocks of rows for which a panel of columns is loaded once. Each repeats what it does before its
/// columns for every panel, and has a workspace.
inline constexpr int64_t kPanelBlocks = 16;

/// Whether columns are so many that they would be loaded anew for each block of rows.
inline bool in_panels(const Problem &problem) {
    const int64_t panel = problem.kernel().panel;
    return panel && !problem.ranges() && problem.N() > panel;
}

/// How much of it a job needs: asked before a problem is touched that may be gone.
struct ThreadNeeds {
    /// `in_parts`: calls work in the parts that they keep or merge.
    ThreadNeeds(const Problem &problem, bool in_parts)
        : inputs(problem.kernel().inputs.size()), outputs(problem.kernel().outputs.size()),
          blocks(in_panels(problem) ? kPanelBlocks : 1),
          workspace(in_parts ? 0 : problem.kernel().workspace),
          partials(partial_width(problem.kernel())) {}

    size_t inputs, outputs;
    int64_t blocks;    // of rows that go through a panel of columns together
    int64_t workspace; // bytes of a block
    int64_t partials;  // numbers
};

/// Addresses, workspace and partial sums, used again from item to item.
class ThreadMemory {
  public:
    /// Throws std::bad_alloc.
    explicit ThreadMemory(const ThreadNeeds &needs)
        : addresses(needs.inputs, needs.outputs), needs_(needs) {}

    /// False if there is no memory for the workspace and the sums.
    [[nodiscard]] bool allocate() noexcept {
        if (needs_.workspace == 0 && needs_.partials == 0)
            return true;
        constexpr double kNumbers = 2 + ColumnSums::kNumbers;
        const double estimate = static_cast<double>(needs_.workspace) * needs_.blocks +
                                static_cast<double>(needs_.partials) * kNumbers * sizeof(double);
        if (estimate > 0x1p61)
            return false;
        workspace_bytes_ = AlignedMemory::round_up(needs_.workspace * needs_.blocks);
        return memory_.allocate(workspace_bytes_ + needs_.partials * (2 + ColumnSums::kNumbers) *
                                                       static_cast<int64_t>(sizeof(double)));
    }

    /// At least `Kernel::workspace` bytes for each block; null if that is 0.
    void *workspace(int64_t block = 0) const {
        return needs_.workspace ? memory_.data() + block * needs_.workspace : nullptr;
    }

    /// Where the sums of an item go, or null without outputs of axis p.
    double *item_partials() const { return numbers(0); }

    /// Where those of one call go, if an item takes several.
    double *call_partials() const { return numbers(1); }
    ColumnSums sums() const { return {numbers(2), needs_.partials}; }

    Addresses addresses;

  private:
    double *numbers(int64_t row) const {
        if (needs_.partials == 0)
            return nullptr;
        return reinterpret_cast<double *>(memory_.data() + workspace_bytes_) +
               row * needs_.partials;
    }

    const ThreadNeeds needs_;
    AlignedMemory memory_;
    int64_t workspace_bytes_ = 0;
};

} // namespace jaxkeops
