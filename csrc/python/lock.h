// csrc/python/lock.h -- letting go of Python's lock and taking it, safely while Python ends
#pragma once

namespace jaxkeops {

/// While it lives, the calling thread does not hold Python's lock.
///
/// A thread that asks for the lock while Python ends is unwound by Python from inside (before
/// 3.14), through frames that may not be unwound: the process would abort. So a thread that comes
/// back after `end_python` sleeps until the process is gone. Once Python is ending the lock is
/// kept: the thread that ends it must not fall asleep.
class Unlocked {
  public:
    Unlocked();
    ~Unlocked();
    Unlocked(const Unlocked &) = delete;
    Unlocked &operator=(const Unlocked &) = delete;

  private:
    void *thread_ = nullptr; // PyThreadState
};

/// While it lives, the calling thread, Python's or not, holds the lock, unless Python is ending.
class Locked {
  public:
    Locked();
    ~Locked();
    Locked(const Locked &) = delete;
    Locked &operator=(const Locked &) = delete;

    bool is_held() const { return held_; }

  private:
    bool held_ = false;
    int state_ = 0; // PyGILState_STATE
};

/// To be called once, by Python's atexit, with the lock held: lets those in who are already asking.
void end_python();

} // namespace jaxkeops
