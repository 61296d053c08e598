// tests/cpp/test_handlers.cpp -- XLA's handlers, called as XLA calls them
#include "../../csrc/core/kernel_table.h"
#include "../../csrc/xla/handlers.h"

#include "check.h"
#include "mock_xla.h"
#include "samples.h"
#include "totals.h"

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
    CHECK(contains(refusal([](auto &in, auto &) { in[1].dtype = XLA_FFI_DataType_F16; }),
                   "input 1: expected dtype float32, got float16"));
    CHECK(contains(refusal([](auto &, auto &out) { out[0].dtype = XLA_FFI_DataType_BF16; }),
                   "output 0: expected dtype float32, got bfloat16"));
    CHECK(contains(refusal([](auto &in, auto &) { in[1].dtype = XLA_FFI_DataType_C64; }),
                   "input 1: its dtype is none that"));
    CHECK(contains(refusal([](auto &, auto &out) { out[1].dtype = XLA_FFI_DataType_S32; }),
                   "output 1: expected dtype int64, got int32"));
    destroy(site);
}

/// Three operands: rows [1, 4) over columns [0, 2) and [5, 7), row 0 over [2, 3).
template <class T>
struct Operands {
    std::vector<T> rows{1, 4, 0, 1}, ends{2, 3}, columns{0, 2, 5, 7, 2, 3};

    std::vector<mock::Buffer> after(std::vector<mock::Buffer> inputs) {
        const auto dtype = sizeof(T) == 4 ? XLA_FFI_DataType_S32 : XLA_FFI_DataType_S64;
        inputs.push_back({dtype, rows.data(), {2, 2}});
        inputs.push_back({dtype, ends.data(), {2}});
        inputs.push_back({dtype, columns.data(), {3, 2}});
        return inputs;
    }
};

template <class T>
void test_three_more_operands_are_ranges() {
    const CpuHandlers handlers = cpu_handlers();
    mock::Site site;
    CHECK(mock::call(handlers.instantiate, kInstantiate, site, kAttributes).empty());
    const auto call = [&](Arrays &arrays, auto change) {
        Operands<T> operands;
        auto inputs = operands.after(inputs_of(arrays));
        change(operands, inputs);
        return mock::call(handlers.execute, kExecute, site, kAttributes, inputs,
                          outputs_of(arrays));
    };
    Arrays arrays(5, 7, {2}, {2}, {1}, {2}, {1});
    CHECK(call(arrays, [](auto &, auto &) {}).empty());
    for (int64_t b = 0; b < 2; ++b) {
        const std::vector<int64_t> counts(arrays.count.values.begin() + 5 * b,
                                          arrays.count.values.begin() + 5 * b + 5);
        CHECK((counts == std::vector<int64_t>{1, 4, 4, 4, -1}));
        CHECK(arrays.sum.values[5 * b + 4] == -1.5f);
    }
    const auto refusal = [&](auto change) {
        Arrays fresh(5, 7);
        const std::string text = call(fresh, change);
        CHECK(fresh.count.values[0] == -77); // nothing ran
        return text;
    };
    const std::string invalid =
        std::to_string(XLA_FFI_Error_Code_INVALID_ARGUMENT) + ": jaxkeops: ";
    CHECK(contains(refusal([](auto &, auto &in) { in[5].shape = {1}; }),
                   invalid + "ranges: ends: expected one end for each of the 2 row_blocks, got 1"));
    CHECK(contains(refusal([](auto &op, auto &) { op.rows[1] = 6; }),
                   invalid + "ranges: row_blocks[0] = [1, 6) is not within [0, 5]"));
    CHECK(contains(refusal([](auto &, auto &in) { in[6].dtype = XLA_FFI_DataType_F32; }),
                   invalid + "ranges: column_blocks: expected int32 or int64, got float32"));
    CHECK(contains(refusal([](auto &, auto &in) { in[4].dtype = XLA_FFI_DataType_U32; }),
                   invalid + "ranges: row_blocks: expected int32 or int64, got another dtype"));
    CHECK(contains(refusal([](auto &, auto &in) { in.pop_back(); }),
                   invalid + "expected 4 inputs, got 6"));
    CHECK(contains(refusal([](auto &, auto &in) { in.push_back(in.back()); }),
                   invalid + "expected 4 inputs, got 8"));
    destroy(site);
}

void test_results_may_be_summed_over_rows() {
    const CpuHandlers handlers = cpu_handlers();
    auto kernel = std::make_shared<Kernel>(samples::total_kernel());
    kernel->workspace = 100;
    publish("totals", kernel);
    const mock::Attributes attributes{{"key", "totals"}, {"text", "formula"}};
    std::vector<double> first;
    for (const int64_t threads : {1, 2, 5}) {
        mock::Site site;
        site.threads = threads;
        CHECK(mock::call(handlers.instantiate, kInstantiate, site, attributes).empty());
        samples::TotalArrays arrays(500, 70, {3}, {3}, {1});
        const std::vector<mock::Buffer> inputs{
            {XLA_FFI_DataType_F32, arrays.x.values.data(), arrays.x.shape},
            {XLA_FFI_DataType_F32, arrays.y.values.data(), arrays.y.shape}};
        std::vector<mock::Buffer> outputs{
            {XLA_FFI_DataType_F64, arrays.totals.values.data(), {3, 2}},
            {XLA_FFI_DataType_F32, arrays.sum.values.data(), {3, 500, 1}},
            {XLA_FFI_DataType_F32, arrays.pairs.values.data(), {3, 1}},
            {XLA_FFI_DataType_S64, arrays.count.values.data(), {3, 500, 1}}};
        CHECK(mock::call(handlers.execute, kExecute, site, attributes, inputs, outputs).empty());
        CHECK(arrays.agree());
        if (first.empty())
            first = arrays.totals.values;
        CHECK(arrays.totals.values == first);
        outputs[0].shape = {3, 1, 2};
        CHECK(contains(mock::call(handlers.execute, kExecute, site, attributes, inputs, outputs),
                       "output 0: expected shape (3, 2), got (3, 1, 2)"));
        destroy(site);
    }
}

} // namespace

int main() {
    test_the_version_is_that_of_the_headers();
    test_the_type_has_a_number_of_its_own();
    test_failures_to_compile_are_told();
    test_a_kernel_is_compiled_once_and_run();
    test_operands_that_do_not_fit_are_refused();
    test_three_more_operands_are_ranges<int32_t>();
    test_three_more_operands_are_ranges<int64_t>();
    test_results_may_be_summed_over_rows();
    return failures != 0;
}
