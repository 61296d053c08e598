// tests/cpp/fake_cuda.h -- what tests tell and ask the fake driver, beside what CUDA's API has
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;

extern "C" {

/// A kernel as a function of the host: called once for a launch, for all of its blocks.
typedef void (*FakeKernel)(const unsigned *grid, const unsigned *block, unsigned shared_bytes,
                           const void *parameter);

struct FakeCounts {
    long launches, loads, unloads, contexts, streams_asked, synchronizations;
    long allocations, live_bytes;
};

/// Makes `name` a function of every module whose image has no label, and "label.name" a function of
/// those that have this label: images are real cubins, or texts such as "fake sm_90 label".
/// `parameter_bytes` are what a captured launch copies, `shared_bytes` what a block has of its own.
void fake_register(const char *name, FakeKernel kernel, size_t parameter_bytes, int shared_bytes);

/// A new stream of a device.
CUstream_st *fake_stream(int device);

/// Between the two, launches on the stream are recorded instead of run, and what may not happen
/// meanwhile breaks the capture. The end gives the number of launches, or -1 if it is broken.
void fake_begin_capture(CUstream_st *stream);
int fake_end_capture();

/// Runs what the last capture recorded.
void fake_replay();

/// The next call of an entry point, such as "cuLaunchKernel", fails with this result.
void fake_fail(const char *entry_point, int result);

FakeCounts fake_counts();

/// How deep this thread's stack of contexts is, and the device of the top one, or -1.
int fake_depth();
int fake_device();
}
