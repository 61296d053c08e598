// csrc/cpu/job.h -- a problem cut into chunks that any thread may claim, at any time, or never
#pragma once

#include "../core/aligned_memory.h"
#include "../core/problem.h"
#include "cut.h"
#include "partials.h"
#include "parts.h"
#include "thread_memory.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace jaxkeops {

/// Items 0 .. items-1, handed out once each in groups, and counted when done.
class Phase {
  public:
    /// `items` and `group` times the number of threads must fit together in int64.
    Phase(int64_t items, int64_t group) : items_(items), group_(group), left_(items) {}

    int64_t items() const { return items_; }
    int64_t claims() const { return (items_ + group_ - 1) / group_; }
    bool is_claimed() const { return next_.load(std::memory_order_relaxed) >= items_; }

    /// The next group of items, or false if all are handed out.
    bool claim(int64_t &begin, int64_t &end);

    /// Says that `count` claimed items are done; what they wrote is seen by those who `wait`.
    void finish(int64_t count);

    /// Returns when all items are done. Only waits for items that a thread is working on, so it
    /// must be called when all are claimed; then no thread can wait for one that never starts.
    void wait();

  private:
    const int64_t items_;
    const int64_t group_;
    alignas(64) std::atomic<int64_t> next_{0};
    alignas(64) std::atomic<int64_t> left_;
    std::mutex mutex_;
    std::condition_variable condition_;
};

/// The scratch of all columns, aligned for vectors.
class Scratch {
  public:
    /// Room for every scratch of `problem`; needs N > 0.
    Status allocate(const Problem &problem);
    void *at(int64_t scratch) const {
        return memory_.data() ? memory_.data() + scratch * stride_ : nullptr;
    }

  private:
    AlignedMemory memory_;
    int64_t stride_ = 0; // bytes
};

/// What the threads of a job write to, beside the outputs.
struct SharedMemory {
    Scratch scratch;
    Parts parts;
    Partials partials;
};

/// One launch. Lives on the heap, shared by the caller and its helpers.
///
/// The caller can finish the job alone, and returns when every claimed chunk is done: a helper
/// that starts later finds nothing to claim and touches only the job, not the problem's arrays,
/// which may be gone. Hence no pool, however busy, can block the caller.
class Job {
  public:
    /// `memory` has been allocated for these `cuts`, those of the problem.
    Job(const Problem &problem, const SharedMemory &memory, const Cuts &cuts);

    /// The caller's share: returns when the problem is solved. `memory` has been allocated.
    void run(ThreadMemory &memory);

    /// A helper's share, on any thread; never throws.
    void help() noexcept;

    /// So many threads could work at once.
    int64_t claims() const {
        return std::max({columns_.claims(), parts_.claims(), rows_.claims()});
    }

  private:
    void work(ThreadMemory &memory);
    void fill_columns(int64_t item, Addresses &addresses) const;
    void fill_part(int64_t item, Addresses &addresses) const;
    void fill_rows(int64_t item, ThreadMemory &memory) const;
    void fill_panels(Call &call, int64_t begin, int64_t end, const ThreadMemory &memory) const;
    void fill_run(int64_t item, Call &call, const ThreadMemory &memory) const;

    const Problem *problem_;     // the caller's: to be touched only after a claim
    const SharedMemory *memory_; // likewise
    const Cuts *cuts_;           // likewise
    const ThreadNeeds needs_;
    Phase columns_;
    Phase parts_;
    Phase rows_;
};

} // namespace jaxkeops
