// tests/cpp/fake_world.h -- what the fake driver is made of
#pragma once

#include "fake_cuda.h"

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

struct CUctx_st {
    int device;
    bool is_retained;
};
struct CUmod_st {
    CUctx_st *context;
    std::string label;
};
struct CUfunc_st {
    CUctx_st *context;
    std::string name;
    FakeKernel kernel;
    size_t parameter_bytes;
    int shared_bytes;
    int granted; // dynamic shared memory
};
struct CUstream_st {
    CUctx_st *context;
};

namespace fake {

enum : int {
    ok = 0,
    invalid_value = 1,
    out_of_memory = 2,
    not_initialized = 3,
    no_device = 100,
    invalid_device = 101,
    invalid_image = 200,
    invalid_context = 201,
    no_binary_for_gpu = 209,
    invalid_handle = 400,
    not_found = 500,
    capture_unsupported = 900,
};

struct Gpu {
    const char *name;
    int architecture, multiprocessors, shared_bytes, has_pools;
};
inline constexpr Gpu kGpus[] = {{"Fake H200", 90, 132, 232448, 1},
                                {"Fake A100", 80, 108, 166912, 0}};
inline constexpr int kDefaultShared = 49152;

struct Registered {
    FakeKernel kernel;
    size_t parameter_bytes;
    int shared_bytes;
};

struct Node {
    CUfunc_st *function;
    unsigned grid[3], block[3], shared_bytes;
    std::string parameter;
};

struct World {
    std::mutex mutex;
    bool is_initialized = false;
    bool is_lost = false; // in a child of the process that started the driver
    CUctx_st contexts[2] = {{0, false}, {1, false}};
    std::map<std::string, Registered> kernels;
    std::map<std::string, int, std::less<>> failures;
    std::map<char *, size_t> memory;
    std::deque<CUmod_st> modules;
    std::deque<CUfunc_st> functions;
    std::deque<CUstream_st> streams;
    std::vector<Node> nodes;
    CUstream_st *captured = nullptr;
    bool is_broken = false;
    FakeCounts counts{};
};

using Lock = std::lock_guard<std::mutex>;

World &world();

/// The thread's current context, or null.
CUctx_st *current();

/// The failure that was ordered for this call, or that the driver was not started.
int begin(const char *entry_point);

/// What waits, allocates or loads may not be called while a stream is captured.
int forbidden_in_capture();

/// Whether the stream is of the current context.
bool suits(CUstream_st *stream);

} // namespace fake

#define BEGIN(name)                                                                                \
    const Lock lock(world().mutex);                                                                \
    if (const int result = begin(name))                                                            \
        return result;
