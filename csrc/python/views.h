// csrc/python/views.h -- arrays by the buffer protocol
#pragma once

#include "../core/buffer.h"
#include "../core/small_array.h"

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>

namespace jaxkeops {

/// What to take buffers as: contiguous, in C order.
inline constexpr int kInput = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT;
inline constexpr int kOutput = kInput | PyBUF_WRITABLE;

/// Buffers taken from Python objects, given back at the end: the arrays cannot move meanwhile.
class Views {
  public:
    explicit Views(size_t most) : views_(most), buffers_(most) {}
    Views(const Views &) = delete;
    Views &operator=(const Views &) = delete;
    ~Views() {
        while (held_ > 0)
            PyBuffer_Release(&views_[--held_]);
    }

    /// False, with Python's error set, if `object` gives no buffer of this kind.
    bool take(PyObject *object, int flags);

    /// Reads the buffer taken last; false if its numbers are not of dtype `wanted`.
    bool read(Dtype wanted);

    /// What the buffer taken last says of its numbers, for messages.
    std::string format() const;

    const Buffer *buffers() const { return buffers_.data(); }

  private:
    SmallArray<Py_buffer, 12> views_;
    SmallArray<Buffer, 12> buffers_;
    size_t held_ = 0;
};

/// Clears Python's error if it says that an object does not suit; anything else is news.
bool clear_misfit();

} // namespace jaxkeops
