// tests/cpp/test_cuda_missing.cpp -- what is said on a machine without a driver, or without a GPU
#include "../../csrc/cuda/device.h"
#include "../../csrc/cuda/nvrtc.h"

#include "check.h"

#include <cstdlib>
#include <cstring>

using namespace jaxkeops;
using namespace jaxkeops::cuda;

namespace {

void test_the_sentence_names_what_was_looked_for(const char *reason) {
    const std::vector<Device> *devices = nullptr;
    const Device *device = nullptr;
    Context context = nullptr;
    for (const Status &status :
         {find_devices(devices), find_device(0, device), primary_context(0, context)}) {
        CHECK(status.code() == Status::Code::no_device);
        CHECK(contains(status.message(), "no CUDA GPU can be used: looked for the CUDA driver, "
                                         "libcuda.so.1, which "));
        CHECK(contains(status.message(), reason));
    }
}

void test_every_compiler_that_was_tried_is_named() {
    const Compiler *compiler = nullptr;
    const Status status = find_compiler({"/nowhere/libnvrtc.so.13", "libnvrtc.so.none"}, compiler);
    CHECK(status.code() == Status::Code::no_device);
    CHECK(contains(status.message(), "pip install nvidia-cuda-nvrtc`"));
    for (const char *file : {"/nowhere/libnvrtc.so.13", "libnvrtc.so.none"})
        CHECK(contains(status.message(), std::string("\n  ") + file + ": cannot open shared obj"));
}

} // namespace

int main(int count, char **arguments) {
    test_the_sentence_names_what_was_looked_for(count > 1 ? arguments[1] : "");
    test_every_compiler_that_was_tried_is_named();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
