// csrc/core/buffer.h -- one input or output array, as its owner hands it to us
#pragma once

#include "kernel.h"

#include <cstdint>

namespace jaxkeops {

/// An array in C order without gaps. Borrowed: whoever made the call owns data and shape.
struct Buffer {
    void *data = nullptr; // inputs are only read
    const int64_t *shape = nullptr;
    int64_t rank = 0;
    Dtype dtype = Dtype::float32;
};

} // namespace jaxkeops
