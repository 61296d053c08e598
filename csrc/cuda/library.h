// csrc/cuda/library.h -- a shared library that is opened at run time, and never closed
#pragma once

#include <string>

namespace jaxkeops::cuda {

class Library {
  public:
    Library() = default;

    /// Opens a file, or what the system's search finds under a bare name; false if it cannot be.
    [[nodiscard]] bool open(const std::string &name);

    /// Takes a library that this process has loaded before under this name; false if it has not.
    [[nodiscard]] bool take(const std::string &name);

    /// As `open`, and lets libraries that are loaded later find its symbols.
    [[nodiscard]] bool open_for_all(const std::string &name);

    bool is_open() const { return handle_ != nullptr; }

    /// Null if there is none.
    void *symbol(const char *name) const;

    /// What the system said when it could not open.
    const std::string &complaint() const { return complaint_; }

  private:
    bool open(const std::string &name, int flags);

    void *handle_ = nullptr;
    std::string complaint_;
};

/// The file that holds this symbol, or "" where the system does not say.
std::string file_of(const void *symbol);

} // namespace jaxkeops::cuda
