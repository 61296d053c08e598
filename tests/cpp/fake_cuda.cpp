// tests/cpp/fake_cuda.cpp -- a libcuda.so.1 with two GPUs that are memory of the host
//
// Stricter than the real one: a stream that does not belong to the current context, memory that is
// not its own, and calls before cuInit are errors. FAKE_CUDA_DEVICES and FAKE_CUDA_VERSION change
// the number of devices and the version.
#include "fake_cuda.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
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
    std::string image;
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

namespace {

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
constexpr Gpu kGpus[] = {{"Fake H200", 90, 132, 232448, 1}, {"Fake A100", 80, 108, 166912, 0}};
constexpr int kDefaultShared = 49152;

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
    CUctx_st contexts[2] = {{0, false}, {1, false}};
    std::map<std::string, Registered> kernels;
    std::map<std::string, int> failures;
    std::map<char *, size_t> memory;
    std::vector<Node> nodes;
    CUstream_st *captured = nullptr;
    bool is_broken = false;
    FakeCounts counts{};
};

World &world() {
    static World *const it = new World;
    return *it;
}

using Lock = std::lock_guard<std::mutex>;

thread_local std::vector<CUctx_st *> stack;
thread_local int capture_mode = 0; // global

int number(const char *variable, int otherwise) {
    const char *const text = std::getenv(variable);
    return text ? std::atoi(text) : otherwise;
}

int device_count() {
    return number("FAKE_CUDA_DEVICES", 2);
}

CUctx_st *current() {
    return stack.empty() ? nullptr : stack.back();
}

/// The failure that was ordered for this call, or that the driver was not started.
int begin(const char *entry_point) {
    World &w = world();
    const auto ordered = w.failures.find(entry_point);
    if (ordered != w.failures.end()) {
        const int result = ordered->second;
        w.failures.erase(ordered);
        return result;
    }
    return w.is_initialized ? ok : not_initialized;
}

/// What waits, allocates or loads may not be called while a stream is captured.
int forbidden_in_capture() {
    World &w = world();
    if (!w.captured || capture_mode == 2)
        return ok;
    w.is_broken = true;
    return capture_unsupported;
}

/// The allocation that holds all of these bytes.
bool is_allocated(unsigned long long address, size_t bytes) {
    char *const start = reinterpret_cast<char *>(address);
    for (const auto &[first, size] : world().memory)
        if (start >= first && start + bytes <= first + size)
            return true;
    return false;
}

bool suits(CUstream_st *stream) {
    const auto special = reinterpret_cast<uintptr_t>(stream) <= 2;
    return current() && (special || stream->context == current());
}

int allocate(unsigned long long *address, size_t bytes) {
    World &w = world();
    if (bytes == 0 || !current())
        return invalid_value;
    if (bytes > (size_t{1} << 40))
        return out_of_memory;
    char *const data = static_cast<char *>(std::malloc(bytes));
    std::memset(data, 0xff, bytes);
    w.memory[data] = bytes;
    ++w.counts.allocations;
    w.counts.live_bytes += static_cast<long>(bytes);
    *address = reinterpret_cast<unsigned long long>(data);
    return ok;
}

int release(unsigned long long address) {
    World &w = world();
    const auto found = w.memory.find(reinterpret_cast<char *>(address));
    if (found == w.memory.end())
        return invalid_value;
    w.counts.live_bytes -= static_cast<long>(found->second);
    std::free(found->first);
    w.memory.erase(found);
    return ok;
}

} // namespace

