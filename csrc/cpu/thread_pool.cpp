// csrc/cpu/thread_pool.cpp -- worker threads, their queue, and what a fork does to them
#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

namespace jaxkeops {

namespace {

/// Cores of the affinity mask: a container or `taskset` may leave us fewer than the machine has.
int64_t count_cores() {
#ifdef __linux__
    // 8192 cores; a mask of the default 1024 makes the call fail on larger machines.
    for (int most = 1024; most <= 8192; most *= 2) {
        cpu_set_t *const mask = CPU_ALLOC(most);
        if (!mask)
            break;
        const size_t bytes = CPU_ALLOC_SIZE(most);
        const int found = sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
        CPU_FREE(mask);
        if (found > 0)
            return found;
    }
#endif
    return std::max<int64_t>(1, std::thread::hardware_concurrency());
}

std::atomic<int64_t> &chosen_threads() {
    static std::atomic<int64_t> count{0}; // 0: the cores decide
    return count;
}

/// Never destroyed: its threads may be anywhere when the process exits.
std::atomic<ThreadPool *> &current() {
    static std::atomic<ThreadPool *> pool{nullptr};
    return pool;
}

// The parent's pool stays in the child's memory, unused: its lock may be held for ever.
void forget_pool() {
    current().store(nullptr);
}

/// While it lives, new threads inherit a mask without signals: those belong to Python's thread.
class SignalsBlocked {
  public:
#ifdef _WIN32
    SignalsBlocked() {}
#else
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
#endif
};

} // namespace

int64_t num_threads() {
    static const int64_t cores = count_cores();
    const int64_t chosen = chosen_threads().load(std::memory_order_relaxed);
    return chosen ? chosen : cores;
}

void set_num_threads(int64_t count) {
    chosen_threads().store(std::max<int64_t>(1, count));
}

ThreadPool &ThreadPool::instance() {
#ifndef _WIN32
    static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
    static_cast<void>(registered);
#endif
    ThreadPool *pool = current().load(std::memory_order_acquire);
    if (pool)
        return *pool;
    auto *const made = new ThreadPool;
    if (current().compare_exchange_strong(pool, made))
        return *made;
    delete made; // another thread was first
    return *pool;
}

void ThreadPool::schedule(const std::shared_ptr<Job> &job, int64_t helpers) {
    if (helpers < 1)
        return;
    {
        std::lock_guard lock(mutex_);
        requests_.push_back({job, helpers});
        start(helpers);
    }
    for (int64_t k = 0; k < helpers; ++k)
        condition_.notify_one();
}

void ThreadPool::withdraw(const Job &job) noexcept {
    std::shared_ptr<Job> dropped; // dies after the lock is given back
    std::lock_guard lock(mutex_);
    const auto found = std::find_if(requests_.begin(), requests_.end(),
                                    [&](const Request &r) { return r.job.get() == &job; });
    if (found == requests_.end())
        return;
    dropped = std::move(found->job);
    requests_.erase(found);
}

void ThreadPool::start(int64_t workers) {
    const SignalsBlocked blocked;
    try {
        while (workers_ < workers) {
            std::thread([this] { serve(); }).detach();
            ++workers_;
        }
    } catch (const std::system_error &) {
        // The system gives no more threads: those that we have will do.
    }
}

std::shared_ptr<Job> ThreadPool::next() {
    std::unique_lock lock(mutex_);
    // No spinning before the sleep: measured on two busy cores, it gained nothing and cost 10 %.
    condition_.wait(lock, [this] { return !requests_.empty(); });
    Request &request = requests_.front();
    std::shared_ptr<Job> job = request.job;
    if (--request.helpers == 0)
        requests_.pop_front();
    return job;
}

void ThreadPool::serve() {
    for (;;)
        next()->help();
}

} // namespace jaxkeops
