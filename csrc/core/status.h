// csrc/core/status.h -- success, or a message for the person who called us
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace jaxkeops {

/// Failure as a value: an XLA handler may not throw. Success carries no text and costs no memory.
class [[nodiscard]] Status {
  public:
    enum class Code : uint8_t {
        ok,
        misfit,    // an array does not fit the kernel: the caller's fault, `message` says how
        too_large, // arrays fit, but have more columns than the kernel can number
        no_memory, // scratch, workspace, parts or sums could not be had
        failed,    // no kernel: unknown key, or its compilation failed
        no_device, // no GPU, no driver or no compiler for one: nothing was tried
        device,    // the GPU's driver refused; its own words are in `message`
    };

    Status() = default;
    static Status ok() { return {}; }
    static Status misfit(std::string message) { return {Code::misfit, std::move(message)}; }
    static Status too_large(std::string message) { return {Code::too_large, std::move(message)}; }
    static Status no_memory(std::string message) { return {Code::no_memory, std::move(message)}; }
    static Status failed(std::string message, std::shared_ptr<const void> cause = nullptr) {
        Status status(Code::failed, std::move(message));
        status.cause_ = std::move(cause);
        return status;
    }
    static Status no_device(std::string message) { return {Code::no_device, std::move(message)}; }
    static Status device(std::string message) { return {Code::device, std::move(message)}; }

    bool is_ok() const { return code_ == Code::ok; }
    Code code() const { return code_; }
    const std::string &message() const { return message_; }

    /// What the compile hook attached to its failure, see `Compiled` of kernel_table.h; or null.
    const std::shared_ptr<const void> &cause() const { return cause_; }

  private:
    Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

    Code code_ = Code::ok;
    std::string message_;
    std::shared_ptr<const void> cause_;
};

} // namespace jaxkeops
