// csrc/python/cuda_module.cpp -- the devices of this process and the compiler, for Python
#include "cuda_kernel.h"

#include "../cuda/device.h"
#include "../cuda/nvrtc.h"
#include "failure.h"
#include "lock.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;

namespace jaxkeops {

namespace {

nb::tuple devices() {
    const std::vector<cuda::Device> *found = nullptr;
    Status status;
    {
        const Unlocked unlocked; // to start the driver takes a while
        status = cuda::find_devices(found);
    }
    require(status);
    nb::list rows;
    for (const cuda::Device &device : *found)
        rows.append(nb::make_tuple(device.name, device.architecture, device.multiprocessors));
    return nb::tuple(rows);
}

const cuda::Compiler &compiler_in(const std::vector<std::string> &files) {
    const cuda::Compiler *compiler = nullptr;
    Status status;
    {
        const Unlocked unlocked;
        status = cuda::find_compiler(files, compiler);
    }
    require(status);
    return *compiler;
}

nb::tuple find_nvrtc(const std::vector<std::string> &files) {
    const cuda::Compiler &compiler = compiler_in(files);
    return nb::make_tuple(compiler.major, compiler.minor, compiler.file,
                          nb::tuple(nb::cast(compiler.architectures)));
}

nb::bytes compile(const std::string &source, const std::string &name,
                  const std::vector<std::string> &options, const std::vector<std::string> &files) {
    const cuda::Compiler &compiler = compiler_in(files);
    cuda::Image image;
    Status status;
    {
        const Unlocked unlocked;
        status = cuda::compile(compiler, source, name, options, image);
    }
    if (!status.is_ok())
        raise("CompileError", status.message());
    return nb::bytes(image.code.data(), image.code.size());
}

} // namespace

void bind_cuda(nb::module_ &module) {
    module.def("cuda_devices", &devices,
               nb::sig("def cuda_devices() -> tuple[tuple[str, int, int], ...]"),
               "(name, architecture, multiprocessors) of each GPU; 90 is sm_90.\n\n"
               "Starts CUDA's driver at the first call. Raises `NoBackendError` if there is none.");
    module.def("find_nvrtc", &find_nvrtc, "files"_a,
               nb::sig("def find_nvrtc(files: collections.abc.Sequence[str]) -> "
                       "tuple[int, int, str, tuple[int, ...]]"),
               "(major, minor, file, architectures) of CUDA's compiler.\n\n"
               "The one that is loaded already, else the first of `files` that can be opened and\n"
               "is not newer than the driver; once found, it stays. Raises `NoBackendError`.");
    module.def("compile_cuda", &compile, "source"_a, "name"_a, "options"_a, "files"_a,
               nb::sig("def compile_cuda(source: str, name: str, "
                       "options: collections.abc.Sequence[str], "
                       "files: collections.abc.Sequence[str]) -> bytes"),
               "The cubin, or PTX, of CUDA C++. `name` stands for its file in messages, `files`\n"
               "as in `find_nvrtc`. Raises `CompileError`, with the compiler's log.");
}

} // namespace jaxkeops
