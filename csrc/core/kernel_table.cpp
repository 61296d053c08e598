// csrc/core/kernel_table.cpp -- find, publish, and compilation by one thread per key
#include "kernel_table.h"

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace jaxkeops {

namespace {

/// One compilation under way, and those who wait for it.
class Flight {
  public:
    void land(const Compiled &result) {
        {
            std::lock_guard lock(mutex_);
            result_ = result;
            landed_ = true;
        }
        condition_.notify_all();
    }

    Compiled wait() {
        std::unique_lock lock(mutex_);
        condition_.wait(lock, [this] { return landed_; });
        return result_;
    }

    bool is_mine() const { return pilot_ == std::this_thread::get_id(); }

  private:
    const std::thread::id pilot_ = std::this_thread::get_id();
    std::mutex mutex_;
    std::condition_variable condition_;
    bool landed_ = false;
    Compiled result_;
};

using Flights = std::map<std::string, std::shared_ptr<Flight>, std::less<>>;

struct Table {
    // Held for look-ups only, never while other code runs: it is safe to take with Python's lock.
    std::mutex mutex;
    std::map<std::string, KernelPtr, std::less<>> kernels;
    Flights flights;
    std::shared_ptr<const CompileHook> hook = std::make_shared<const CompileHook>();
};

Table &table();

// A forked child has no thread but the one that forked: compilations of the others never end
// there. Their records are dropped, and left in memory because nobody can unlock them.
void before_fork() {
    table().mutex.lock();
}
void in_parent() {
    table().mutex.unlock();
}
void in_child() {
    new Flights(std::move(table().flights));
    table().flights.clear();
    table().mutex.unlock();
}

/// Never destroyed: XLA may run and release kernels while the process exits.
Table &table() {
    static Table *const it = [] {
        auto *made = new Table;
#ifndef _WIN32
        pthread_atfork(before_fork, in_parent, in_child);
#endif
        return made;
    }();
    return *it;
}

Compiled fail(std::string text) {
    return {nullptr, std::move(text), nullptr};
}

Compiled compile(const CompileHook &hook, const std::string &key, const std::string &text) {
    if (!hook)
        return fail("kernel '" + key +
                    "' is not loaded, and this process has no compiler: import jaxkeops first");
    try {
        Compiled result = hook(key, text);
        if (!result.kernel && result.failure.empty())
            result.failure = "the compiler gave no kernel for '" + key + "'";
        return result;
    } catch (const std::exception &error) {
        return fail(error.what());
    }
}

} // namespace

void set_compile_hook(CompileHook hook) {
    auto next = std::make_shared<const CompileHook>(std::move(hook));
    std::lock_guard lock(table().mutex);
    table().hook.swap(next); // the old hook dies after the lock is given back
}

KernelPtr find(std::string_view key) {
    Table &t = table();
    std::lock_guard lock(t.mutex);
    const auto found = t.kernels.find(key);
    return found == t.kernels.end() ? nullptr : found->second;
}

KernelPtr publish(std::string_view key, KernelPtr kernel) {
    Table &t = table();
    std::lock_guard lock(t.mutex);
    return t.kernels.try_emplace(std::string(key), std::move(kernel)).first->second;
}

Compiled find_or_compile(std::string_view key, std::string_view text) {
    Table &t = table();
    std::shared_ptr<Flight> flight;
    std::shared_ptr<const CompileHook> hook;
    const std::string name(key), program(text); // here: nothing may throw once a flight is up
    {
        std::unique_lock lock(t.mutex);
        if (const auto found = t.kernels.find(key); found != t.kernels.end())
            return {found->second, {}, nullptr};
        std::shared_ptr<Flight> &slot = t.flights[name];
        if (slot) {
            flight = slot;
            lock.unlock();
            if (flight->is_mine())
                return fail("compiling kernel '" + name + "' asked for the same kernel");
            return flight->wait();
        }
        flight = slot = std::make_shared<Flight>();
        hook = t.hook;
    }
    Compiled result = compile(*hook, name, program);
    {
        std::lock_guard lock(t.mutex);
        if (result.kernel)
            result.kernel = t.kernels.try_emplace(name, std::move(result.kernel)).first->second;
        t.flights.erase(name);
    }
    flight->land(result);
    return result;
}

Status complete(const Kernel &kernel, int64_t M) {
    const FewRows *few = kernel.few.get();
    if (!few || M > few->most || few->rows.load())
        return Status::ok();
    const Compiled compiled = find_or_compile(few->key, few->text);
    if (!compiled.kernel)
        return Status::failed(compiled.failure, compiled.cause);
    few->rows.store(compiled.kernel->rows); // the table keeps the code
    return Status::ok();
}

} // namespace jaxkeops
