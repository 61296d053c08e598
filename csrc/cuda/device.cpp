// csrc/cuda/device.cpp -- asks the driver about its devices, and for their primary contexts
#include "device.h"

#include <mutex>

namespace jaxkeops::cuda {

namespace {

Status describe(const Driver &driver, Ordinal ordinal, Device &device) {
    Ordinal handle = 0;
    if (Status status = driver.status(driver.device_get(&handle, ordinal), "cuDeviceGet");
        !status.is_ok())
        return status;
    char name[256] = "";
    Status status = driver.status(driver.device_name(name, sizeof name, handle), "cuDeviceGetName");
    const auto ask = [&](int attribute) {
        int value = 0;
        if (status.is_ok())
            status = driver.status(driver.device_attribute(&value, attribute, handle),
                                   "cuDeviceGetAttribute");
        return value;
    };
    const int major = ask(kComputeCapabilityMajor), minor = ask(kComputeCapabilityMinor);
    device = {handle,
              name,
              10 * major + minor,
              ask(kMultiprocessorCount),
              ask(kMaxSharedMemoryPerBlockOptin),
              ask(kMemoryPoolsSupported) != 0};
    return status;
}

struct Found {
    std::vector<Device> devices;
    Status status;
};

Found find() {
    Found found;
    const Driver *driver = nullptr;
    found.status = open_driver(driver);
    int count = 0;
    if (found.status.is_ok())
        found.status = driver->status(driver->device_count(&count), "cuDeviceGetCount");
    for (int ordinal = 0; found.status.is_ok() && ordinal < count; ++ordinal) {
        Device device{};
        found.status = describe(*driver, ordinal, device);
        found.devices.push_back(std::move(device));
    }
    return found;
}

/// The contexts that were asked for, by device.
struct Contexts {
    std::mutex mutex;
    std::vector<Context> retained;
};

} // namespace

Status find_devices(const std::vector<Device> *&devices) {
    static const Found *const it = new Found(find());
    devices = &it->devices;
    return it->status;
}

Status find_device(Ordinal ordinal, const Device *&device) {
    const std::vector<Device> *devices = nullptr;
    if (Status status = find_devices(devices); !status.is_ok())
        return status;
    if (ordinal < 0 || ordinal >= static_cast<Ordinal>(devices->size()))
        return Status::no_device("there is no CUDA device " + std::to_string(ordinal) +
                                 ": this process has " + std::to_string(devices->size()) +
                                 ", counted from 0");
    device = &(*devices)[static_cast<size_t>(ordinal)];
    return Status::ok();
}

Status primary_context(Ordinal ordinal, Context &context) {
    static Contexts *const contexts = new Contexts;
    const Device *device = nullptr;
    const Driver *driver = nullptr;
    if (Status status = find_device(ordinal, device); !status.is_ok())
        return status;
    if (Status status = open_driver(driver); !status.is_ok())
        return status;
    const std::lock_guard lock(contexts->mutex);
    if (contexts->retained.size() <= static_cast<size_t>(ordinal))
        contexts->retained.resize(static_cast<size_t>(ordinal) + 1);
    Context &retained = contexts->retained[static_cast<size_t>(ordinal)];
    if (!retained)
        if (Status status =
                driver->status(driver->retain_primary_context(&retained, device->handle),
                               "cuDevicePrimaryCtxRetain");
            !status.is_ok())
            return status;
    context = retained;
    return Status::ok();
}

Current::Current(const Driver &driver, Context context) : driver_(driver) {
    Context current = nullptr;
    status_ = driver.status(driver.current_context(&current), "cuCtxGetCurrent");
    if (!status_.is_ok() || current == context)
        return;
    status_ = driver.status(driver.push_context(context), "cuCtxPushCurrent");
    is_pushed_ = status_.is_ok();
}

Current::~Current() {
    Context popped = nullptr;
    if (is_pushed_)
        driver_.pop_context(&popped); // fails only if the context is gone, and then nothing is left
}

Status Current::device(const Device *&device) const {
    Ordinal handle = 0;
    if (Status status = driver_.status(driver_.context_device(&handle), "cuCtxGetDevice");
        !status.is_ok())
        return status;
    const std::vector<Device> *devices = nullptr;
    if (Status status = find_devices(devices); !status.is_ok())
        return status;
    for (const Device &candidate : *devices)
        if (candidate.handle == handle)
            device = &candidate;
    return device ? Status::ok() : Status::device("the context is of an unknown device");
}

} // namespace jaxkeops::cuda
