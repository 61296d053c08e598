// tests/cpp/test_handlers.cpp -- XLA's handlers, called as XLA calls them
#include "../../csrc/core/kernel_table.h"
#include "../../csrc/xla/handlers.h"

#include "check.h"
#include "mock_xla.h"
#include "samples.h"

using namespace jaxkeops;
using samples::Arrays;

namespace {

constexpr auto kInstantiate = XLA_FFI_ExecutionStage_INSTANTIATE;
constexpr auto kExecute = XLA_FFI_ExecutionStage_EXECUTE;

const mock::Attributes kAttributes{{"key", "k1"}, {"text", "formula"}};

std::vector<mock::Buffer> inputs_of(Arrays &a) {
    return {{XLA_FFI_DataType_F32, a.x.values.data(), a.x.shape},
            {XLA_FFI_DataType_F32, a.y.values.data(), a.y.shape},
            {XLA_FFI_DataType_F32, a.w.values.data(), a.w.shape},
            {XLA_FFI_DataType_F32, a.p.values.data(), a.p.shape}};
}

std::vector<mock::Buffer> outputs_of(Arrays &a) {
    return {{XLA_FFI_DataType_F32, a.sum.values.data(), a.sum.shape},
            {XLA_FFI_DataType_S64, a.count.values.data(), a.count.shape}};
}

/// Releases the state as XLA does at the end of an executable: by the type's own function.
void destroy(mock::Site &site) {
    static_cast<const XLA_FFI_TypeInfo *>(cpu_type().info)->deleter(site.state);
}

void test_the_version_is_that_of_the_headers() {
    const CpuHandlers handlers = cpu_handlers();
    CHECK(ffi_api_version().first == XLA_FFI_API_MAJOR);
    CHECK(ffi_api_version().second == XLA_FFI_API_MINOR);
    CHECK(mock::api_version(handlers.execute) == ffi_api_version());
    CHECK(mock::api_version(handlers.instantiate) == ffi_api_version());
}

void test_the_type_has_a_number_of_its_own() {
    CHECK(static_cast<const XLA_FFI_TypeId *>(cpu_type().id)->type_id != 0);
}

void test_failures_to_compile_are_told() {
    const CpuHandlers handlers = cpu_handlers();
    mock::Site site;
    set_compile_hook({});
    CHECK(contains(mock::call(handlers.instantiate, kInstantiate, site, kAttributes),
                   "jaxkeops: kernel 'k1' is not loaded"));
    CHECK(contains(mock::call(handlers.instantiate, kInstantiate, site, {{"key", "k1"}}), "text"));
    CHECK(contains(mock::call(handlers.execute, kExecute, site, kAttributes), "state"));
}

void test_a_kernel_is_compiled_once_and_run() {
    const CpuHandlers handlers = cpu_handlers();
    int compilations = 0;
    set_compile_hook([&](const std::string &, const std::string &text) {
        ++compilations;
        CHECK(text == "formula");
        return Compiled{std::make_shared<Kernel>(samples::column_kernel()), {}, nullptr};
    });
    for (int64_t threads : {0, 1, 4})
        for (bool has_pool : {true, false}) {
            Arrays arrays(300, 200, {3}, {3}, {1}, {3}, {1});
            mock::Site site;
            site.threads = threads;
            site.has_pool = has_pool;
            CHECK(mock::call(handlers.instantiate, kInstantiate, site, kAttributes).empty());
            CHECK(mock::call(handlers.execute, kExecute, site, kAttributes, inputs_of(arrays),
                             outputs_of(arrays))
                      .empty());
            CHECK(arrays.agree());
            destroy(site);
        }
    CHECK(compilations == 1);
}

void test_operands_that_do_not_fit_are_refused() {
    const CpuHandlers handlers = cpu_handlers();
    mock::Site site;
    CHECK(mock::call(handlers.instantiate, kInstantiate, site, kAttributes).empty());
    const auto refusal = [&](auto change) {
        Arrays arrays(5, 7);
        auto inputs = inputs_of(arrays), outputs = outputs_of(arrays);
        change(inputs, outputs);
        return mock::call(handlers.execute, kExecute, site, kAttributes, inputs, outputs);
    };
    const std::string invalid = std::to_string(XLA_FFI_Error_Code_INVALID_ARGUMENT) + ": jaxkeops";
    CHECK(refusal([](auto &, auto &) {}).empty());
    CHECK(contains(refusal([](auto &in, auto &) { in.pop_back(); }), invalid));
    CHECK(contains(refusal([](auto &, auto &out) { out.pop_back(); }), "expected 2 outputs"));
    CHECK(contains(refusal([](auto &in, auto &) { in[1].shape = {6, 3}; }), "input 2"));
    CHECK(contains(refusal([](auto &in, auto &) { in[1].dtype = XLA_FFI_DataType_F64; }),
                   "input 1: expected dtype float32, got float64"));
    CHECK(contains(refusal([](auto &in, auto &) { in[1].dtype = XLA_FFI_DataType_C64; }),
                   "input 1: its dtype is none of"));
    CHECK(contains(refusal([](auto &, auto &out) { out[1].dtype = XLA_FFI_DataType_S32; }),
                   "output 1: expected dtype int64, got int32"));
    destroy(site);
}

} // namespace

int main() {
    test_the_version_is_that_of_the_headers();
    test_the_type_has_a_number_of_its_own();
    test_failures_to_compile_are_told();
    test_a_kernel_is_compiled_once_and_run();
    test_operands_that_do_not_fit_are_refused();
    return failures != 0;
}
