// csrc/cpu/parts.cpp -- the memory of parts
#include "parts.h"

#include <string>

namespace jaxkeops {

Status Parts::allocate(const Problem &problem, const Cut &parts) {
    if (parts.items == 0)
        return Status::ok();
    stride_ = problem.kernel().workspace;
    parts_ = parts.chunks;
    // Far from the limit double is exact enough, and the integers below cannot overflow.
    const double estimate = static_cast<double>(stride_) * static_cast<double>(parts.items);
    if (estimate <= 0x1p62 && memory_.allocate(stride_ * parts.items))
        return Status::ok();
    return Status::no_memory("no memory for " + std::to_string(parts.items) + " parts of " +
                             std::to_string(stride_) + " bytes");
}

} // namespace jaxkeops
