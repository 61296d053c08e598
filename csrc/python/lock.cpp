// csrc/python/lock.cpp -- a gate before Python's lock, which closes when Python ends
#include "lock.h"

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <thread>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace jaxkeops {

namespace {

/// Counts the threads that ask for the lock, so that none is asking when Python ends.
class Gate {
  public:
    /// False if the gate is closed; else `pass` must follow when the lock is held.
    bool enter() {
        asking_.fetch_add(1);
        if (!closed_.load())
            return true;
        asking_.fetch_sub(1);
        return false;
    }
    void pass() { asking_.fetch_sub(1); }

    bool is_closed() const { return closed_.load(); }
    void close() { closed_.store(true); }
    bool is_clear() const { return asking_.load() == 0; }
    void forget() { asking_.store(0); }

  private:
    std::atomic<bool> closed_{false};
    std::atomic<long> asking_{0};
};

Gate &gate();

// Those who asked in the parent are not in the child.
void in_child() {
    gate().forget();
}

Gate &gate() {
    static Gate *const it = [] {
#ifndef _WIN32
        pthread_atfork(nullptr, nullptr, in_child);
#endif
        return new Gate;
    }();
    return *it;
}

[[noreturn]] void sleep_for_ever() {
    for (;;)
        std::this_thread::sleep_for(std::chrono::hours(1));
}

} // namespace

Unlocked::Unlocked() {
    if (!gate().is_closed())
        thread_ = PyEval_SaveThread();
}

Unlocked::~Unlocked() {
    if (!thread_)
        return;
    if (!gate().enter())
        sleep_for_ever();
    PyEval_RestoreThread(static_cast<PyThreadState *>(thread_));
    gate().pass();
}

Locked::Locked() {
    if (!gate().enter())
        return;
    state_ = PyGILState_Ensure();
    held_ = true;
    gate().pass();
}

Locked::~Locked() {
    if (held_)
        PyGILState_Release(static_cast<PyGILState_STATE>(state_));
}

void end_python() {
    gate().close();
    PyThreadState *const self = PyEval_SaveThread();
    while (!gate().is_clear())
        std::this_thread::yield();
    PyEval_RestoreThread(self);
}

} // namespace jaxkeops
