// csrc/cuda/api.h -- the few types and numbers of CUDA that we use: to build needs no CUDA header
#pragma once

#include "call.h"

// The driver's opaque objects, by the names that its own header gives them.
struct CUctx_st;
struct CUfunc_st;
struct CUmod_st;
struct CUstream_st;
struct _nvrtcProgram;

namespace jaxkeops::cuda {

using Result = int; // of the driver, and of NVRTC: 0 is success
using Ordinal = int;
using Context = CUctx_st *;
using Function = CUfunc_st *;
using Module = CUmod_st *;
using Stream = CUstream_st *;
using Program = _nvrtcProgram *;

// CUresult
inline constexpr Result kSuccess = 0;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kNotInitialized = 3;

// CUdevice_attribute
inline constexpr int kMultiprocessorCount = 16;
inline constexpr int kComputeCapabilityMajor = 75;
inline constexpr int kComputeCapabilityMinor = 76;
inline constexpr int kMaxSharedMemoryPerBlockOptin = 97;
inline constexpr int kMemoryPoolsSupported = 115;

// CUfunction_attribute
inline constexpr int kSharedSizeBytes = 1;
inline constexpr int kMaxDynamicSharedSizeBytes = 8;

// CUjit_option
inline constexpr int kJitErrorLogBuffer = 5;
inline constexpr int kJitErrorLogBufferSizeBytes = 6;

// CUstreamCaptureMode
inline constexpr int kCaptureModeRelaxed = 2;

/// CU_STREAM_PER_THREAD: each thread's own, which waits for no other.
inline Stream per_thread_stream() {
    return reinterpret_cast<Stream>(uintptr_t{2});
}

} // namespace jaxkeops::cuda
