// csrc/core/buffer.h -- one input or output array, as its owner hands it to us
#pragma once

#include "kernel.h"

#include <cstdint>
#include <string>

namespace jaxkeops {

/// An array in C order without gaps. Borrowed: whoever made the call owns data and shape.
struct Buffer {
    void *data = nullptr; // inputs are only read
    const int64_t *shape = nullptr;
    int64_t rank = 0;
    Dtype dtype = Dtype::float32;
};

/// The shape as Python writes it: "(5, 3)", "(5,)".
inline std::string show_shape(const Buffer &buffer) {
    std::string text = "(";
    for (int64_t d = 0; d < buffer.rank; ++d)
        text += (d ? ", " : "") + std::to_string(buffer.shape[d]);
    return text + (buffer.rank == 1 ? ",)" : ")");
}

} // namespace jaxkeops