extern "C" {

#define BEGIN(name)                                                                                \
    const Lock lock(world().mutex);                                                                \
    if (const int result = begin(name))                                                            \
        return result;

int cuInit(unsigned) {
    const Lock lock(world().mutex);
    world().is_initialized = true;
    if (const int result = begin("cuInit"))
        return result;
    return device_count() > 0 ? ok : no_device;
}
int cuDriverGetVersion(int *version) {
    *version = number("FAKE_CUDA_VERSION", 13000);
    return ok;
}
int cuDeviceGetCount(int *count) {
    BEGIN("cuDeviceGetCount")
    *count = device_count();
    return ok;
}
int cuDeviceGet(int *device, int ordinal) {
    BEGIN("cuDeviceGet")
    *device = ordinal;
    return ordinal >= 0 && ordinal < device_count() ? ok : invalid_device;
}
int cuDeviceGetName(char *name, int bytes, int device) {
    BEGIN("cuDeviceGetName")
    std::snprintf(name, static_cast<size_t>(bytes), "%s", kGpus[device].name);
    return ok;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    BEGIN("cuDeviceGetAttribute")
    const Gpu &gpu = kGpus[device];
    const std::map<int, int> values{{75, gpu.architecture / 10},
                                    {76, gpu.architecture % 10},
                                    {16, gpu.multiprocessors},
                                    {97, gpu.shared_bytes},
                                    {115, gpu.has_pools}};
    const auto found = values.find(attribute);
    if (found == values.end())
        return invalid_value;
    *value = found->second;
    return ok;
}
int cuDevicePrimaryCtxRetain(CUctx_st **context, int device) {
    BEGIN("cuDevicePrimaryCtxRetain")
    if (device < 0 || device >= device_count())
        return invalid_device;
    *context = &world().contexts[device];
    (*context)->is_retained = true;
    ++world().counts.contexts;
    return ok;
}
int cuCtxGetCurrent(CUctx_st **context) {
    BEGIN("cuCtxGetCurrent")
    *context = current();
    return ok;
}
int cuCtxPushCurrent_v2(CUctx_st *context) {
    BEGIN("cuCtxPushCurrent_v2")
    stack.push_back(context);
    return ok;
}
int cuCtxPopCurrent_v2(CUctx_st **context) {
    BEGIN("cuCtxPopCurrent_v2")
    if (stack.empty())
        return invalid_context;
    *context = stack.back();
    stack.pop_back();
    return ok;
}
int cuCtxGetDevice(int *device) {
    BEGIN("cuCtxGetDevice")
    if (!current())
        return invalid_context;
    *device = current()->device;
    return ok;
}
int cuStreamGetCtx(CUstream_st *stream, CUctx_st **context) {
    BEGIN("cuStreamGetCtx")
    ++world().counts.streams_asked;
    *context = reinterpret_cast<uintptr_t>(stream) <= 2 ? current() : stream->context;
    return *context ? ok : invalid_context;
}
int cuStreamSynchronize(CUstream_st *stream) {
    BEGIN("cuStreamSynchronize")
    if (const int result = forbidden_in_capture())
        return result;
    ++world().counts.synchronizations;
    return suits(stream) ? ok : invalid_handle;
}
int cuThreadExchangeStreamCaptureMode(int *mode) {
    BEGIN("cuThreadExchangeStreamCaptureMode")
    std::swap(capture_mode, *mode);
    return ok;
}
int cuModuleLoadDataEx(CUmod_st **module, const void *image, unsigned count, int *options,
                       void **values) {
    BEGIN("cuModuleLoadDataEx")
    if (!current())
        return invalid_context;
    if (const int result = forbidden_in_capture())
        return result;
    const std::string text(static_cast<const char *>(image), 9);
    const std::string wanted = "fake sm_" + std::to_string(kGpus[current()->device].architecture);
    if (text.rfind("fake sm_", 0) != 0) {
        for (unsigned k = 0; k < count; ++k)
            if (options[k] == 5)
                std::strcpy(static_cast<char *>(values[k]), "not an image of the fake driver");
        return invalid_image;
    }
    if (static_cast<const char *>(image) != wanted)
        return no_binary_for_gpu;
    *module = new CUmod_st{current(), static_cast<const char *>(image)};
    ++world().counts.loads;
    return ok;
}
int cuModuleUnload(CUmod_st *module) {
    BEGIN("cuModuleUnload")
    ++world().counts.unloads;
    delete module;
    return ok;
}
int cuModuleGetFunction(CUfunc_st **function, CUmod_st *module, const char *name) {
    BEGIN("cuModuleGetFunction")
    const auto found = world().kernels.find(name);
    if (found == world().kernels.end())
        return not_found;
    const Registered &kernel = found->second;
    *function = new CUfunc_st{module->context,     name,
                              kernel.kernel,       kernel.parameter_bytes,
                              kernel.shared_bytes, kDefaultShared - kernel.shared_bytes};
    return ok;
}
int cuFuncGetAttribute(int *value, int attribute, CUfunc_st *function) {
    BEGIN("cuFuncGetAttribute")
    *value = attribute == 1 ? function->shared_bytes : attribute == 8 ? function->granted : 0;
    return ok;
}
int cuFuncSetAttribute(CUfunc_st *function, int attribute, int value) {
    BEGIN("cuFuncSetAttribute")
    const Gpu &gpu = kGpus[function->context->device];
    if (attribute != 8 || value + function->shared_bytes > gpu.shared_bytes)
        return invalid_value;
    function->granted = value;
    return ok;
}
int cuLaunchKernel(CUfunc_st *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                   unsigned by, unsigned bz, unsigned shared_bytes, CUstream_st *stream,
                   void **parameters, void **) {
    {
        BEGIN("cuLaunchKernel")
        if (function->context != current() || !suits(stream))
            return invalid_handle;
        if (gx < 1 || gy < 1 || gz < 1 || gx > 0x7fffffff || gy > 65535 || gz > 65535 ||
            bx * by * bz > 1024 || static_cast<int>(shared_bytes) > function->granted)
            return invalid_value;
        ++world().counts.launches;
        if (world().captured == stream && stream) {
            world().nodes.push_back(
                {function,
                 {gx, gy, gz},
                 {bx, by, bz},
                 shared_bytes,
                 std::string(static_cast<const char *>(parameters[0]), function->parameter_bytes)});
            return ok;
        }
    }
    const unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    function->kernel(grid, block, shared_bytes, parameters[0]);
    return ok;
}
int cuMemAlloc_v2(unsigned long long *address, size_t bytes) {
    BEGIN("cuMemAlloc_v2")
    if (const int result = forbidden_in_capture())
        return result;
    return allocate(address, bytes);
}
int cuMemFree_v2(unsigned long long address) {
    BEGIN("cuMemFree_v2")
    if (const int result = forbidden_in_capture())
        return result;
    return release(address);
}
int cuMemAllocAsync(unsigned long long *address, size_t bytes, CUstream_st *stream) {
    BEGIN("cuMemAllocAsync")
    if (!suits(stream) || !kGpus[current()->device].has_pools)
        return invalid_handle;
    return allocate(address, bytes);
}
int cuMemFreeAsync(unsigned long long address, CUstream_st *stream) {
    BEGIN("cuMemFreeAsync")
    return suits(stream) ? release(address) : invalid_handle;
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes,
                         CUstream_st *stream) {
    BEGIN("cuMemcpyHtoDAsync_v2")
    if (!suits(stream) || !is_allocated(to, bytes))
        return invalid_value;
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    return ok;
}
int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes, CUstream_st *stream) {
    BEGIN("cuMemcpyDtoHAsync_v2")
    if (!suits(stream) || !is_allocated(from, bytes))
        return invalid_value;
    std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
    return ok;
}
int cuGetErrorName(int result, const char **text) {
    static const std::map<int, const char *> names{{1, "CUDA_ERROR_INVALID_VALUE"},
                                                   {2, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                   {100, "CUDA_ERROR_NO_DEVICE"},
                                                   {200, "CUDA_ERROR_INVALID_IMAGE"},
                                                   {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}};
    const auto found = names.find(result);
    *text = found == names.end() ? nullptr : found->second;
    return *text ? ok : invalid_value;
}
int cuGetErrorString(int result, const char **text) {
    static thread_local char told[40];
    std::snprintf(told, sizeof told, "the fake driver says %d", result);
    *text = told;
    return ok;
}

void fake_register(const char *name, FakeKernel kernel, size_t parameter_bytes, int shared_bytes) {
    const Lock lock(world().mutex);
    world().kernels[name] = {kernel, parameter_bytes, shared_bytes};
}
CUstream_st *fake_stream(int device) {
    return new CUstream_st{&world().contexts[device]};
}
void fake_begin_capture(CUstream_st *stream) {
    const Lock lock(world().mutex);
    world().captured = stream;
    world().is_broken = false;
    world().nodes.clear();
}
int fake_end_capture() {
    const Lock lock(world().mutex);
    world().captured = nullptr;
    return world().is_broken ? -1 : static_cast<int>(world().nodes.size());
}
void fake_replay() {
    for (const Node &node : world().nodes)
        node.function->kernel(node.grid, node.block, node.shared_bytes, node.parameter.data());
}
void fake_fail(const char *entry_point, int result) {
    const Lock lock(world().mutex);
    world().failures[entry_point] = result;
}
FakeCounts fake_counts() {
    const Lock lock(world().mutex);
    return world().counts;
}
int fake_depth() {
    return static_cast<int>(stack.size());
}
int fake_device() {
    return current() ? current()->device : -1;
}
}
