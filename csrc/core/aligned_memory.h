// csrc/core/aligned_memory.h -- memory for vectors of any width, whose lack is no exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace jaxkeops {

/// Bytes that start at a multiple of 64, undefined at first.
class AlignedMemory {
  public:
    static constexpr int64_t kAlign = 64;

    AlignedMemory() = default;
    AlignedMemory(const AlignedMemory &) = delete;
    AlignedMemory &operator=(const AlignedMemory &) = delete;
    ~AlignedMemory() { release(); }

    /// The next multiple of the alignment; `bytes` is at most 2^62.
    static int64_t round_up(int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

    /// False if there is no memory; what was held before is gone.
    [[nodiscard]] bool allocate(int64_t bytes) noexcept {
        release();
        data_ = static_cast<char *>(
            ::operator new(static_cast<size_t>(bytes), std::align_val_t{kAlign}, std::nothrow));
        return data_ != nullptr;
    }

    /// Null before a successful `allocate`.
    char *data() const { return data_; }

  private:
    void release() noexcept {
        if (data_)
            ::operator delete(data_, std::align_val_t{kAlign});
        data_ = nullptr;
    }

    char *data_ = nullptr;
};

} // namespace jaxkeops
