// csrc/python/failure.h -- a failed status as a Python exception
#pragma once

#include "../core/status.h"

#include <string>

namespace jaxkeops {

/// Does nothing for success. Raises ValueError for a misfit, MemoryError, RuntimeError for a kernel
/// that is not there, or what the compile hook raised in place of it; and `NoBackendError` or
/// `DeviceError` of jaxkeops.errors.
void require(const Status &status);

/// Raises the exception of this name of jaxkeops.errors.
[[noreturn]] void raise(const char *name, const std::string &message);

} // namespace jaxkeops
