// tests/cpp/fake_cuda.cpp -- a libcuda.so.1 with two GPUs that are memory of the host
//
// Stricter than the real one: a stream that does not belong to the current context, memory that is
// not its own, and calls before cuInit or after a fork are errors. FAKE_CUDA_DEVICES and
// FAKE_CUDA_VERSION change the number of devices and the version.
#include "fake_world.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace fake {

namespace {

thread_local std::vector<CUctx_st *> stack;
thread_local int capture_mode = 0; // global

int number(const char *variable, int otherwise) {
    const char *const text = std::getenv(variable);
    return text ? std::atoi(text) : otherwise;
}

int device_count() {
    return number("FAKE_CUDA_DEVICES", 2);
}

} // namespace

World &world() {
    static World *const it = [] {
        pthread_atfork(nullptr, nullptr, [] { world().is_lost = world().is_initialized; });
        return new World;
    }();
    return *it;
}

CUctx_st *current() {
    return stack.empty() ? nullptr : stack.back();
}

int begin(const char *entry_point) {
    World &w = world();
    const auto ordered = w.failures.find(entry_point);
    if (ordered != w.failures.end()) {
        const int result = ordered->second;
        w.failures.erase(ordered);
        return result;
    }
    return w.is_initialized && !w.is_lost ? ok : not_initialized;
}

int forbidden_in_capture() {
    World &w = world();
    if (!w.captured || capture_mode == 2)
        return ok;
    w.is_broken = true;
    return capture_unsupported;
}

bool suits(CUstream_st *stream) {
    const auto special = reinterpret_cast<uintptr_t>(stream) <= 2;
    return current() && (special || stream->context == current());
}

} // namespace fake

using namespace fake;

extern "C" {

int cuInit(unsigned) {
    const Lock lock(world().mutex);
    world().is_initialized = true;
    if (const int result = begin("cuInit"))
        return result;
    return device_count() > 0 ? ok : no_device;
}
/// NVRTC asks for one of the driver's private tables, and does without.
int cuGetExportTable(const void **table, const void *) {
    *table = nullptr;
    return not_found;
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
    const char *const data = static_cast<const char *>(image);
    const bool is_cubin = std::memcmp(data, "\177ELF", 4) == 0; // of any architecture
    const std::string text = is_cubin ? "" : data;
    const size_t blank = text.find(' ', 5); // after "fake "
    const std::string label = blank == std::string::npos ? "" : text.substr(blank + 1);
    const std::string wanted = "fake sm_" + std::to_string(kGpus[current()->device].architecture);
    if (!is_cubin && text.compare(0, 8, "fake sm_") != 0) {
        for (unsigned k = 0; k < count; ++k)
            if (options[k] == 5)
                std::strcpy(static_cast<char *>(values[k]), "not an image of the fake driver");
        return invalid_image;
    }
    if (!is_cubin && text.substr(0, blank) != wanted)
        return no_binary_for_gpu;
    *module = &world().modules.emplace_back(CUmod_st{current(), label});
    ++world().counts.loads;
    return ok;
}
int cuModuleUnload(CUmod_st *module) {
    BEGIN("cuModuleUnload")
    ++world().counts.unloads;
    module->context = nullptr;
    return ok;
}
int cuModuleGetFunction(CUfunc_st **function, CUmod_st *module, const char *name) {
    BEGIN("cuModuleGetFunction")
    const auto found =
        world().kernels.find(module->label.empty() ? name : module->label + "." + name);
    if (found == world().kernels.end())
        return not_found;
    const Registered &kernel = found->second;
    *function = &world().functions.emplace_back(
        CUfunc_st{module->context, name, kernel.kernel, kernel.parameter_bytes, kernel.shared_bytes,
                  kDefaultShared - kernel.shared_bytes});
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
int cuGetErrorName(int result, const char **text) {
    static const std::map<int, const char *> names{{1, "CUDA_ERROR_INVALID_VALUE"},
                                                   {2, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                   {3, "CUDA_ERROR_NOT_INITIALIZED"},
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
    const Lock lock(world().mutex);
    return &world().streams.emplace_back(CUstream_st{&world().contexts[device]});
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
