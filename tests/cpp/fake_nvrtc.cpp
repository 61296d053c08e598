// tests/cpp/fake_nvrtc.cpp -- a libnvrtc of version MAJOR.MINOR, whose code is the name of that
//
// Like one from a wheel in a process that another loader started, it finds its builtins only where
// they are loaded already.
#include <dlfcn.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace {

const std::string version = std::to_string(MAJOR) + "." + std::to_string(MINOR);
const std::string code = "code of " + version;
const std::string builtins = "libnvrtc-builtins.so." + version;
constexpr const char *kLog = "cannot open its builtins";

} // namespace

extern "C" {

int nvrtcVersion(int *major, int *minor) {
    *major = MAJOR;
    *minor = MINOR;
    return 0;
}
int nvrtcGetNumSupportedArchs(int *count) {
    *count = 2;
    return 0;
}
int nvrtcGetSupportedArchs(int *numbers) {
    numbers[0] = 90;
    numbers[1] = 80;
    return 0;
}
int nvrtcCreateProgram(void **program, const char *, const char *, int, const char *const *,
                       const char *const *) {
    *program = nullptr;
    return 0;
}
int nvrtcDestroyProgram(void **) {
    return 0;
}
int nvrtcCompileProgram(void *, int, const char *const *) {
    return dlopen(builtins.c_str(), RTLD_NOW | RTLD_NOLOAD) ? 0 : 7;
}
int nvrtcGetCUBINSize(void *, size_t *bytes) {
    *bytes = code.size();
    return 0;
}
int nvrtcGetCUBIN(void *, char *bytes) {
    std::memcpy(bytes, code.data(), code.size());
    return 0;
}
int nvrtcGetPTXSize(void *, size_t *bytes) {
    *bytes = 0;
    return 0;
}
int nvrtcGetPTX(void *, char *) {
    return 0;
}
int nvrtcGetProgramLogSize(void *, size_t *bytes) {
    *bytes = std::strlen(kLog) + 1;
    return 0;
}
int nvrtcGetProgramLog(void *, char *text) {
    std::strcpy(text, kLog);
    return 0;
}
const char *nvrtcGetErrorString(int) {
    return "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE";
}
}
