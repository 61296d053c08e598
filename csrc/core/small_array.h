// csrc/core/small_array.h -- an array of a size fixed at birth, on the stack when it is small
#pragma once

#include <cstddef>
#include <memory>

namespace jaxkeops {

/// `size` default-initialised values of T (numbers and pointers start undefined).
///
/// Up to `Inline` of them live in the object: a call with a few inputs never touches the heap.
template <class T, size_t Inline>
class SmallArray {
  public:
    SmallArray() = default;
    explicit SmallArray(size_t size) { reset(size); }
    SmallArray(const SmallArray &) = delete;
    SmallArray &operator=(const SmallArray &) = delete;

    /// Forgets the values and makes room for `size`. Throws std::bad_alloc.
    void reset(size_t size) {
        if (size > Inline)
            heap_.reset(new T[size]);
        size_ = size;
        data_ = size > Inline ? heap_.get() : inline_;
    }

    size_t size() const { return size_; }
    T *data() { return data_; }
    const T *data() const { return data_; }
    T &operator[](size_t k) { return data_[k]; }
    const T &operator[](size_t k) const { return data_[k]; }
    T *begin() { return data_; }
    T *end() { return data_ + size_; }
    const T *begin() const { return data_; }
    const T *end() const { return data_ + size_; }

  private:
    T inline_[Inline];
    std::unique_ptr<T[]> heap_;
    T *data_ = inline_;
    size_t size_ = 0;
};

} // namespace jaxkeops
