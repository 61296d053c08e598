// csrc/cuda/driver.cpp -- the table of symbols, and what it means that one is missing
#include "driver.h"

#include "library.h"

#include <cstdlib>
#include <cstring>
#include <string>

namespace jaxkeops::cuda {

namespace {

#ifdef _WIN32
constexpr const char *kNames[] = {"nvcuda.dll"};
#else
constexpr const char *kNames[] = {"libcuda.so.1"};
#endif

constexpr bool kRequired = true, kOptional = false;

/// Fills slots from a library, and remembers the first required symbol that it does not have.
class Binder {
  public:
    explicit Binder(const Library &library) : library_(library) {}

    template <class Slot>
    void operator()(Slot &slot, const char *symbol, bool is_required = kRequired) {
        void *const found = library_.symbol(symbol);
        static_assert(sizeof slot == sizeof found);
        std::memcpy(&slot, &found, sizeof found);
        if (!found && is_required && missing_.empty())
            missing_ = symbol;
    }

    const std::string &missing() const { return missing_; }

  private:
    const Library &library_;
    std::string missing_;
};

/// The names are those that cuda.h maps its functions to: `_v2` where the types once changed.
std::string bind(const Library &library, Driver &driver) {
    Binder bind(library);
    bind(driver.init, "cuInit");
    bind(driver.driver_version, "cuDriverGetVersion");
    bind(driver.device_count, "cuDeviceGetCount");
    bind(driver.device_get, "cuDeviceGet");
    bind(driver.device_name, "cuDeviceGetName");
    bind(driver.device_attribute, "cuDeviceGetAttribute");
    bind(driver.retain_primary_context, "cuDevicePrimaryCtxRetain");
    bind(driver.current_context, "cuCtxGetCurrent");
    bind(driver.push_context, "cuCtxPushCurrent_v2");
    bind(driver.pop_context, "cuCtxPopCurrent_v2");
    bind(driver.context_device, "cuCtxGetDevice");
    bind(driver.stream_context, "cuStreamGetCtx");
    bind(driver.stream_synchronize, "cuStreamSynchronize");
    bind(driver.exchange_capture_mode, "cuThreadExchangeStreamCaptureMode");
    bind(driver.load_module, "cuModuleLoadDataEx");
    bind(driver.unload_module, "cuModuleUnload");
    bind(driver.module_function, "cuModuleGetFunction");
    bind(driver.function_attribute, "cuFuncGetAttribute");
    bind(driver.set_function_attribute, "cuFuncSetAttribute");
    bind(driver.launch_kernel, "cuLaunchKernel");
    bind(driver.allocate, "cuMemAlloc_v2");
    bind(driver.release, "cuMemFree_v2");
    bind(driver.allocate_async, "cuMemAllocAsync", kOptional);
    bind(driver.release_async, "cuMemFreeAsync", kOptional);
    bind(driver.copy_to_device, "cuMemcpyHtoDAsync_v2");
    bind(driver.copy_to_host, "cuMemcpyDtoHAsync_v2");
    bind(driver.error_name, "cuGetErrorName");
    bind(driver.error_text, "cuGetErrorString");
    return bind.missing();
}

std::string visible_devices() {
    const char *const text = std::getenv("CUDA_VISIBLE_DEVICES");
    return text ? std::string("; CUDA_VISIBLE_DEVICES is '") + text + "'" : "";
}

struct Opened {
    Driver driver{};
    Status status;
};

Opened open() {
    Opened opened;
    Library library;
    std::string said;
    for (const char *name : kNames) {
        if (library.open(name))
            break;
        said += (said.empty() ? "" : "; ") + library.complaint();
    }
    const std::string wanted = std::string("the CUDA driver, ") + kNames[0];
    const std::string head = "no CUDA GPU can be used: looked for " + wanted + ", ";
    if (!library.is_open()) {
        opened.status = Status::no_device(head + "which cannot be opened (" + said + ")");
        return opened;
    }
    if (const std::string missing = bind(library, opened.driver); !missing.empty()) {
        opened.status = Status::no_device(head + "which lacks " + missing +
                                          ": it is older than CUDA 11, update it");
        return opened;
    }
    int count = 0;
    Status started = opened.driver.status(opened.driver.init(0), "cuInit");
    if (started.is_ok())
        started = opened.driver.status(opened.driver.device_count(&count), "cuDeviceGetCount");
    if (!started.is_ok())
        opened.status = Status::no_device(head + "which is there, but does not start: " +
                                          started.message() + visible_devices());
    else if (count == 0)
        opened.status =
            Status::no_device(head + "which is there, but has no device" + visible_devices());
    return opened;
}

} // namespace

Status Driver::status(Result result, const char *entry_point) const {
    if (result == kSuccess)
        return Status::ok();
    const char *name = nullptr, *text = nullptr;
    if (error_name(result, &name) != kSuccess || !name)
        name = "an unknown error";
    if (error_text(result, &text) != kSuccess || !text)
        text = "the driver does not say what it means";
    std::string message =
        std::string(entry_point) + ": " + name + " (" + std::to_string(result) + "), " + text;
    if (result == kNotInitialized) // every call was preceded by cuInit, in this process or a parent
        message += ". A process that was forked from one that used a GPU cannot use one: start it "
                   "by 'spawn' or 'forkserver' of multiprocessing";
    return result == kOutOfMemory ? Status::no_memory(message) : Status::device(message);
}

Status open_driver(const Driver *&driver) {
    static const Opened *const it = new Opened(open()); // XLA may launch while the process exits
    driver = &it->driver;
    return it->status;
}

} // namespace jaxkeops::cuda
