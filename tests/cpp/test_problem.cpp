// tests/cpp/test_problem.cpp -- shapes are understood, and what does not fit is refused with a text
#include "../../csrc/core/problem.h"

#include "check.h"
#include "samples.h"

#include <cmath>
#include <limits>

using namespace jaxkeops;
using namespace samples;

namespace {

/// The text of the refusal of these arrays, or "" if they are taken.
std::string refusal(const Kernel &kernel, Arrays &arrays) {
    Problem problem(kernel);
    const auto inputs = arrays.inputs();
    if (Status status = problem.bind_inputs(inputs.data(), inputs.size()); !status.is_ok())
        return status.message();
    const auto outputs = arrays.outputs();
    return problem.bind_outputs(outputs.data(), outputs.size()).message();
}

void test_extents_come_from_the_inputs() {
    Arrays arrays(5, 7, {2, 3}, {1, 3}, {2, 1}, {1, 1}, {2, 3});
    const Kernel kernel = column_kernel();
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(problem.bind_outputs(outputs.data(), 2).is_ok());
    CHECK(problem.M() == 5 && problem.N() == 7 && problem.batch_elements() == 6);
    CHECK(problem.batch_extent(0) == 2 && problem.batch_extent(1) == 3);
}

void test_every_element_is_located() {
    Arrays arrays(5, 7, {2, 3}, {1, 3}, {2, 1}, {1, 1}, {2, 3});
    const Kernel kernel = plain_kernel();
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(problem.bind_outputs(outputs.data(), 2).is_ok());
    Addresses at(4, 2);
    for (int64_t b = 0; b < 6; ++b) {
        problem.locate(b, at);
        CHECK(at.inputs[0] == arrays.start(arrays.x, {b / 3, b % 3}, 2));
        CHECK(at.inputs[1] == arrays.start(arrays.y, {b / 3, b % 3}, 2));
        CHECK(at.inputs[2] == arrays.w.values.data());
        CHECK(at.inputs[3] == arrays.p.values.data() + b);
        CHECK(at.outputs[0] == arrays.sum.values.data() + 5 * b);
        CHECK(at.outputs[1] == arrays.count.values.data() + 5 * b);
    }
}

void test_scratch_is_shared_where_columns_do_not_vary() {
    Arrays arrays(5, 7, {2, 3}, {2, 3}, {2, 1}, {1, 1}, {1, 1});
    const Kernel kernel = column_kernel();
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(problem.bind_outputs(outputs.data(), 2).is_ok());
    CHECK(problem.scratch_elements() == 2);
    Addresses at(4, 2);
    for (int64_t b = 0; b < 6; ++b)
        CHECK(problem.locate(b, at) == b / 3);
    problem.locate_columns(1, at);
    CHECK(at.inputs[0] == nullptr && at.outputs[0] == nullptr);
    CHECK(at.inputs[1] == arrays.y.values.data() + 7 * kWidth);
    CHECK(at.inputs[2] == arrays.w.values.data());
}

void test_missing_axes_mean_one_row() {
    Kernel kernel = plain_kernel();
    kernel.inputs = {{Axis::p, 2}};
    kernel.outputs = {{2, Dtype::float32, 0}};
    Array<float> p({4, 2}), out({4, 1, 2});
    Problem problem(kernel);
    const Buffer in = p.buffer(), to = out.buffer();
    CHECK(problem.bind_inputs(&in, 1).is_ok());
    CHECK(problem.bind_outputs(&to, 1).is_ok());
    CHECK(problem.M() == 1 && problem.N() == 1 && problem.batch_elements() == 4);
}

void test_no_input_at_all_is_one_pair() {
    Kernel kernel = plain_kernel();
    kernel.inputs = {};
    kernel.outputs = {{1, Dtype::float32, 0}};
    Array<float> out({1, 1});
    Problem problem(kernel);
    const Buffer to = out.buffer();
    CHECK(problem.bind_inputs(nullptr, 0).is_ok());
    CHECK(problem.bind_outputs(&to, 1).is_ok());
}

void test_what_does_not_fit_is_refused() {
    const Kernel kernel = plain_kernel();
    const auto with = [&](auto change) {
        Arrays arrays(5, 7, {2}, {2}, {2}, {2}, {2});
        change(arrays);
        return refusal(kernel, arrays);
    };
    CHECK(with([](Arrays &) {}).empty());
    CHECK(contains(with([](Arrays &a) { a.x.shape = {2, 5, 4}; }),
                   "input 0 (axis 'i'): expected shape (*batch, M, 3), got (2, 5, 4)"));
    CHECK(contains(with([](Arrays &a) { a.w.shape = {2, 6, 1}; }), "input 2 (axis 'j')"));
    CHECK(contains(with([](Arrays &a) { a.w.shape = {2, 6, 1}; }), "have 7 rows"));
    CHECK(contains(with([](Arrays &a) { a.p.shape = {1}; }), "1 batch axes as in input 0"));
    CHECK(contains(with([](Arrays &a) { a.p.shape = {}; }), "too few axes"));
    CHECK(contains(with([](Arrays &a) { a.p.shape = {3, 1}; }), "batch axis 0 has extent 2"));
    CHECK(contains(with([](Arrays &a) { a.p.shape = {-2, 1}; }), "negative"));
    CHECK(contains(with([](Arrays &a) { a.sum.shape = {2, 5, 2}; }),
                   "output 0: expected shape (2, 5, 1), got (2, 5, 2)"));
    CHECK(contains(with([](Arrays &a) { a.count.shape = {1, 5, 1}; }), "output 1: expected shape"));
    CHECK(contains(with([](Arrays &a) { a.count.shape = {5, 1}; }), "output 1: expected shape"));
}

void test_counts_and_dtypes_are_checked() {
    const Kernel kernel = plain_kernel();
    Arrays arrays(5, 7);
    auto inputs = arrays.inputs(), outputs = arrays.outputs();
    Problem problem(kernel);
    CHECK(contains(problem.bind_inputs(inputs.data(), 3).message(), "expected 4 inputs, got 3"));
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(contains(problem.bind_outputs(outputs.data(), 1).message(), "expected 2 outputs, got 1"));
    outputs[1].dtype = Dtype::int32;
    CHECK(contains(problem.bind_outputs(outputs.data(), 2).message(),
                   "expected dtype int64, got int32"));
    inputs[2].dtype = Dtype::float64;
    CHECK(contains(Problem(kernel).bind_inputs(inputs.data(), 4).message(),
                   "input 2: expected dtype float32"));
}

void test_bad_addresses_are_refused() {
    const Kernel kernel = plain_kernel();
    Arrays arrays(5, 7);
    auto inputs = arrays.inputs();
    inputs[1].data = nullptr;
    CHECK(contains(Problem(kernel).bind_inputs(inputs.data(), 4).message(), "null"));
    inputs[1].data = reinterpret_cast<char *>(arrays.y.values.data()) + 1;
    CHECK(contains(Problem(kernel).bind_inputs(inputs.data(), 4).message(), "not aligned"));
    Arrays none(5, 0);
    inputs = none.inputs();
    inputs[1].data = inputs[2].data = nullptr;
    CHECK(Problem(kernel).bind_inputs(inputs.data(), 4).is_ok());
}

void test_outputs_over_inputs_are_refused() {
    const Kernel kernel = plain_kernel();
    Arrays arrays(5, 7);
    const auto inputs = arrays.inputs();
    auto outputs = arrays.outputs();
    Problem problem(kernel);
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    outputs[0].data = arrays.x.values.data() + 14; // the last number of x
    CHECK(
        contains(problem.bind_outputs(outputs.data(), 2).message(), "shares memory with input 0"));
    outputs = arrays.outputs();
    outputs[0].data = outputs[1].data;
    CHECK(contains(problem.bind_outputs(outputs.data(), 2).message(),
                   "output 1 shares memory with output 0"));
}

void test_sizes_beyond_the_address_space_are_refused() {
    const Kernel kernel = plain_kernel();
    constexpr int64_t huge = std::numeric_limits<int64_t>::max() / 2;
    Arrays arrays(5, 7, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1});
    arrays.x.shape = {huge, 3, 5, 3};
    CHECK(contains(refusal(kernel, arrays), "too large"));
    Kernel carriers = plain_kernel(); // widths 0: the extents cost no memory, the output would
    carriers.inputs = {{Axis::i, 0}, {Axis::j, 0}};
    carriers.outputs = {{4, Dtype::float32, 0}};
    Array<float> x({0}), out({0});
    x.shape = {huge, 0};
    out.shape = {huge, 4};
    const Buffer inputs[] = {x.buffer(), x.buffer()}, to = out.buffer();
    Problem problem(carriers);
    CHECK(problem.bind_inputs(inputs, 2).is_ok());
    CHECK(contains(problem.bind_outputs(&to, 1).message(), "too large"));
}

