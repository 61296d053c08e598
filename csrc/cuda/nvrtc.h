// csrc/cuda/nvrtc.h -- CUDA's compiler as a library, found at run time
#pragma once

#include "../core/status.h"
#include "api.h"

#include <cstddef>
#include <string>
#include <vector>

namespace jaxkeops::cuda {

struct Nvrtc {
    Result (*version)(int *major, int *minor);
    Result (*architecture_count)(int *count);
    Result (*architectures)(int *numbers);
    Result (*create)(Program *program, const char *source, const char *name, int header_count,
                     const char *const *headers, const char *const *header_names);
    Result (*destroy)(Program *program);
    Result (*compile)(Program program, int option_count, const char *const *options);
    Result (*cubin_size)(Program program, size_t *bytes);
    Result (*cubin)(Program program, char *bytes);
    Result (*ptx_size)(Program program, size_t *bytes);
    Result (*ptx)(Program program, char *text);
    Result (*log_size)(Program program, size_t *bytes);
    Result (*log)(Program program, char *text);
    const char *(*error_text)(Result result);
};

/// A library that was found, and what it can do.
struct Compiler {
    Nvrtc nvrtc;
    int major, minor;
    std::string file;
    std::vector<int> architectures; // that it makes code for, ascending: 90 for sm_90
};

/// The compiler of this process: the one found first, for ever.
///
/// One that is loaded already comes first, since two of them cost twice the memory; then `files`,
/// in their order; names without a folder are for the system to find. Its major version must not be
/// above the driver's, which could not load what it makes; without a driver any version serves.
/// `no_device`, with all that was looked for, if there is none: the next call looks again.
Status find_compiler(const std::vector<std::string> &files, const Compiler *&compiler);

/// What compiling gave.
struct Image {
    std::string code; // a cubin, or PTX with a zero byte at its end where no real one was asked for
    std::string log;  // warnings
};

/// Compiles CUDA C++. `name` stands for a file in messages. On failure, `failed` with NVRTC's log.
/// Threads may compile at once.
Status compile(const Compiler &compiler, const std::string &source, const std::string &name,
               const std::vector<std::string> &options, Image &image);

} // namespace jaxkeops::cuda
