// csrc/cuda/host_arrays.cpp -- one piece of device memory for a call, and the copies
#include "host_arrays.h"

#include "../core/ranges.h"
#include "launch.h"

#include <exception>
#include <string>

namespace jaxkeops::cuda {

namespace {

constexpr int64_t kAlign = 256; // what cuMemAlloc gives: enough for any load

int64_t round_up(int64_t bytes) {
    return (bytes + kAlign - 1) / kAlign * kAlign;
}

int64_t bytes_of(const Buffer &buffer) {
    int64_t bytes = size_of(buffer.dtype);
    for (int64_t d = 0; d < buffer.rank; ++d)
        bytes *= buffer.shape[d];
    return bytes;
}

/// Memory of a device, released on the same stream: its pool then serves the next call.
class DeviceMemory {
  public:
    DeviceMemory(const Driver &driver, const Device &device, Stream stream)
        : driver_(driver), stream_(stream),
          has_pools_(device.has_pools && driver.allocate_async && driver.release_async) {}
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;
    ~DeviceMemory() {
        // Fails only after an earlier failure of the device, which was reported.
        if (address_ && has_pools_)
            driver_.release_async(address_, stream_);
        else if (address_)
            driver_.release(address_);
    }

    Status allocate(int64_t bytes) {
        if (bytes == 0)
            return Status::ok();
        const auto size = static_cast<size_t>(bytes);
        const Result result = has_pools_ ? driver_.allocate_async(&address_, size, stream_)
                                         : driver_.allocate(&address_, size);
        const Status status = driver_.status(result, has_pools_ ? "cuMemAllocAsync" : "cuMemAlloc");
        if (status.code() != Status::Code::no_memory)
            return status;
        return Status::no_memory(
            "the GPU has no " + std::to_string(bytes) +
            " bytes left for the arrays and the workspace: " + status.message());
    }

    Address address() const { return address_; }

  private:
    const Driver &driver_;
    const Stream stream_;
    const bool has_pools_;
    Address address_ = 0;
};

/// Arrays of the host, and the same in the memory of a device, one behind the other.
class Copies {
  public:
    void add(const Buffer &buffer) {
        host_.push_back(buffer);
        offsets_.push_back(bytes_);
        bytes_ += round_up(bytes_of(buffer));
    }

    int64_t bytes() const { return bytes_; }
    size_t count() const { return host_.size(); }

    void place(Address start) {
        device_ = host_;
        for (size_t k = 0; k < count(); ++k)
            device_[k].data = reinterpret_cast<void *>(
                static_cast<uintptr_t>(start + static_cast<Address>(offsets_[k])));
    }

    const Buffer *device(size_t first) const { return device_.data() + first; }

    Status send(const Driver &driver, size_t begin, size_t end, Stream stream) const {
        for (size_t k = begin; k < end; ++k)
            if (const auto bytes = static_cast<size_t>(bytes_of(host_[k])))
                if (Status status = driver.status(
                        driver.copy_to_device(address(k), host_[k].data, bytes, stream),
                        "cuMemcpyHtoDAsync");
                    !status.is_ok())
                    return status;
        return Status::ok();
    }

    Status fetch(const Driver &driver, size_t begin, size_t end, Stream stream) const {
        for (size_t k = begin; k < end; ++k)
            if (const auto bytes = static_cast<size_t>(bytes_of(host_[k])))
                if (Status status =
                        driver.status(driver.copy_to_host(host_[k].data, address(k), bytes, stream),
                                      "cuMemcpyDtoHAsync");
                    !status.is_ok())
                    return status;
        return Status::ok();
    }

  private:
    Address address(size_t k) const {
        return static_cast<Address>(reinterpret_cast<uintptr_t>(device_[k].data));
    }

    std::vector<Buffer> host_, device_;
    std::vector<int64_t> offsets_;
    int64_t bytes_ = 0;
};

/// Ranges that are bound, or none.
struct MaybeRanges {
    DeviceRanges ranges;
    const DeviceRanges *bound = nullptr;

    Status bind(const Buffer *arrays) {
        if (!arrays)
            return Status::ok();
        bound = &ranges;
        return ranges.bind(arrays);
    }
};

Status run(const Driver &driver, const Device &device, Context context, const Problem &problem,
           const std::vector<Buffer> &inputs, const std::vector<Buffer> &outputs,
           const Buffer *ranges) {
    Copies copies;
    for (const Buffer &buffer : inputs)
        copies.add(buffer);
    for (size_t k = 0; ranges && k < Ranges::kArrays; ++k)
        copies.add(ranges[k]);
    const size_t sent = copies.count();
    for (const Buffer &buffer : outputs)
        copies.add(buffer);

    MaybeRanges there;
    int64_t workspace = 0;
    if (Status status = there.bind(ranges); !status.is_ok())
        return status;
    if (Status status = workspace_bytes(problem, there.bound, device.multiprocessors, workspace);
        !status.is_ok())
        return status;

    const Current current(driver, context);
    if (!current.status().is_ok())
        return current.status();
    const Stream stream = per_thread_stream();
    DeviceMemory memory(driver, device, stream);
    if (Status status = memory.allocate(copies.bytes() + workspace); !status.is_ok())
        return status;
    copies.place(memory.address());
    if (Status status = there.bind(ranges ? copies.device(inputs.size()) : nullptr);
        !status.is_ok())
        return status;
    Problem on_device(problem.kernel());
    if (Status status = on_device.bind_inputs(copies.device(0), inputs.size()); !status.is_ok())
        return status;
    if (Status status = on_device.bind_outputs(copies.device(sent), outputs.size());
        !status.is_ok())
        return status;
    if (Status status = copies.send(driver, 0, sent, stream); !status.is_ok())
        return status;
    const Workspace rest{memory.address() + static_cast<Address>(copies.bytes()), workspace};
    if (Status status =
            launch(on_device, there.bound, rest, device.multiprocessors, context, stream);
        !status.is_ok())
        return status;
    if (Status status = copies.fetch(driver, sent, copies.count(), stream); !status.is_ok())
        return status;
    return driver.status(driver.stream_synchronize(stream), "cuStreamSynchronize");
}

} // namespace

Status launch_on_host_arrays(const Problem &problem, const std::vector<Buffer> &inputs,
                             const std::vector<Buffer> &outputs, const Buffer *ranges,
                             Ordinal ordinal) noexcept try {
    if (problem.writes_nothing())
        return Status::ok();
    const Driver *driver = nullptr;
    const Device *device = nullptr;
    Context context = nullptr;
    if (Status status = open_driver(driver); !status.is_ok())
        return status;
    if (Status status = find_device(ordinal, device); !status.is_ok())
        return status;
    if (Status status = primary_context(ordinal, context); !status.is_ok())
        return status;
    return run(*driver, *device, context, problem, inputs, outputs, ranges);
} catch (const std::exception &error) {
    return Status::no_memory(error.what());
}

} // namespace jaxkeops::cuda
