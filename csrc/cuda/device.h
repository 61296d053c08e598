// csrc/cuda/device.h -- the GPUs of this process, and their contexts
#pragma once

#include "../core/status.h"
#include "driver.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jaxkeops::cuda {

/// What does not change about a GPU.
struct Device {
    Ordinal handle; // the driver's
    std::string name;
    int architecture; // 90 for sm_90
    int64_t multiprocessors;
    int64_t shared_bytes; // that a block can have, at most
    bool has_pools;       // whether memory can be allocated in the order of a stream
};

/// The GPUs of this process, at least one; asked once. The driver's status if there is none.
Status find_devices(const std::vector<Device> *&devices);

/// One of them. `no_device`, with how many there are, if there is none of this number.
Status find_device(Ordinal ordinal, const Device *&device);

/// The context that XLA, PyTorch and the CUDA runtime use on a device. Kept once it was asked for:
/// to make it takes a fraction of a second and hundreds of megabytes of the device.
Status primary_context(Ordinal ordinal, Context &context);

/// While it lives, a context is the calling thread's current one.
class Current {
  public:
    Current(const Driver &driver, Context context);
    ~Current();
    Current(const Current &) = delete;
    Current &operator=(const Current &) = delete;

    const Status &status() const { return status_; }

    /// The device of the context; `device` is null before.
    Status device(const Device *&device) const;

  private:
    const Driver &driver_;
    bool is_pushed_ = false;
    Status status_;
};

} // namespace jaxkeops::cuda
