// csrc/cpu/pause.h -- what a thread does while it spins
#pragma once

#include <thread>

namespace jaxkeops {

/// Leaves the core's resources to its other hardware thread for some 40 ns.
inline void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
    asm volatile("yield");
#endif
}

/// Lets another thread have the core.
inline void yield_core() {
    std::this_thread::yield();
}

} // namespace jaxkeops