void test_columns_beyond_the_most_are_refused() {
    Kernel kernel = plain_kernel();
    kernel.most_columns = 7;
    const auto bound = [&](int64_t N, auto change) {
        Arrays arrays(5, N, {2}, {2}, {2}, {2}, {2});
        change(arrays);
        return Problem(kernel).bind_inputs(arrays.inputs().data(), 4);
    };
    for (int64_t N : {0, 1, 7})
        CHECK(bound(N, [](Arrays &) {}).is_ok());
    const Status refused = bound(8, [](Arrays &) {});
    CHECK(refused.code() == Status::Code::too_large);
    CHECK(contains(refused.message(), "axis 'j' have 8 rows, expected at most 7: lists"));
    const Status misfit = bound(8, [](Arrays &a) { a.p.shape = {3, 1}; });
    CHECK(misfit.code() == Status::Code::misfit);
}

void test_a_description_must_make_sense() {
    const auto with = [](auto change) {
        Kernel kernel = column_kernel();
        change(kernel);
        return check(kernel).message();
    };
    CHECK(with([](Kernel &) {}).empty());
    CHECK(contains(with([](Kernel &k) { k.rows = nullptr; }), "rows function"));
    CHECK(contains(with([](Kernel &k) { k.dtype = Dtype::int32; }), "float one, not int32"));
    CHECK(contains(with([](Kernel &k) { k.outputs.clear(); }), "no output"));
    CHECK(contains(with([](Kernel &k) { k.row_block = 0; }), "row_block"));
    CHECK(contains(with([](Kernel &k) { k.most_columns = 0; }), "most_columns"));
    CHECK(contains(with([](Kernel &k) { k.pair_cost = NAN; }), "pair_cost"));
    CHECK(contains(with([](Kernel &k) { k.inputs[0].width = -1; }), "negative"));
    CHECK(contains(with([](Kernel &k) { k.outputs[0].width = -1; }), "negative"));
    CHECK(contains(with([](Kernel &k) { k.outputs[1].empty = 0.5; }), "is not an int64"));
    CHECK(contains(with([](Kernel &k) { k.outputs[1].empty = 0x1p63; }), "is not an int64"));
    CHECK(contains(with([](Kernel &k) { k.outputs[1].empty = NAN; }), "is not an int64"));
    CHECK(contains(with([](Kernel &k) { k.column_inputs = {4}; }), "input 4 of 4"));
    CHECK(contains(with([](Kernel &k) { k.column_inputs = {0}; }), "axis 'i'"));
    CHECK(contains(with([](Kernel &k) { k.column_width = 0; }), "column_width"));
    CHECK(contains(with([](Kernel &k) { k.columns = nullptr; }), "no columns function"));
}

} // namespace

int main() {
    test_extents_come_from_the_inputs();
    test_every_element_is_located();
    test_scratch_is_shared_where_columns_do_not_vary();
    test_missing_axes_mean_one_row();
    test_no_input_at_all_is_one_pair();
    test_what_does_not_fit_is_refused();
    test_counts_and_dtypes_are_checked();
    test_bad_addresses_are_refused();
    test_outputs_over_inputs_are_refused();
    test_sizes_beyond_the_address_space_are_refused();
    test_columns_beyond_the_most_are_refused();
    test_a_description_must_make_sense();
    return failures != 0;
}
