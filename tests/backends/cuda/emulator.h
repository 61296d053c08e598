// The machine of texts/prelude.cuh on a CPU: every thread of a block is a fiber of one OS thread.
//
// A fiber runs until it waits for others. Blocks run one after the other, their fibers in an order
// that the caller chooses: what depends on it lacks a barrier. Shared memory is full of NaN at first.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

namespace emulator {

struct Place {
    unsigned x = 0, y = 0;
};
static Place thread, block;

constexpr size_t kSharedBytes = 232448; // what a block of sm_90 may ask for
alignas(128) static unsigned char shared[kSharedBytes];

enum class Wait { no, warp, block, done };

struct Fiber {
    ucontext_t context;
    Wait wait;
    unsigned exchanges; // of its warp, that it took part in
};

constexpr size_t kStackBytes = 256 * 1024;
constexpr unsigned kLanes = 32;

static std::vector<Fiber> fibers;
static std::vector<std::unique_ptr<char[]>> stacks; // kept from launch to launch
// Two slots of each thread, used in turn.
struct alignas(16) Slot {
    unsigned char bytes[32];
};
static std::vector<Slot> exchanged;
static ucontext_t scheduler;
static unsigned current;
static void (*body)(const void *);
static const void *argument;

static void wait_for(Wait what) {
    fibers[current].wait = what;
    swapcontext(&fibers[current].context, &scheduler);
}

static void enter() {
    body(argument);
    wait_for(Wait::done);
}

static void start(unsigned number) {
    Fiber &fiber = fibers[number];
    fiber.wait = Wait::no;
    fiber.exchanges = 0;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks[number].get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    makecontext(&fiber.context, enter, 0);
}

// Lets fibers [first, last) go on if all that are not done wait for `what`.
static bool release(unsigned first, unsigned last, Wait what) {
    bool any = false;
    for (unsigned t = first; t < last; ++t) {
        if (fibers[t].wait != what && fibers[t].wait != Wait::done) return false;
        any |= fibers[t].wait == what;
    }
    for (unsigned t = first; t < last; ++t)
        if (fibers[t].wait == what) fibers[t].wait = Wait::no;
    return any;
}

// Runs one block; false: its threads wait for each other for ever.
static bool run_block(std::vector<unsigned> &order, bool shuffled, std::minstd_rand &random) {
    const unsigned threads = order.size();
    for (unsigned t = 0; t < threads; ++t) start(t);
    for (;;) {
        if (shuffled)
            for (unsigned k = threads; k > 1; --k) std::swap(order[k - 1], order[random() % k]);
        bool moved = false;
        for (unsigned t : order) {
            if (fibers[t].wait != Wait::no) continue;
            current = t;
            thread.x = t;
            swapcontext(&scheduler, &fibers[t].context);
            moved = true;
        }
        for (unsigned warp = 0; warp < threads; warp += kLanes)
            moved |= release(warp, warp + kLanes, Wait::warp);
        moved |= release(0, threads, Wait::block);
        if (!moved) break;
    }
    for (const Fiber &fiber : fibers)
        if (fiber.wait != Wait::done) return false;
    return true;
}

// order: 0 the threads from first to last, 1 from last to first, above that a shuffle of that seed.
// 0: all went well; 1: more shared memory than there is; 2: a deadlock.
template <class Call>
int run(
    void (*kernel)(Call), const void *call, unsigned blocks_x, unsigned blocks_y, unsigned threads,
    size_t shared_bytes, int order) {
    static void (*entry)(Call);
    entry = kernel;
    body = [](const void *given) { entry(*static_cast<const std::remove_const_t<Call> *>(given)); };
    argument = call;
    if (shared_bytes > kSharedBytes) return 1;
    fibers = std::vector<Fiber>(threads);
    while (stacks.size() < threads) stacks.emplace_back(new char[kStackBytes]);
    exchanged.assign(2 * threads, Slot());
    std::vector<unsigned> turns(threads);
    for (unsigned t = 0; t < threads; ++t) turns[t] = order == 1 ? threads - 1 - t : t;
    std::minstd_rand random(order);
    ASAN_POISON_MEMORY_REGION(shared + shared_bytes, kSharedBytes - shared_bytes);
    bool good = true;
    for (block.y = 0; good && block.y < blocks_y; ++block.y)
        for (block.x = 0; good && block.x < blocks_x; ++block.x) {
            std::memset(shared, 0xff, shared_bytes);
            good = run_block(turns, order > 1, random);
        }
    ASAN_UNPOISON_MEMORY_REGION(shared, kSharedBytes);
    return good ? 0 : 2;
}

// The values that all lanes of the warp bring to this point.
template <class Value> struct Exchange {
    static_assert(sizeof(Value) <= sizeof(Slot));
    const Slot *slots;

    explicit Exchange(const Value &value) {
        Fiber &fiber = fibers[current];
        const unsigned warp = current / kLanes * kLanes, threads = fibers.size();
        Slot *own = exchanged.data() + (fiber.exchanges++ % 2) * threads + warp;
        std::memcpy(own[current - warp].bytes, &value, sizeof value);
        wait_for(Wait::warp);
        slots = own;
    }
    Value operator[](unsigned lane) const {
        Value value;
        std::memcpy(&value, slots[lane].bytes, sizeof value);
        return value;
    }
};

} // namespace emulator

