// csrc/cuda/library.cpp -- dlopen, or what Windows has in its place
#include "library.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace jaxkeops::cuda {

#ifdef _WIN32

bool Library::open(const std::string &name) {
    handle_ = LoadLibraryExA(name.c_str(), nullptr, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
    if (!handle_)
        complaint_ = "LoadLibrary: error " + std::to_string(GetLastError());
    return is_open();
}

bool Library::take(const std::string &name) {
    HMODULE found = nullptr;
    GetModuleHandleExA(0, name.c_str(), &found);
    handle_ = found;
    return is_open();
}

bool Library::open_for_all(const std::string &name) {
    return open(name);
}

void *Library::symbol(const char *name) const {
    return reinterpret_cast<void *>(GetProcAddress(static_cast<HMODULE>(handle_), name));
}

std::string file_of(const void *) {
    return "";
}

#else

bool Library::open(const std::string &name, int flags) {
    handle_ = dlopen(name.c_str(), flags);
    if (!handle_)
        if (const char *const said = dlerror())
            complaint_ = said;
    return is_open();
}

bool Library::open(const std::string &name) {
    return open(name, RTLD_NOW | RTLD_LOCAL);
}

bool Library::take(const std::string &name) {
    return open(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
}

bool Library::open_for_all(const std::string &name) {
    return open(name, RTLD_NOW | RTLD_GLOBAL);
}

void *Library::symbol(const char *name) const {
    return dlsym(handle_, name);
}

std::string file_of(const void *symbol) {
    Dl_info info{};
    return dladdr(symbol, &info) && info.dli_fname ? info.dli_fname : "";
}

#endif

} // namespace jaxkeops::cuda
