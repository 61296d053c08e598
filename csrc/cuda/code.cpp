// csrc/cuda/code.cpp -- checks a launch, loads images, and asks for the shared memory they need
#include "code.h"

#include <algorithm>
#include <cstring>

namespace jaxkeops {

namespace cuda {

namespace {

constexpr const char *kGrids[] = {"tiles", "rows", "columns", "elements", "once"};
constexpr const char *kConditions[] = {"always", "split", "empty"};

template <class Enum, size_t count>
bool read_name(const std::string &name, const char *const (&names)[count], Enum &value) {
    const auto found = std::find(std::begin(names), std::end(names), name);
    value = static_cast<Enum>(found - std::begin(names));
    return found != std::end(names);
}

Status wrong(const std::string &what) {
    return Status::misfit("kernel description: " + what);
}

Status check_step(const Step &step) {
    if (step.function.empty())
        return wrong("a step has no function");
    if (step.threads < 1 || step.threads > 1024)
        return wrong(step.function + " has " + std::to_string(step.threads) +
                     " threads: expected 1 to 1024");
    if (step.shared_bytes < 0)
        return wrong(step.function + " has negative shared_bytes");
    return Status::ok();
}

Status check_launch(const Launch &launch) {
    if (launch.tile_rows < 1 || launch.tile_columns < 1)
        return wrong("tile_rows and tile_columns must be at least 1");
    if (std::min({launch.wave_blocks, launch.column_bytes, launch.state_bytes, launch.total_bytes,
                  launch.tile_bytes, launch.pair_bytes}) < 0)
        return wrong("a launch has a negative size");
    for (const Step &step : launch.steps)
        if (Status status = check_step(step); !status.is_ok())
            return status;
    return Status::ok();
}

/// While it lives, this thread may do what a capturing stream would forbid.
class RelaxedCapture {
  public:
    explicit RelaxedCapture(const Driver &driver) : driver_(driver) {
        driver_.exchange_capture_mode(&mode_);
    }
    ~RelaxedCapture() { driver_.exchange_capture_mode(&mode_); }
    RelaxedCapture(const RelaxedCapture &) = delete;
    RelaxedCapture &operator=(const RelaxedCapture &) = delete;

  private:
    const Driver &driver_;
    int mode_ = kCaptureModeRelaxed;
};

/// "sm_80, sm_90"
std::string show(const std::map<int, std::string> &images) {
    std::string text = images.empty() ? "no GPU" : "";
    for (const auto &[architecture, image] : images)
        text += (text.empty() ? "sm_" : ", sm_") + std::to_string(architecture);
    return text;
}

Status find_function(const Driver &driver, Module module, const Step &step, const Device &device,
                     Function &function) {
    if (Status status =
            driver.status(driver.module_function(&function, module, step.function.c_str()),
                          "cuModuleGetFunction");
        !status.is_ok())
        return Status::device(status.message() + ": the code has no function " + step.function);
    int fixed = 0, granted = 0;
    if (Status status = driver.status(driver.function_attribute(&fixed, kSharedSizeBytes, function),
                                      "cuFuncGetAttribute");
        !status.is_ok())
        return status;
    if (fixed + step.shared_bytes > device.shared_bytes)
        return Status::device("a block of " + step.function + " needs " +
                              std::to_string(fixed + step.shared_bytes) +
                              " bytes of shared memory, and " + device.name + " has " +
                              std::to_string(device.shared_bytes));
    if (Status status =
            driver.status(driver.function_attribute(&granted, kMaxDynamicSharedSizeBytes, function),
                          "cuFuncGetAttribute");
        !status.is_ok())
        return status;
    // More than 48 KiB must be asked for; two steps may share a function, and want different sizes.
    if (step.shared_bytes <= granted)
        return Status::ok();
    return driver.status(driver.set_function_attribute(function, kMaxDynamicSharedSizeBytes,
                                                       static_cast<int>(step.shared_bytes)),
                         "cuFuncSetAttribute");
}

} // namespace

bool read(const std::string &name, Grid &grid) {
    return read_name(name, kGrids, grid);
}

bool read(const std::string &name, When &when) {
    return read_name(name, kConditions, when);
}

} // namespace cuda

using namespace cuda;

DeviceCode::DeviceCode(std::map<int, std::string> images, Launch launch, bool has_ranges)
    : images_(std::move(images)), launch_(std::move(launch)), has_ranges_(has_ranges) {}

Status DeviceCode::check(const Kernel &kernel) const {
    if (Status status = check_launch(launch_); !status.is_ok())
        return status;
    const size_t bytes = call_bytes(kernel.inputs.size(), kernel.outputs.size());
    if (bytes > kParameterBytes)
        return Status::misfit("a kernel for GPUs takes " + std::to_string(kParameterBytes) +
                              " bytes of parameters, and " + std::to_string(kernel.inputs.size()) +
                              " inputs need " + std::to_string(bytes) +
                              ": join arrays, as columns of one");
    return Status::ok();
}

Status DeviceCode::load(const Driver &driver, Context context, const Loaded *&loaded) const {
    const std::lock_guard lock(mutex_);
    if (const auto found = loaded_.find(context); found != loaded_.end()) {
        loaded = &found->second;
        return Status::ok();
    }
    Loaded fresh{};
    if (Status status = load_module(driver, context, fresh); !status.is_ok())
        return status;
    loaded = &loaded_.emplace(context, std::move(fresh)).first->second;
    return Status::ok();
}

Status DeviceCode::load_module(const Driver &driver, Context context, Loaded &loaded) const {
    const Current current(driver, context);
    if (!current.status().is_ok())
        return current.status();
    if (Status status = current.device(loaded.device); !status.is_ok())
        return status;
    const auto image = images_.find(loaded.device->architecture);
    if (image == images_.end())
        return Status::device("the kernel was compiled for " + show(images_) + ", and " +
                              loaded.device->name + " is sm_" +
                              std::to_string(loaded.device->architecture));
    const RelaxedCapture relaxed(driver);
    char log[4096] = "";
    int options[] = {kJitErrorLogBuffer, kJitErrorLogBufferSizeBytes};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    Module module = nullptr;
    const Result result = driver.load_module(&module, image->second.c_str(), 2, options, values);
    if (Status status = driver.status(result, "cuModuleLoadDataEx"); !status.is_ok()) {
        log[sizeof log - 1] = '\0';
        return log[0] ? Status::device(status.message() + ": " + log) : status;
    }
    for (const Step &step : launch_.steps)
        if (Status status = find_function(driver, module, step, *loaded.device,
                                          loaded.functions.emplace_back());
            !status.is_ok()) {
            driver.unload_module(module);
            return status;
        }
    return Status::ok();
}

} // namespace jaxkeops
