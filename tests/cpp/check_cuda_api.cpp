// tests/cpp/check_cuda_api.cpp -- compiles if what we declare of CUDA is what its own headers say
#include "../../csrc/cuda/api.h"
#include "../../csrc/cuda/driver.h"
#include "../../csrc/cuda/nvrtc.h"

#include <cuda.h>
#include <nvrtc.h>

#include <type_traits>

namespace cu = jaxkeops::cuda;

namespace {

/// Whether a value of one type travels as a value of the other: both pointers, or both numbers of
/// one size. Enumerations of C are integers.
template <class A, class B>
constexpr bool travel_alike =
    sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B> &&
    std::is_floating_point_v<A> == std::is_floating_point_v<B>;

template <class Ours, class Theirs>
constexpr bool alike = false;

template <class R, class... P, class S, class... Q>
constexpr bool alike<R (*)(P...), S (*)(Q...)> = [] {
    if constexpr (sizeof...(P) == sizeof...(Q))
        return travel_alike<R, S> && (... && travel_alike<P, Q>);
    return false;
}();

#define SAME(table, member, function)                                                              \
    static_assert(alike<decltype(cu::table::member), decltype(&function)>, #function)

SAME(Driver, init, cuInit);
SAME(Driver, driver_version, cuDriverGetVersion);
SAME(Driver, device_count, cuDeviceGetCount);
SAME(Driver, device_get, cuDeviceGet);
SAME(Driver, device_name, cuDeviceGetName);
SAME(Driver, device_attribute, cuDeviceGetAttribute);
SAME(Driver, retain_primary_context, cuDevicePrimaryCtxRetain);
SAME(Driver, current_context, cuCtxGetCurrent);
SAME(Driver, push_context, cuCtxPushCurrent);
SAME(Driver, pop_context, cuCtxPopCurrent);
SAME(Driver, context_device, cuCtxGetDevice);
SAME(Driver, stream_context, cuStreamGetCtx);
SAME(Driver, stream_synchronize, cuStreamSynchronize);
SAME(Driver, exchange_capture_mode, cuThreadExchangeStreamCaptureMode);
SAME(Driver, load_module, cuModuleLoadDataEx);
SAME(Driver, unload_module, cuModuleUnload);
SAME(Driver, module_function, cuModuleGetFunction);
SAME(Driver, function_attribute, cuFuncGetAttribute);
SAME(Driver, set_function_attribute, cuFuncSetAttribute);
SAME(Driver, launch_kernel, cuLaunchKernel);
SAME(Driver, allocate, cuMemAlloc);
SAME(Driver, release, cuMemFree);
SAME(Driver, allocate_async, cuMemAllocAsync);
SAME(Driver, release_async, cuMemFreeAsync);
SAME(Driver, copy_to_device, cuMemcpyHtoDAsync);
SAME(Driver, copy_to_host, cuMemcpyDtoHAsync);
SAME(Driver, error_name, cuGetErrorName);
SAME(Driver, error_text, cuGetErrorString);

SAME(Nvrtc, version, nvrtcVersion);
SAME(Nvrtc, architecture_count, nvrtcGetNumSupportedArchs);
SAME(Nvrtc, architectures, nvrtcGetSupportedArchs);
SAME(Nvrtc, create, nvrtcCreateProgram);
SAME(Nvrtc, destroy, nvrtcDestroyProgram);
SAME(Nvrtc, compile, nvrtcCompileProgram);
SAME(Nvrtc, cubin_size, nvrtcGetCUBINSize);
SAME(Nvrtc, cubin, nvrtcGetCUBIN);
SAME(Nvrtc, ptx_size, nvrtcGetPTXSize);
SAME(Nvrtc, ptx, nvrtcGetPTX);
SAME(Nvrtc, log_size, nvrtcGetProgramLogSize);
SAME(Nvrtc, log, nvrtcGetProgramLog);
SAME(Nvrtc, error_text, nvrtcGetErrorString);

static_assert(cu::kSuccess == CUDA_SUCCESS && cu::kSuccess == NVRTC_SUCCESS);
static_assert(cu::kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(cu::kNotInitialized == CUDA_ERROR_NOT_INITIALIZED);
static_assert(cu::kMultiprocessorCount == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(cu::kComputeCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(cu::kComputeCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(cu::kMaxSharedMemoryPerBlockOptin ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(cu::kMemoryPoolsSupported == CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED);
static_assert(cu::kSharedSizeBytes == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
static_assert(cu::kMaxDynamicSharedSizeBytes == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(cu::kJitErrorLogBuffer == CU_JIT_ERROR_LOG_BUFFER);
static_assert(cu::kJitErrorLogBufferSizeBytes == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
static_assert(cu::kCaptureModeRelaxed == CU_STREAM_CAPTURE_MODE_RELAXED);

/// The names that the header maps its functions to are those that we look up.
#define NAME_OF(function) TEXT_OF(function)
#define TEXT_OF(function) #function

constexpr bool equal(const char *a, const char *b) {
    for (; *a && *a == *b; ++a)
        ++b;
    return *a == *b;
}

static_assert(equal(NAME_OF(cuCtxPushCurrent), "cuCtxPushCurrent_v2"));
static_assert(equal(NAME_OF(cuCtxPopCurrent), "cuCtxPopCurrent_v2"));
static_assert(equal(NAME_OF(cuMemAlloc), "cuMemAlloc_v2"));
static_assert(equal(NAME_OF(cuMemFree), "cuMemFree_v2"));
static_assert(equal(NAME_OF(cuMemcpyHtoDAsync), "cuMemcpyHtoDAsync_v2"));
static_assert(equal(NAME_OF(cuMemcpyDtoHAsync), "cuMemcpyDtoHAsync_v2"));
static_assert(equal(NAME_OF(CU_STREAM_PER_THREAD), "((CUstream)0x2)"));
static_assert(equal(NAME_OF(cuStreamGetCtx), "cuStreamGetCtx"));
static_assert(equal(NAME_OF(cuModuleLoadDataEx), "cuModuleLoadDataEx"));
static_assert(equal(NAME_OF(cuMemAllocAsync), "cuMemAllocAsync"));
static_assert(equal(NAME_OF(cuThreadExchangeStreamCaptureMode),
                    "cuThreadExchangeStreamCaptureMode"));

} // namespace
