// tests/cpp/fake_memory.cpp -- the fake driver's memory: poisoned, counted, and its own alone
#include "fake_world.h"

#include <cstdlib>

namespace fake {

namespace {

/// The allocation that holds all of these bytes.
bool is_allocated(unsigned long long address, size_t bytes) {
    char *const start = reinterpret_cast<char *>(address);
    for (const auto &[first, size] : world().memory)
        if (start >= first && start + bytes <= first + size)
            return true;
    return false;
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

} // namespace fake

using namespace fake;

extern "C" {

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
}
