// csrc/xla/decode.cpp -- dtypes, buffers, errors and attributes
#include "decode.h"

#include "../core/ranges.h"

#include <string>
#include <string_view>
#include <utility>

namespace ffi = xla::ffi;

namespace jaxkeops {

namespace {

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

} // namespace

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
    case Status::Code::no_device:
        return ffi::Error(ffi::ErrorCode::kUnavailable, text);
    case Status::Code::device:
        return ffi::Error(ffi::ErrorCode::kInternal, text);
    case Status::Code::failed:
        break;
    }
    return ffi::Error(ffi::ErrorCode::kFailedPrecondition, text);
}

Status read_inputs(const ffi::RemainingArgs &args, size_t ranges, SmallArray<Buffer, 16> &inputs) {
    inputs.reset(args.size());
    for (size_t k = 0; k < args.size(); ++k) {
        const auto buffer = args.get<ffi::AnyBuffer>(k);
        if (buffer.has_error())
            return Status::misfit(buffer.error().message());
        if (Status status = read_buffer(*buffer, "input", k, inputs[k]); !status.is_ok())
            return k < ranges ? status : Ranges::wrong_dtype(k - ranges, "another dtype");
    }
    return Status::ok();
}

Status read_outputs(ffi::RemainingRets &rets, size_t count, SmallArray<Buffer, 4> &outputs) {
    outputs.reset(count);
    for (size_t k = 0; k < count; ++k) {
        auto buffer = rets.get<ffi::AnyBuffer>(k);
        if (buffer.has_error())
            return Status::misfit(buffer.error().message());
        if (Status status = read_buffer(**buffer, "output", k, outputs[k]); !status.is_ok())
            return status;
    }
    return Status::ok();
}

Status find_kernel(const ffi::Dictionary &attributes, bool is_for_device, KernelPtr &kernel) {
    const auto key = attributes.get<std::string_view>("key");
    if (key.has_error())
        return Status::misfit(key.error().message());
    const auto text = attributes.get<std::string_view>("text");
    if (text.has_error())
        return Status::misfit(text.error().message());
    Compiled compiled = find_or_compile(*key, *text);
    if (!compiled.kernel)
        return Status::failed(std::move(compiled.failure));
    if ((compiled.kernel->device != nullptr) != is_for_device)
        return Status::failed("kernel '" + std::string(*key) + "' is for another platform");
    kernel = std::move(compiled.kernel);
    return Status::ok();
}

} // namespace jaxkeops
