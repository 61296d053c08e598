// csrc/cpu/thread_pool.h -- our own helpers, for callers that bring no pool (NumPy, PyTorch)
#pragma once

#include "launch.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

namespace jaxkeops {

/// How many threads work on one call, the caller among them: what `set_num_threads` said, else
/// the number of cores this process may run on.
int64_t num_threads();

/// From the next call on; `count` is at least 1. Threads already started stay, asleep.
void set_num_threads(int64_t count);

/// Sleeping threads that help with the jobs of any number of callers. Started at first need.
class ThreadPool final : public Workers {
  public:
    /// The pool of this process. A forked child gets a new one, for it inherits no threads.
    static ThreadPool &instance();

    int64_t threads() override { return num_threads(); }
    void schedule(const std::shared_ptr<Job> &job, int64_t helpers) override;
    void withdraw(const Job &job) noexcept override;

  private:
    struct Request {
        std::shared_ptr<Job> job;
        int64_t helpers; // still wanted
    };

    ThreadPool() = default;
    void start(int64_t workers);
    void serve();
    std::shared_ptr<Job> next();

    std::mutex mutex_;
    std::condition_variable condition_;
    std::deque<Request> requests_; // at most one per caller
    int64_t workers_ = 0;
};

} // namespace jaxkeops
