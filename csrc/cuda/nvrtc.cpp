// csrc/cuda/nvrtc.cpp -- looks for NVRTC, and compiles with it
#include "nvrtc.h"

#include "driver.h"
#include "library.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

namespace jaxkeops::cuda {

namespace {

constexpr int kNewestMajor = 13; // of those that exist: what to look for where no driver says
constexpr int kOldestMajor = 12;

/// Fills a slot; false if the library does not have the symbol.
template <class Slot>
bool bind(const Library &library, Slot &slot, const char *symbol) {
    void *const found = library.symbol(symbol);
    static_assert(sizeof slot == sizeof found);
    std::memcpy(&slot, &found, sizeof found);
    return found != nullptr;
}

bool bind(const Library &library, Nvrtc &nvrtc) {
    return bind(library, nvrtc.version, "nvrtcVersion") &&
           bind(library, nvrtc.architecture_count, "nvrtcGetNumSupportedArchs") &&
           bind(library, nvrtc.architectures, "nvrtcGetSupportedArchs") &&
           bind(library, nvrtc.create, "nvrtcCreateProgram") &&
           bind(library, nvrtc.destroy, "nvrtcDestroyProgram") &&
           bind(library, nvrtc.compile, "nvrtcCompileProgram") &&
           bind(library, nvrtc.cubin_size, "nvrtcGetCUBINSize") &&
           bind(library, nvrtc.cubin, "nvrtcGetCUBIN") &&
           bind(library, nvrtc.ptx_size, "nvrtcGetPTXSize") &&
           bind(library, nvrtc.ptx, "nvrtcGetPTX") &&
           bind(library, nvrtc.log_size, "nvrtcGetProgramLogSize") &&
           bind(library, nvrtc.log, "nvrtcGetProgramLog") &&
           bind(library, nvrtc.error_text, "nvrtcGetErrorString");
}

std::string library_name(int major) {
    return "libnvrtc.so." + std::to_string(major);
}

/// NVRTC opens its builtins by their bare name, and a run path of its own does not always serve
/// where the process was started by another loader (13.0.88 from a wheel): once they are loaded,
/// the name is found.
void load_builtins(const Compiler &compiler) {
    const size_t folder = compiler.file.find_last_of('/');
    if (folder == std::string::npos)
        return;
    const std::string name = "libnvrtc-builtins.so." + std::to_string(compiler.major) + "." +
                             std::to_string(compiler.minor);
    Library builtins;
    if (!builtins.open_for_all(compiler.file.substr(0, folder + 1) + name))
        return; // elsewhere, then: NVRTC says itself if it does not find them
}

/// "" if the library can be used, else why not.
std::string read(const Library &library, int newest_major, Compiler &compiler) {
    Nvrtc &nvrtc = compiler.nvrtc;
    int count = 0;
    if (!bind(library, nvrtc))
        return "lacks functions of CUDA 11.2 and later";
    if (nvrtc.version(&compiler.major, &compiler.minor) != kSuccess ||
        nvrtc.architecture_count(&count) != kSuccess || count < 1)
        return "does not say what it is";
    if (compiler.major > newest_major)
        return "is version " + std::to_string(compiler.major) +
               ", and the driver loads code of version " + std::to_string(newest_major) +
               " at most";
    compiler.architectures.resize(static_cast<size_t>(count));
    if (nvrtc.architectures(compiler.architectures.data()) != kSuccess)
        return "does not say for which GPUs it compiles";
    std::sort(compiler.architectures.begin(), compiler.architectures.end());
    const void *symbol = nullptr;
    std::memcpy(&symbol, &nvrtc.version, sizeof symbol);
    compiler.file = file_of(symbol);
    return "";
}

/// The greatest major version whose code the driver loads.
int newest_major() {
    const Driver *driver = nullptr;
    int version = 0;
    if (!open_driver(driver).is_ok() || driver->driver_version(&version) != kSuccess)
        return 0;
    return version / 1000;
}

/// What to do where there is no compiler whose code a driver of this version loads.
std::string advice(int newest) {
    if (newest < kOldestMajor)
        return "The driver is of CUDA " + std::to_string(newest) +
               ": update it, to one of CUDA " + std::to_string(kOldestMajor) + " or later";
    return std::string("Install it with `pip install nvidia-cuda-nvrtc") +
           (newest == 12 ? "-cu12`" : "`");
}

/// Why a file cannot be opened: a line that names it once.
std::string line(const std::string &file, std::string complaint) {
    if (complaint.compare(0, file.size() + 2, file + ": ") == 0)
        complaint.erase(0, file.size() + 2);
    return "\n  " + file + (complaint.empty() ? "" : ": ") + complaint;
}

Status search(const std::vector<std::string> &files, Compiler &compiler) {
    const int driver_major = newest_major();
    const int newest = driver_major ? driver_major : kNewestMajor;
    std::string tried;
    const auto fits = [&](const Library &library, const std::string &file) {
        const std::string fault = read(library, newest, compiler);
        if (!fault.empty())
            tried += "\n  " + file + ", which " + fault;
        return fault.empty();
    };
    for (int major = newest; major >= kOldestMajor; --major) {
        Library library;
        if (library.take(library_name(major)) && fits(library, library_name(major)))
            return Status::ok();
    }
    for (const std::string &file : files) {
        Library library;
        if (!library.open(file))
            tried += line(file, library.complaint());
        else if (fits(library, file))
            return Status::ok();
    }
    const int wanted = std::max(newest, kOldestMajor);
    return Status::no_device(
        "no CUDA compiler can be used: looked for NVRTC, the library libnvrtc, of version " +
        std::to_string(wanted) + (wanted > kOldestMajor ? " or before" : "") + ". " +
        advice(newest) + ". Tried, in this order:" + tried);
}

/// A program that is gone at the end.
class OpenProgram {
  public:
    explicit OpenProgram(const Nvrtc &nvrtc) : nvrtc_(nvrtc) {}
    ~OpenProgram() {
        if (program)
            nvrtc_.destroy(&program);
    }
    OpenProgram(const OpenProgram &) = delete;
    OpenProgram &operator=(const OpenProgram &) = delete;

