// tests/cpp/workers.h -- pools of every temper: blocked, eager, inline, failing
#pragma once

#include "../../csrc/cpu/launch.h"

#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace samples {

using namespace jaxkeops;

/// Says it has threads, and never runs anything: a pool whose threads are all blocked.
class BlockedWorkers : public Workers {
  public:
    explicit BlockedWorkers(int64_t threads) : threads_(threads) {}
    int64_t threads() override { return threads_; }
    void schedule(const std::shared_ptr<Job> &job, int64_t helpers) override {
        asked += helpers;
        jobs.push_back(job);
    }

    std::vector<std::shared_ptr<Job>> jobs;
    int64_t asked = 0;

  private:
    int64_t threads_;
};

/// Gives each request a thread of its own, at once.
class EagerWorkers final : public Workers {
  public:
    explicit EagerWorkers(int64_t threads) : threads_(threads) {}
    ~EagerWorkers() override {
        for (std::thread &thread : running_)
            thread.join();
    }
    int64_t threads() override { return threads_; }
    void schedule(const std::shared_ptr<Job> &job, int64_t helpers) override {
        for (int64_t k = 0; k < helpers; ++k)
            running_.emplace_back([job] { job->help(); });
    }

  private:
    int64_t threads_;
    std::vector<std::thread> running_;
};

/// Runs every request in the caller, before the caller itself starts.
class InlineWorkers final : public BlockedWorkers {
  public:
    using BlockedWorkers::BlockedWorkers;
    void schedule(const std::shared_ptr<Job> &job, int64_t helpers) override {
        for (int64_t k = 0; k < helpers; ++k)
            job->help();
    }
};

class ThrowingWorkers final : public BlockedWorkers {
  public:
    using BlockedWorkers::BlockedWorkers;
    void schedule(const std::shared_ptr<Job> &job, int64_t) override {
        BlockedWorkers::schedule(job, 1);
        throw std::bad_alloc();
    }
};

} // namespace samples