#define DEVICE inline
#define KERNEL(threads, blocks) inline void
#define ARGUMENT const
#define SHARED_MEMORY(name) unsigned char *name = emulator::shared
// Two entries: for tests, and in the form in which a fake driver calls kernels.
#define EXPORT(kernel, function)                                                                 \
    extern "C" __attribute__((visibility("default"))) int kernel##_##function(                    \
        const void *call, unsigned x, unsigned y, unsigned threads, size_t shared, int order) {   \
        return emulator::run(kernel::function, call, x, y, threads, shared, order);               \
    }                                                                                             \
    extern "C" __attribute__((visibility("default"))) void kernel##_##function##_launched(        \
        const unsigned *grid, const unsigned *block, unsigned shared, const void *call) {         \
        if (emulator::run(kernel::function, call, grid[0], grid[1], block[0], shared, 0)) abort(); \
    }

#define threadIdx emulator::thread
#define blockIdx emulator::block

typedef long long Index;

inline void __syncthreads() { emulator::wait_for(emulator::Wait::block); }

template <class Real> inline Real from_lane(Real value, int mask) {
    const unsigned lane = emulator::current % emulator::kLanes;
    return emulator::Exchange<Real>(value)[lane ^ mask];
}
inline bool any_thread(bool condition) {
    static bool any = false;
    __syncthreads();
    any |= condition;
    __syncthreads();
    const bool found = any;
    __syncthreads();
    any = false;
    return found;
}
inline int late_zero() { return 0; }
inline void together() { emulator::wait_for(emulator::Wait::warp); }
inline bool any_lane(bool condition) {
    const emulator::Exchange<bool> all(condition);
    for (unsigned lane = 0; lane < emulator::kLanes; ++lane)
        if (all[lane]) return true;
    return false;
}

template <class T> inline T read_only(const T *address) { return *address; }

namespace math {

template <class Real> struct alignas(16) Quad {
    Real x, y, z, w;
};
template <class Real> struct alignas(2 * sizeof(Real)) Pair {
    Real x, y;
};

template <class Real> Real infinity(Real) { return std::numeric_limits<Real>::infinity(); }
template <class Real> Real nan(Real) { return std::numeric_limits<Real>::quiet_NaN(); }
template <class Real> Real least(Real a, Real b) { return std::fmin(a, b); }
template <class Real> Real greatest(Real a, Real b) { return std::fmax(a, b); }
template <class Real> Real nearest(Real a) { return std::rint(a); }
template <class Real> Real div(Real a, Real b) { return a / b; }
template <class Real> Real rsqrt(Real a) { return 1 / std::sqrt(a); }
using std::abs, std::sqrt, std::fma, std::floor, std::round, std::exp, std::log;
using std::sin, std::cos, std::asin, std::acos, std::atan, std::atan2, std::pow, std::tanh;
inline float exp2(float a) { return std::exp2(a); }

inline long long double_bits(double a) {
    long long found;
    std::memcpy(&found, &a, sizeof found);
    return found;
}
inline int high_word(double a) { return static_cast<int>(double_bits(a) >> 32); }
inline int low_word(double a) { return static_cast<int>(double_bits(a)); }
inline double from_words(int high, int low) {
    const unsigned long long bits =
        static_cast<unsigned long long>(static_cast<unsigned>(high)) << 32 |
        static_cast<unsigned>(low);
    double found;
    std::memcpy(&found, &bits, sizeof found);
    return found;
}
inline unsigned bits(float a) {
    unsigned found;
    std::memcpy(&found, &a, sizeof found);
    return found;
}
inline float from_bits(unsigned a) {
    float found;
    std::memcpy(&found, &a, sizeof found);
    return found;
}
inline float from_float16(unsigned short stored) {
    _Float16 half;
    std::memcpy(&half, &stored, sizeof half);
    return half;
}
inline unsigned short to_float16(float number) {
    const _Float16 half = number;
    unsigned short stored;
    std::memcpy(&stored, &half, sizeof half);
    return stored;
}

inline unsigned two_float16(float first, float second) {
    return to_float16(first) | static_cast<unsigned>(to_float16(second)) << 16;
}
inline Pair<float> from_two_float16(unsigned both) {
    return {from_float16(both), from_float16(both >> 16)};
}

} // namespace math

