// csrc/core/kernel_table.h -- the kernels of this process, by key; each is compiled once
#pragma once

#include "kernel.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace jaxkeops {

/// A kernel, or why there is none.
struct Compiled {
    KernelPtr kernel;
    std::string failure;
    std::shared_ptr<const void> cause; // whatever the hook attached to its failure
};

/// Compiles the program `text`, whose name is `key`. Called without any lock held.
using CompileHook = std::function<Compiled(const std::string &key, const std::string &text)>;

/// The hook that `find_or_compile` calls; an empty one makes unknown keys fail.
void set_compile_hook(CompileHook hook);

/// The kernel of this key, or null.
KernelPtr find(std::string_view key);

/// Enters a kernel and returns the one under this key: the first that came stays for ever.
KernelPtr publish(std::string_view key, KernelPtr kernel);

/// Finds the kernel, or compiles and publishes it.
///
/// Threads that ask for one key at the same time wait for a single compilation, and share its
/// failure; a failure is forgotten, so the next caller tries again. May take seconds: a caller
/// must hold no lock that the hook may want (Python's above all).
Compiled find_or_compile(std::string_view key, std::string_view text);

/// Compiles what problems of M kept rows need and the kernel lacks yet: its code for few rows.
///
/// Like `find_or_compile`, which it calls at most once for a kernel.
Status complete(const Kernel &kernel, int64_t M);

} // namespace jaxkeops