    Program program = nullptr;

  private:
    const Nvrtc &nvrtc_;
};

/// What a pair of functions, size and content, gives; "" if they fail.
std::string read(Program program, Result (*size)(Program, size_t *),
                 Result (*get)(Program, char *)) {
    size_t bytes = 0;
    if (size(program, &bytes) != kSuccess || bytes == 0)
        return "";
    std::string content(bytes, '\0');
    return get(program, content.data()) == kSuccess ? content : "";
}

} // namespace

Status find_compiler(const std::vector<std::string> &files, const Compiler *&compiler) {
    static std::mutex *const mutex = new std::mutex;
    static const Compiler *found = nullptr;
    const std::lock_guard lock(*mutex);
    if (!found) {
        auto fresh = std::make_unique<Compiler>();
        if (Status status = search(files, *fresh); !status.is_ok())
            return status;
        load_builtins(*fresh);
        found = fresh.release();
    }
    compiler = found;
    return Status::ok();
}

Status compile(const Compiler &compiler, const std::string &source, const std::string &name,
               const std::vector<std::string> &options, Image &image) {
    const Nvrtc &nvrtc = compiler.nvrtc;
    OpenProgram open(nvrtc);
    const auto failure = [&](const char *entry_point, Result result) {
        return Status::failed(std::string("NVRTC ") + std::to_string(compiler.major) + "." +
                              std::to_string(compiler.minor) + ", " + entry_point + ": " +
                              nvrtc.error_text(result));
    };
    if (const Result result =
            nvrtc.create(&open.program, source.c_str(), name.c_str(), 0, nullptr, nullptr);
        result != kSuccess)
        return failure("nvrtcCreateProgram", result);
    std::vector<const char *> texts;
    for (const std::string &option : options)
        texts.push_back(option.c_str());
    const Result result = nvrtc.compile(open.program, static_cast<int>(texts.size()), texts.data());
    image.log = read(open.program, nvrtc.log_size, nvrtc.log);
    while (!image.log.empty() && (image.log.back() == '\0' || image.log.back() == '\n'))
        image.log.pop_back();
    if (result != kSuccess) {
        const Status status = failure("nvrtcCompileProgram", result);
        return image.log.empty() ? status : Status::failed(status.message() + "\n" + image.log);
    }
    image.code = read(open.program, nvrtc.cubin_size, nvrtc.cubin);
    if (image.code.empty())
        image.code = read(open.program, nvrtc.ptx_size, nvrtc.ptx);
    if (image.code.empty())
        return failure("nvrtcGetCUBIN", result);
    return Status::ok();
}

} // namespace jaxkeops::cuda