#ifdef NO_MATRIX_UNITS
constexpr bool MATRIX_UNITS = false;
#else
constexpr bool MATRIX_UNITS = true;
#endif

namespace emulator {

// The sum of a number and eight products as sm_80 gives it: digits more than one place behind those of
// the greatest are cut off, of all nine, and so is the result. After Fasi, Higham, Mikaitis and Pranesh
// 2021, Numerical behavior of NVIDIA tensor cores; later machines keep more.
inline float sum_with_products(float sum, const float *a, const float *b) {
    double terms[9] = {sum}, exact = sum, greatest = std::fabs(sum);
    for (int k = 0; k < 8; ++k) {
        terms[k + 1] = static_cast<double>(a[k]) * b[k];
        exact += terms[k + 1];
        greatest = std::fmax(greatest, std::fabs(terms[k + 1]));
    }
    if (!std::isfinite(exact) || greatest == 0) return static_cast<float>(exact);
    const double unit = std::ldexp(1.0, std::ilogb(greatest) - 24);
    double total = 0;
    for (double term : terms) total += std::trunc(term / unit) * unit;
    const float rounded = static_cast<float>(total);
    return std::fabs(static_cast<double>(rounded)) > std::fabs(total) ? std::nextafter(rounded, 0.0f)
                                                                      : rounded;
}

} // namespace emulator

inline void multiply_add(
    float *sum, const unsigned *a, const unsigned *b, const float *added) {
    struct Words {
        unsigned a[4], b[2];
    };
    const emulator::Exchange<Words> all(Words{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
    const unsigned lane = emulator::current % emulator::kLanes;
    for (unsigned k = 0; k < 4; ++k) {
        const unsigned row = lane / 4 + 8 * (k / 2), column = lane % 4 * 2 + k % 2;
        for (unsigned half = 0; half < 2; ++half) {
            float as[8], bs[8];
            for (unsigned t = 0; t < 4; ++t) {
                const auto two = math::from_two_float16(all[row % 8 * 4 + t].a[row / 8 + 2 * half]);
                const auto other = math::from_two_float16(all[column * 4 + t].b[half]);
                as[2 * t] = two.x, as[2 * t + 1] = two.y;
                bs[2 * t] = other.x, bs[2 * t + 1] = other.y;
            }
            sum[k] = emulator::sum_with_products(half ? sum[k] : added[k], as, bs);
        }
    }
}

inline void multiply_add_halves(
    float *sum, const unsigned *a, const unsigned *b, const float *added) {
    struct Words {
        unsigned a[4], b[2];
    };
    const emulator::Exchange<Words> all(Words{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
    const unsigned lane = emulator::current % emulator::kLanes;
    const auto read = [](unsigned word) { return math::from_bits(word & ~0x1fffu); };
    for (unsigned k = 0; k < 4; ++k) {
        const unsigned row = lane / 4 + 8 * (k / 2), column = lane % 4 * 2 + k % 2;
        float as[8], bs[8];
        for (unsigned t = 0; t < 8; ++t) {
            as[t] = read(all[row % 8 * 4 + t % 4].a[row / 8 + 2 * (t / 4)]);
            bs[t] = read(all[column * 4 + t % 4].b[t / 4]);
        }
        sum[k] = emulator::sum_with_products(added[k], as, bs);
    }
}

inline void load_matrices(unsigned *words, const void *row) {
    if (reinterpret_cast<std::uintptr_t>(row) % 16) abort();
    struct Row {
        unsigned words[4];
    };
    // Read before the lanes meet: what another thread puts there must be there by a barrier.
    const emulator::Exchange<Row> rows(*static_cast<const Row *>(row));
    const unsigned lane = emulator::current % emulator::kLanes;
    for (unsigned matrix = 0; matrix < 4; ++matrix)
        words[matrix] = rows[matrix * 8 + lane / 4].words[lane % 4];
}
