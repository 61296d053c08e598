// tests/cpp/test_cuda_handlers.cpp -- XLA's handlers on the fake driver, called as XLA calls them
#include "../../csrc/core/kernel_table.h"
#include "../../csrc/xla/cuda_handlers.h"
#include "../../csrc/xla/handlers.h"

#include "check.h"
#include "device_samples.h"
#include "mock_xla.h"

#include <cstdlib>

using namespace jaxkeops;
using samples::Arrays;

namespace {

constexpr auto kInstantiate = XLA_FFI_ExecutionStage_INSTANTIATE;
constexpr auto kInitialize = XLA_FFI_ExecutionStage_INITIALIZE;
constexpr auto kExecute = XLA_FFI_ExecutionStage_EXECUTE;

mock::Attributes attributes(const std::string &key) {
    return {{"key", key}, {"multiprocessors", int64_t{132}}, {"text", "formula"}};
}

std::vector<mock::Buffer> inputs_of(Arrays &a) {
    return {{XLA_FFI_DataType_F32, a.x.values.data(), a.x.shape},
            {XLA_FFI_DataType_F32, a.y.values.data(), a.y.shape},
            {XLA_FFI_DataType_F32, a.w.values.data(), a.w.shape},
            {XLA_FFI_DataType_F32, a.p.values.data(), a.p.shape}};
}

std::vector<mock::Buffer> outputs_of(Arrays &a, std::vector<char> &workspace) {
    return {{XLA_FFI_DataType_F32, a.sum.values.data(), a.sum.shape},
            {XLA_FFI_DataType_S64, a.count.values.data(), a.count.shape},
            {XLA_FFI_DataType_U8, workspace.data(), {static_cast<int64_t>(workspace.size())}}};
}

void destroy(mock::Site &site) {
    static_cast<const XLA_FFI_TypeInfo *>(cuda_type().info)->deleter(site.state);
}

/// Makes `key` a kernel, whatever its text.
void offer(const std::string &key, const Kernel &kernel) {
    publish(key, std::make_shared<Kernel>(kernel));
}

void test_only_execute_is_recordable() {
    const CudaHandlers handlers = cuda_handlers();
    CHECK(mock::api_version(handlers.execute) == ffi_api_version());
    CHECK(mock::is_recordable(handlers.execute));
    CHECK(!mock::is_recordable(cpu_handlers().execute));
    CHECK(static_cast<const XLA_FFI_TypeId *>(cuda_type().id)->type_id != 0);
}

void test_loading_is_done_before_execute() {
    const CudaHandlers handlers = cuda_handlers();
    offer("dense", samples::device_kernel(samples::device_launch(8)));
    for (int device : {0, 1}) {
        mock::Site site;
        site.stream = fake_stream(device);
        Arrays arrays(40, 300, {2}, {2}, {1}, {1}, {2});
        std::vector<char> workspace(1 << 20);
        const long before = fake_counts().loads;
        CHECK(mock::call(handlers.instantiate, kInstantiate, site, attributes("dense")).empty());
        CHECK(fake_counts().loads == before);
        for (int again : {0, 1, 2}) {
            static_cast<void>(again);
            CHECK(mock::call(handlers.initialize, kInitialize, site, attributes("dense"),
                             inputs_of(arrays), outputs_of(arrays, workspace))
                      .empty());
        }
        CHECK(fake_counts().loads == before + 1);
        fake_begin_capture(static_cast<CUstream_st *>(site.stream));
        CHECK(mock::call(handlers.execute, kExecute, site, attributes("dense"), inputs_of(arrays),
                         outputs_of(arrays, workspace))
                  .empty());
        CHECK(fake_end_capture() == 3);
        CHECK(!arrays.agree());
        fake_replay();
        CHECK(arrays.agree());
        CHECK(fake_counts().loads == before + 1);
        CHECK(fake_counts().allocations == 0 && fake_counts().synchronizations == 0);
        destroy(site);
    }
}

void test_ranges_are_operands() {
    const CudaHandlers handlers = cuda_handlers();
    offer("ranged", samples::device_kernel(samples::ranged_launch(), true));
    mock::Site site;
    site.stream = fake_stream(0);
    Arrays arrays(3, 20);
    std::vector<char> workspace(1 << 16);
    std::vector<int32_t> rows{0, 2}, ends{1}, columns{3, 5};
    auto inputs = inputs_of(arrays);
    inputs.push_back({XLA_FFI_DataType_S32, rows.data(), {1, 2}});
    inputs.push_back({XLA_FFI_DataType_S32, ends.data(), {1}});
    inputs.push_back({XLA_FFI_DataType_S32, columns.data(), {1, 2}});
    CHECK(mock::call(handlers.instantiate, kInstantiate, site, attributes("ranged")).empty());
    const auto outputs = outputs_of(arrays, workspace);
    CHECK(mock::call(handlers.execute, kExecute, site, attributes("ranged"), inputs, outputs)
              .empty());
    CHECK((arrays.count.values == std::vector<int64_t>{2, 2, -1}));
    inputs[5].dtype = XLA_FFI_DataType_F32;
    CHECK(contains(
        mock::call(handlers.execute, kExecute, site, attributes("ranged"), inputs, outputs),
        "ranges: ends: expected int32 or int64, got float32"));
    inputs.resize(2);
    CHECK(contains(
        mock::call(handlers.execute, kExecute, site, attributes("ranged"), inputs, outputs),
        "expected 7 operands and 3 results, got 2 and 3"));
    destroy(site);
}

void test_failures_have_codes() {
    const CudaHandlers handlers = cuda_handlers();
    mock::Site site;
    site.stream = fake_stream(0);
    Arrays arrays(40, 300);
    std::vector<char> workspace(1 << 20), small(256);
    offer("cpu", samples::plain_kernel());
    CHECK(contains(mock::call(handlers.instantiate, kInstantiate, site, attributes("cpu")),
                   "is for another platform"));
    CHECK(contains(mock::call(cpu_handlers().instantiate, kInstantiate, site, attributes("dense")),
                   "is for another platform"));
    CHECK(contains(mock::call(handlers.instantiate, kInstantiate, site,
                              {{"key", "dense"}, {"text", "formula"}}),
                   "multiprocessors"));
    CHECK(mock::call(handlers.instantiate, kInstantiate, site, attributes("dense")).empty());
    const auto execute = [&](std::vector<char> &memory) {
        return mock::call(handlers.execute, kExecute, site, attributes("dense"), inputs_of(arrays),
                          outputs_of(arrays, memory));
    };
    CHECK(contains(execute(small), std::to_string(XLA_FFI_Error_Code_INVALID_ARGUMENT) +
                                       ": jaxkeops: the workspace has 256 bytes, and must have"));
    fake_fail("cuLaunchKernel", 700);
    CHECK(contains(execute(workspace), std::to_string(XLA_FFI_Error_Code_INTERNAL) +
                                           ": jaxkeops: launching columns on Fake H200"));
    CHECK(execute(workspace).empty());
    CHECK(arrays.agree());
    destroy(site);
}

} // namespace

int main() {
    samples::register_device_samples();
    const cuda::Driver *driver = nullptr;
    CHECK(cuda::open_driver(driver).is_ok());
    test_only_execute_is_recordable();
    test_loading_is_done_before_execute();
    test_ranges_are_operands();
    test_failures_have_codes();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
