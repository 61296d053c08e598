// csrc/python/module.cpp -- the extension module jaxkeops._native
#include "kernel_object.h"

#include "../core/kernel_table.h"
#include "../cpu/thread_pool.h"
#include "../xla/cuda_handlers.h"
#include "../xla/handlers.h"
#include "cuda_kernel.h"
#include "failure.h"
#include "lock.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;

namespace jaxkeops {

namespace {

/// A Kernel or a CudaKernel, or None for null.
nb::object wrap(KernelPtr kernel) {
    if (!kernel)
        return nb::none();
    return kernel->device ? nb::cast(CudaKernelObject{std::move(kernel)})
                          : nb::cast(KernelObject{std::move(kernel)});
}

/// Null for any other object.
KernelPtr unwrap(nb::handle object) {
    if (nb::isinstance<KernelObject>(object))
        return nb::cast<const KernelObject &>(object).kernel;
    if (nb::isinstance<CudaKernelObject>(object))
        return nb::cast<const CudaKernelObject &>(object).kernel;
    return nullptr;
}

/// Calls Python's hook(key, text) -> Kernel, on whichever thread asks for a kernel.
Compiled call_hook(nb::handle hook, const std::string &key, const std::string &text) {
    const Locked lock;
    if (!lock.is_held())
        return {nullptr, "kernel '" + key + "' cannot be compiled: Python is ending", nullptr};
    try {
        const nb::object made = hook(key, text);
        if (KernelPtr kernel = unwrap(made))
            return {std::move(kernel), {}, nullptr};
        return {nullptr, "the compile hook must return a Kernel or a CudaKernel", nullptr};
    } catch (nb::python_error &error) {
        // Its copy lets go of the exception under Python's lock, whoever drops it last.
        return {nullptr, error.what(), std::make_shared<nb::python_error>(error)};
    } catch (const std::exception &error) {
        return {nullptr, error.what(), nullptr};
    }
}

void set_hook(nb::object hook) {
    if (hook.is_none()) {
        set_compile_hook({});
        return;
    }
    // Never let go of: a thread of XLA may be about to call it.
    set_compile_hook([held = hook.release()](const std::string &key, const std::string &text) {
        return call_hook(held, key, text);
    });
}

nb::object find_or_compile_from_python(const std::string &key, const std::string &text) {
    if (KernelPtr kernel = find(key))
        return wrap(std::move(kernel));
    Compiled compiled;
    {
        // Whoever compiles needs Python's lock: waiting with it would be for ever.
        const Unlocked unlocked;
        compiled = find_or_compile(key, text);
    }
    if (!compiled.kernel)
        require(Status::failed(compiled.failure, compiled.cause));
    return wrap(std::move(compiled.kernel));
}

nb::dict registrations() {
    const CpuHandlers on_cpu = cpu_handlers();
    const CudaHandlers on_cuda = cuda_handlers();
    nb::dict cpu, cuda, all;
    cpu["instantiate"] = nb::capsule(on_cpu.instantiate);
    cpu["execute"] = nb::capsule(on_cpu.execute);
    cuda["instantiate"] = nb::capsule(on_cuda.instantiate);
    cuda["initialize"] = nb::capsule(on_cuda.initialize);
    cuda["execute"] = nb::capsule(on_cuda.execute);
    all["cpu"] = cpu;
    all["CUDA"] = cuda;
    return all;
}

nb::dict types() {
    const CpuType on_cpu = cpu_type();
    const CudaType on_cuda = cuda_type();
    nb::dict cpu, cuda, all;
    cpu["type_id"] = nb::capsule(on_cpu.id);
    cpu["type_info"] = nb::capsule(on_cpu.info);
    cuda["type_id"] = nb::capsule(on_cuda.id);
    cuda["type_info"] = nb::capsule(on_cuda.info);
    all["cpu"] = cpu;
    all["CUDA"] = cuda;
    return all;
}

void choose_num_threads(int64_t count) {
    if (count < 1 || count > 4096)
        throw nb::value_error(
            ("num_threads: expected 1 to 4096, got " + std::to_string(count)).c_str());
    set_num_threads(count);
}

} // namespace

NB_MODULE(_native, module) {
    // Published kernels stay to the end on purpose.
    nb::set_leak_warnings(false);
    module.doc() = "The native runtime: kernels by key, their launch on threads, XLA's handlers.";
    bind_kernel(module);
    bind_cuda_kernel(module);
    bind_cuda(module);

    module.def(
        "find", [](const std::string &key) { return wrap(find(key)); }, "key"_a,
        nb::sig("def find(key: str) -> Kernel | CudaKernel | None"),
        "The kernel published under `key`.");
    module.def(
        "publish",
        [](const std::string &key, nb::object kernel) {
            KernelPtr given = unwrap(kernel);
            if (!given)
                throw nb::type_error("publish takes a Kernel or a CudaKernel");
            return wrap(publish(key, std::move(given)));
        },
        "key"_a, "kernel"_a,
        nb::sig("def publish(key: str, kernel: Kernel | CudaKernel) -> Kernel | CudaKernel"),
        "Enters a kernel, for ever; returns the one under `key`: the first that came.");
    module.def("find_or_compile", &find_or_compile_from_python, "key"_a, "text"_a,
               nb::sig("def find_or_compile(key: str, text: str) -> Kernel | CudaKernel"),
               "The kernel of `key`; if there is none, what the compile hook makes of `text`.\n\n"
               "Threads that ask for one key at once wait for a single compilation. Raises what\n"
               "the hook raised, RuntimeError if there is no hook.");
    module.def("set_compile_hook", &set_hook, "hook"_a.none(),
               nb::sig("def set_compile_hook(hook: collections.abc.Callable[[str, str], "
                       "Kernel | CudaKernel] | None) -> None"),
               "The function (key, text) that makes missing kernels, on any thread.");
    module.def("registrations", &registrations,
               nb::sig("def registrations() -> dict[str, dict[str, typing.Any]]"),
               "Per platform, the handlers of `jaxkeops_reduce` for jax.ffi.register_ffi_target.");
    module.def("types", &types, nb::sig("def types() -> dict[str, dict[str, typing.Any]]"),
               "Per platform, the handlers' state for jax.ffi.register_ffi_type.");
    module.def("ffi_api_version", &ffi_api_version,
               "(major, minor) of the XLA FFI that the handlers were built for: XLA must not be "
               "older.");
    module.def("num_threads", &num_threads, "How many threads work on one call.");
    module.def("set_num_threads", &choose_num_threads, "count"_a,
               "From the next call on. XLA brings its own threads, which this does not change.");

    nb::module_::import_("atexit").attr("register")(nb::cpp_function(&end_python));
}

} // namespace jaxkeops
