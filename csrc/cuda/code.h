// csrc/cuda/code.h -- a kernel for GPUs: its images, its launch, and where they are loaded
#pragma once

#include "../core/kernel.h"
#include "../core/status.h"
#include "device.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace jaxkeops::cuda {

/// Over what a step runs, and when: docs/design/cuda.md has the table.
enum class Grid : uint8_t { tiles, rows, columns, elements, once };
enum class When : uint8_t { always, split, empty };

/// From their names in Python; false for any other.
bool read(const std::string &name, Grid &grid);
bool read(const std::string &name, When &when);

/// One function of the module, and how it is launched.
struct Step {
    std::string function;
    Grid grid;
    int64_t threads;
    int64_t shared_bytes; // dynamic
    When when;
};

/// The steps of one reduction, in order, and the sizes that they agree on.
struct Launch {
    std::vector<Step> steps;
    int64_t tile_rows;
    int64_t tile_columns;
    int64_t wave_blocks; // 0: the columns are never split
    // Bytes of the workspace: for a column, for a row of a split, for a tile, for a tile and a
    // column block of ranges.
    int64_t column_bytes;
    int64_t state_bytes;
    int64_t total_bytes;
    int64_t tile_bytes;
    int64_t pair_bytes;
    bool keeps_states; // also where the columns are not split
};

/// The functions of a kernel in one context, by step.
struct Loaded {
    const Device *device;
    std::vector<Function> functions;
};

} // namespace jaxkeops::cuda

namespace jaxkeops {

/// Compiled code for one or several architectures. Loaded once for a context, and never unloaded:
/// the table of kernels keeps it for ever, and a module may not go while XLA still runs it.
class DeviceCode {
  public:
    /// images: by architecture (90 for sm_90), a cubin, or PTX that ends in a zero byte. Without
    /// any, calls can be planned, and not launched.
    DeviceCode(std::map<int, std::string> images, cuda::Launch launch, bool has_ranges);

    /// Whether the launch makes sense, for a kernel of these inputs and outputs.
    Status check(const Kernel &kernel) const;

    const cuda::Launch &launch() const { return launch_; }
    const std::map<int, std::string> &images() const { return images_; }

    /// Whether every call has ranges; else none has.
    bool has_ranges() const { return has_ranges_; }

    /// The functions in a context, loaded if they are not yet; valid for ever.
    ///
    /// Loading takes milliseconds and waits for the device: to be done before a launch that is to
    /// be quick. It may happen while a stream is captured, and is not itself captured.
    Status load(const cuda::Driver &driver, cuda::Context context,
                const cuda::Loaded *&loaded) const;

  private:
    Status load_module(const cuda::Driver &driver, cuda::Context context,
                       cuda::Loaded &loaded) const;

    const std::map<int, std::string> images_;
    const cuda::Launch launch_;
    const bool has_ranges_;
    mutable std::mutex mutex_;
    mutable std::map<cuda::Context, cuda::Loaded> loaded_; // its nodes never move
};

} // namespace jaxkeops
