// csrc/xla/handlers.cpp -- decodes XLA's call frame, checks it, launches on XLA's threads
#include "handlers.h"

#include "../core/kernel_table.h"
#include "../core/ranges.h"
#include "../core/small_array.h"
#include "../cpu/launch.h"

#include "xla/ffi/api/c_api.h"
#include "xla/ffi/api/ffi.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
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

ffi::Error error_of(const Status &status) {
    const std::string text = "jaxkeops: " + status.message();
    switch (status.code()) {
    case Status::Code::ok:
        return ffi::Error::Success();
    case Status::Code::misfit:
    case Status::Code::too_large:
        return ffi::Error(ffi::ErrorCode::kInvalidArgument, text);
    case Status::Code::no_memory:
        return ffi::Error(ffi::ErrorCode::kResourceExhausted, text);
    case Status::Code::failed:
        break;
    }
    return ffi::Error(ffi::ErrorCode::kFailedPrecondition, text);
}

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

bool read_dtype(ffi::DataType type, Dtype &dtype) {
    switch (type) {
    case ffi::DataType::F16:
        dtype = Dtype::float16;
        return true;
    case ffi::DataType::BF16:
        dtype = Dtype::bfloat16;
        return true;
    case ffi::DataType::F32:
        dtype = Dtype::float32;
        return true;
    case ffi::DataType::F64:
        dtype = Dtype::float64;
        return true;
    case ffi::DataType::S32:
        dtype = Dtype::int32;
        return true;
    case ffi::DataType::S64:
        dtype = Dtype::int64;
        return true;
    default:
        return false;
    }
}

Status read_buffer(const ffi::AnyBuffer &from, const char *what, size_t k, Buffer &buffer) {
    buffer.data = from.untyped_data();
    buffer.shape = from.dimensions().begin();
    buffer.rank = static_cast<int64_t>(from.dimensions().size());
    if (!read_dtype(from.element_type(), buffer.dtype))
        return Status::misfit(what + (" " + std::to_string(k)) +
                              ": its dtype is none that kernels take or give");
    return Status::ok();
}

Status run(const Kernel &kernel, ffi::ThreadPool &pool, ffi::RemainingArgs &args,
           ffi::RemainingRets &rets) {
    const size_t expected = kernel.inputs.size();
    const bool has_ranges = args.size() == expected + Ranges::kArrays;
    const size_t count = has_ranges ? expected : args.size();
    SmallArray<Buffer, 16> inputs(args.size());
    for (size_t k = 0; k < args.size(); ++k) {
        const auto buffer = args.get<ffi::AnyBuffer>(k);
        if (buffer.has_error())
            return Status::misfit(buffer.error().message());
        if (Status status = read_buffer(*buffer, "input", k, inputs[k]); !status.is_ok())
            return k < count ? status : Ranges::wrong_dtype(k - count, "another dtype");
    }
    SmallArray<Buffer, 4> outputs(rets.size());
    for (size_t k = 0; k < rets.size(); ++k) {
        auto buffer = rets.get<ffi::AnyBuffer>(k);
        if (buffer.has_error())
            return Status::misfit(buffer.error().message());
        if (Status status = read_buffer(**buffer, "output", k, outputs[k]); !status.is_ok())
            return status;
    }
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
    const auto key = attributes.get<std::string_view>("key");
    if (key.has_error())
        return ffi::Unexpected(key.error());
    const auto text = attributes.get<std::string_view>("text");
    if (text.has_error())
        return ffi::Unexpected(text.error());
    Compiled compiled = find_or_compile(*key, *text);
    if (!compiled.kernel)
        return ffi::Unexpected(error_of(Status::failed(std::move(compiled.failure))));
    auto state = std::make_unique<KernelState>();
    state->kernel = std::move(compiled.kernel);
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
