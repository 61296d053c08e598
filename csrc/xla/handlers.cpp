// csrc/xla/handlers.cpp -- the CPU: binds what a call frame holds, launches on XLA's threads
#include "handlers.h"

#include "../core/ranges.h"
#include "../cpu/launch.h"
#include "decode.h"

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace ffi = xla::ffi;

namespace jaxkeops {

namespace {

struct KernelState {
    static ffi::TypeId id;
    KernelPtr kernel;
};

// Chosen by us, at random, and not handed out by XLA: jaxlib registers handlers before types, and
// refuses a handler whose type has no number yet; each copy of XLA in the process would also
// hand out another one.
ffi::TypeId KernelState::id = {0x3c7d91e25ab4f086};

/// XLA's threads, for the time of one call.
class XlaWorkers final : public Workers {
  public:
    explicit XlaWorkers(ffi::ThreadPool &pool) : pool_(pool) {}

    int64_t threads() override { return pool_.num_threads(); }

    void schedule(const std::shared_ptr<Job> &job, int64_t helpers) override {
        for (int64_t k = 0; k < helpers; ++k)
            pool_.Schedule([job] { job->help(); });
    }

  private:
    ffi::ThreadPool &pool_;
};

Status run(const Kernel &kernel, ffi::ThreadPool &pool, ffi::RemainingArgs &args,
           ffi::RemainingRets &rets) {
    const size_t expected = kernel.inputs.size();
    const bool has_ranges = args.size() == expected + Ranges::kArrays;
    const size_t count = has_ranges ? expected : args.size();
    SmallArray<Buffer, 16> inputs;
    SmallArray<Buffer, 4> outputs;
    if (Status status = read_inputs(args, count, inputs); !status.is_ok())
        return status;
    if (Status status = read_outputs(rets, rets.size(), outputs); !status.is_ok())
        return status;
    Problem problem(kernel);
    if (Status status = problem.bind_inputs(inputs.data(), count); !status.is_ok())
        return status;
    if (has_ranges)
        if (Status status = problem.bind_ranges(inputs.data() + count); !status.is_ok())
            return status;
    if (Status status = problem.bind_outputs(outputs.data(), outputs.size()); !status.is_ok())
        return status;
    XlaWorkers workers(pool);
    return launch(problem, workers);
}

ffi::ErrorOr<std::unique_ptr<KernelState>> instantiate(ffi::Dictionary attributes) try {
    auto state = std::make_unique<KernelState>();
    if (Status status = find_kernel(attributes, false, state->kernel); !status.is_ok())
        return ffi::Unexpected(error_of(status));
    return state;
} catch (const std::exception &error) {
    return ffi::Unexpected(error_of(Status::failed(error.what())));
}

// The attributes are not read again, but XLA hands them over, and a binding must account for them.
ffi::Error execute(KernelState *state, ffi::ThreadPool pool, ffi::Dictionary,
                   ffi::RemainingArgs args, ffi::RemainingRets rets) try {
    const Status status = run(*state->kernel, pool, args, rets);
    return status.is_ok() ? ffi::Error::Success() : error_of(status);
} catch (const std::bad_alloc &) {
    return error_of(Status::no_memory("no memory to describe the call"));
} catch (const std::exception &error) {
    return error_of(Status::failed(error.what()));
}

XLA_FFI_DEFINE_HANDLER(cpu_instantiate, instantiate, ffi::Ffi::BindInstantiate().Attrs());
XLA_FFI_DEFINE_HANDLER(cpu_execute, execute,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::State<KernelState>>()
                           .Ctx<ffi::ThreadPool>()
                           .Attrs()
                           .RemainingArgs()
                           .RemainingRets());

} // namespace

CpuHandlers cpu_handlers() {
    return {reinterpret_cast<void *>(cpu_instantiate), reinterpret_cast<void *>(cpu_execute)};
}

CpuType cpu_type() {
    static auto info = ffi::MakeTypeInfo<KernelState>();
    return {&KernelState::id, &info};
}

std::pair<int, int> ffi_api_version() {
    return {XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR};
}

} // namespace jaxkeops
