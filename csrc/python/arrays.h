// csrc/python/arrays.h -- arrays by address and shape
#pragma once

#include "../core/buffer.h"
#include "../core/small_array.h"

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>

namespace jaxkeops {

/// An array given by its address and its shape.
struct Array {
    void *data = nullptr;
    SmallArray<int64_t, 8> shape;

    void read(nanobind::handle address, nanobind::handle extents);

    /// An object with `data_ptr()` and `shape`.
    void read_tensor(nanobind::handle tensor);

    /// A pair (address, shape).
    void read_pair(nanobind::handle pair);

    Buffer buffer(Dtype dtype) const {
        return {data, shape.data(), static_cast<int64_t>(shape.size()), dtype};
    }
};

/// The dtype of a tensor of ranges, by its name: "torch.int64", "int32". Raises ValueError.
Dtype read_range_dtype(size_t k, nanobind::handle tensor);

/// Raises ValueError unless so many arrays came.
void require_count(const char *what, size_t expected, size_t got);

} // namespace jaxkeops
