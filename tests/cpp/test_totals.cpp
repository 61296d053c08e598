// tests/cpp/test_totals.cpp -- sums over the kept rows: right, and the same for all threads
#include "../../csrc/cpu/cut.h"
#include "../../csrc/cpu/launch.h"
#include "../../csrc/cpu/partials.h"

#include "check.h"
#include "patterns.h"
#include "totals.h"
#include "workers.h"

#include <limits>

using namespace jaxkeops;
using namespace samples;

namespace {

using Extents = std::vector<int64_t>;

Status solve(const Kernel &kernel, TotalArrays &arrays, Workers &workers,
             Pattern<int64_t> *pattern = nullptr) {
    Problem problem(kernel);
    const auto inputs = arrays.inputs();
    if (Status status = problem.bind_inputs(inputs.data(), inputs.size()); !status.is_ok())
        return status;
    if (pattern)
        if (Status status = problem.bind_ranges(pattern->buffers().data()); !status.is_ok())
            return status;
    const auto outputs = kernel.outputs.size() == 2 ? arrays.only_totals() : arrays.outputs();
    if (Status status = problem.bind_outputs(outputs.data(), outputs.size()); !status.is_ok())
        return status;
    return launch(problem, workers);
}

void test_totals_agree_with_sums_of_the_rows() {
    for (int64_t M : {1, 2, 31, 400, 5000})
        for (int64_t N : {1, 65, 300})
            for (int64_t threads : {1, 4}) {
                TotalArrays arrays(M, N);
                EagerWorkers workers(threads);
                CHECK(solve(total_kernel(), arrays, workers).is_ok());
                CHECK(arrays.agree());
                CHECK(arrays.pairs.values[0] == static_cast<float>(M * N));
            }
}

void test_batches_have_totals_of_their_own() {
    const struct {
        Extents all, x, y;
        int64_t M;
    } cases[] = {
        {{3}, {3}, {3}, 500}, {{3}, {3}, {1}, 500},      {{2, 3}, {2, 3}, {1, 3}, 100},
        {{3}, {1}, {3}, 500}, {{5000}, {5000}, {1}, 17}, {{5000}, {1}, {5000}, 1},
    };
    for (const auto &c : cases) {
        TotalArrays arrays(c.M, 30, c.all, c.x, c.y);
        EagerWorkers workers(3);
        CHECK(solve(total_kernel(), arrays, workers).is_ok());
        CHECK(arrays.agree(c.x[0] == 1));
    }
}

/// Solves with every number and temper of threads, and checks that all bits agree.
void check_all_threads(TotalArrays &arrays, Pattern<int64_t> *pattern) {
    for (const Kernel &kernel : {total_kernel(), only_totals_kernel()}) {
        EagerWorkers one(1), two(2), five(5);
        InlineWorkers inline_workers(7);
        BlockedWorkers blocked(64);
        ThrowingWorkers throwing(3);
        std::vector<double> totals;
        std::vector<float> pairs;
        for (Workers *workers :
             {static_cast<Workers *>(&one), static_cast<Workers *>(&two),
              static_cast<Workers *>(&five), static_cast<Workers *>(&inline_workers),
              static_cast<Workers *>(&blocked), static_cast<Workers *>(&throwing)}) {
            std::fill(arrays.totals.values.begin(), arrays.totals.values.end(), NAN);
            CHECK(solve(kernel, arrays, *workers, pattern).is_ok());
            if (totals.empty()) {
                totals = arrays.totals.values;
                pairs = arrays.pairs.values;
            }
            CHECK(arrays.totals.values == totals && arrays.pairs.values == pairs);
        }
        for (const auto &job : blocked.jobs) // all memory is gone: a sanitizer would tell
            job->help();
    }
}

void test_bits_do_not_depend_on_threads() {
    std::mt19937_64 random(40);
    for (int64_t M : {300, 4001}) {
        TotalArrays arrays(M, 100), batched(M, 50, {3}, {3}, {1}), many(5, 40, {700}, {700}, {1});
        auto pattern = random_pattern<int64_t>(random, M, 50, 40, 6);
        auto small = random_pattern<int64_t>(random, 5, 40, 2, 3);
        check_all_threads(arrays, nullptr);
        check_all_threads(arrays, &pattern);
        check_all_threads(batched, nullptr);
        check_all_threads(batched, &pattern);
        check_all_threads(many, nullptr);
        check_all_threads(many, &small);
    }
}

void test_rows_out_of_ranges_add_nothing() {
    std::mt19937_64 random(41);
    for (int64_t M : {1, 17, 300, 2000})
        for (int64_t N : {1, 64, 250})
            for (int64_t most : {3, 40, 4000})
                for (int64_t threads : {1, 4}) {
                    auto pattern = random_pattern<int64_t>(random, M, N, most, 6);
                    TotalArrays arrays(M, N), batched(M, N, {3}, {3}, {1});
                    EagerWorkers workers(threads);
                    CHECK(solve(total_kernel(), arrays, workers, &pattern).is_ok());
                    CHECK(arrays.agree());
                    CHECK(solve(total_kernel(), batched, workers, &pattern).is_ok());
                    CHECK(batched.agree());
                    double pairs = 0;
                    for (const auto &list : pattern.lists(M))
                        pairs += static_cast<double>(list.size());
                    CHECK(batched.pairs.values[2] == static_cast<float>(pairs));
                }
}

void test_nothing_to_reduce_gives_the_empty_value() {
    Kernel kernel = total_kernel();
    kernel.outputs[0].empty = 0.25;
    Pattern<int64_t> none;
    const auto check = [&](int64_t M, int64_t N, Pattern<int64_t> *pattern) {
        TotalArrays arrays(M, N, {2}, {2}, {1});
        BlockedWorkers workers(1);
        CHECK(solve(kernel, arrays, workers, pattern).is_ok());
        CHECK(arrays.totals.values == std::vector<double>(4, 0.25));
        CHECK(arrays.pairs.values == std::vector<float>(2, 0));
        CHECK(arrays.sum.values == std::vector<float>(static_cast<size_t>(2 * M), -1.5f));
    };
    check(0, 7, nullptr);
    check(5, 0, nullptr);
    check(0, 0, nullptr);
    check(5, 7, &none);
    check(0, 7, &none);
    TotalArrays batchless(5, 7, {0}, {0}, {1});
    BlockedWorkers workers(1);
    CHECK(solve(kernel, batchless, workers).is_ok());
}

/// The row itself is what it adds.
void add_x(const Call *call, int64_t begin, int64_t end) {
    const auto *x = static_cast<const double *>(call->inputs[0]);
    *call->partials = 0;
    for (int64_t i = begin; i < end; ++i)
        *call->partials += x[i];
}

double total_of(const std::vector<double> &terms, int64_t threads) {
    Kernel kernel;
    kernel.dtype = Dtype::float64;
    kernel.inputs = {{Axis::i, 1}};
    kernel.outputs = {{1, Dtype::float64, 0, Axis::p}};
    kernel.rows = add_x;
    kernel.pair_cost = 1e6; // every row is an item
    Array<double> x({static_cast<int64_t>(terms.size()), 1}), total({1});
    x.values = terms;
    Problem problem(kernel);
    const Buffer in = x.buffer(), out = total.buffer();
    CHECK(problem.bind_inputs(&in, 1).is_ok());
    CHECK(problem.bind_outputs(&out, 1).is_ok());
    EagerWorkers workers(threads);
    CHECK(launch(problem, workers).is_ok());
    return total.values[0];
}

void test_summation_is_compensated() {
    std::vector<double> terms;
    for (int k = 0; k < 200; ++k)
        terms.insert(terms.end(), {1.0, 1e16, 0.5, -1e16});
    for (int64_t threads : {1, 3})
        CHECK(total_of(terms, threads) == 300.0);
}

void test_infinities_and_nans_are_kept() {
    constexpr double inf = INFINITY;
    const double most = std::numeric_limits<double>::max();
    CHECK(total_of({1, inf, 2}, 1) == inf);
    CHECK(total_of({1, -inf, -inf, 2}, 1) == -inf);
    CHECK(total_of({most, most, 1}, 1) == inf);
    CHECK(total_of({most, 1, most / -2}, 1) == most / 2);
    CHECK(std::isnan(total_of({1, inf, -inf}, 1)));
    CHECK(std::isnan(total_of({1, NAN, 2}, 1)));
}

void test_rows_are_cut_alike_for_any_number_of_threads() {
    const auto cut_of = [](const Kernel &kernel, int64_t M, int64_t threads) {
        TotalArrays arrays(M, 10);
        Problem problem(kernel);
        const auto inputs = arrays.inputs();
        CHECK(problem.bind_inputs(inputs.data(), 2).is_ok());
        return cut_rows(problem, threads);
    };
    Kernel kernel = total_kernel();
    for (int64_t M : {1, 1000, 300'000})
        for (double cost : {0.0, 0.2, 50.0, 1e5}) {
            kernel.pair_cost = cost;
            const Cut one = cut_of(kernel, M, 1);
            for (int64_t threads : {2, 5, 64}) {
                const Cut other = cut_of(kernel, M, threads);
                CHECK(other.chunk == one.chunk && other.chunks == one.chunks &&
                      other.items == one.items);
            }
            CHECK(one.items <= 2048);
        }
    // Some 64 MB of partial sums, however wide: 16 shares of a million numbers would be 128.
    kernel.outputs[0].width = 100'000;
    CHECK(cut_of(kernel, 300'000, 1).items <= 160);
}

void test_shapes_are_checked() {
    const auto refusal = [](auto change) {
        TotalArrays arrays(5, 7, {2}, {2}, {1});
        change(arrays);
        BlockedWorkers workers(1);
        return solve(total_kernel(), arrays, workers).message();
    };
    CHECK(refusal([](TotalArrays &) {}).empty());
    CHECK(contains(refusal([](TotalArrays &a) { a.totals.shape = {2, 1, 2}; }),
                   "output 0: expected shape (2, 2), got (2, 1, 2)"));
    CHECK(contains(refusal([](TotalArrays &a) { a.totals.shape = {2}; }),
                   "output 0: expected shape (2, 2), got (2,)"));
    CHECK(contains(refusal([](TotalArrays &a) { a.pairs.shape = {2, 5, 1}; }),
                   "output 2: expected shape (2, 1), got (2, 5, 1)"));
    CHECK(contains(refusal([](TotalArrays &a) { a.sum.shape = {2, 1}; }),
                   "output 1: expected shape (2, 5, 1), got (2, 1)"));
    Kernel kernel = only_totals_kernel();
    TotalArrays arrays(5, 7);
    kernel.outputs[0].width = 2;
    Problem problem(kernel);
    const auto inputs = arrays.inputs();
    auto outputs = arrays.only_totals();
    CHECK(problem.bind_inputs(inputs.data(), 2).is_ok());
    CHECK(problem.output_rank(0) == 1 && problem.output_extent(0, 0) == 2);
    outputs[1].data = outputs[0].data;
    CHECK(contains(problem.bind_outputs(outputs.data(), 2).message(),
                   "output 1 shares memory with output 0"));
    outputs[1].data = arrays.x.values.data();
    CHECK(contains(problem.bind_outputs(outputs.data(), 2).message(),
                   "output 1 shares memory with input 0"));
}

void never(const Call *, int64_t, int64_t) {
    CHECK(!"nothing may run");
}

void test_sums_that_cannot_be_held_are_a_status() {
    Kernel kernel = only_totals_kernel();
    kernel.rows = never;
    for (int64_t width : {int64_t{1} << 45, int64_t{1} << 59}) {
        kernel.outputs = {{width, Dtype::float32, 0, Axis::p}};
        TotalArrays arrays(5, 7);
        const int64_t shape[] = {width};
        // Beyond all addresses of a process: it is never written to.
        const Buffer out{reinterpret_cast<void *>(int64_t{1} << 60), shape, 1, Dtype::float32};
        Problem problem(kernel);
        const auto inputs = arrays.inputs();
        CHECK(problem.bind_inputs(inputs.data(), 2).is_ok());
        CHECK(problem.bind_outputs(&out, 1).is_ok());
        BlockedWorkers workers(4);
        const Status status = launch(problem, workers);
        CHECK(status.code() == Status::Code::no_memory);
        CHECK(contains(status.message(), std::to_string(width) + " partial sums"));
    }
}

void test_a_width_of_zero_has_no_partials() {
    Kernel kernel = plain_kernel();
    kernel.inputs = {{Axis::i, 1}};
    kernel.outputs = {{0, Dtype::float32, 0, Axis::p}, {1, Dtype::float32, 0}};
    kernel.rows = [](const Call *call, int64_t begin, int64_t end) {
        CHECK(call->partials == nullptr);
        std::fill(static_cast<float *>(call->outputs[1]) + begin,
                  static_cast<float *>(call->outputs[1]) + end, 3.0f);
    };
    Array<float> x({5, 1}), none({0}), out({5, 1});
    const Buffer in = x.buffer(), outputs[] = {none.buffer(), out.buffer()};
    Problem problem(kernel);
    CHECK(problem.bind_inputs(&in, 1).is_ok());
    CHECK(problem.bind_outputs(outputs, 2).is_ok());
    BlockedWorkers workers(1);
    CHECK(launch(problem, workers).is_ok());
    CHECK(out.values == std::vector<float>(5, 3.0f));
}

void test_a_description_must_make_sense() {
    const auto with = [](auto change) {
        Kernel kernel = total_kernel();
        change(kernel);
        return check(kernel).message();
    };
    CHECK(with([](Kernel &) {}).empty());
    CHECK(contains(with([](Kernel &k) { k.outputs[0].axis = Axis::j; }), "axis 'j'"));
    CHECK(contains(with([](Kernel &k) { k.outputs[3].axis = Axis::p; }),
                   "must be of a float dtype, not int64"));
    constexpr int64_t most = std::numeric_limits<int64_t>::max();
    CHECK(contains(with([](Kernel &k) { k.outputs[0].width = most; }), "too wide"));
    CHECK(contains(with([](Kernel &k) { k.workspace = -1; }), "workspace"));
    CHECK(partial_width(total_kernel()) == 3 && partial_width(plain_kernel()) == 0);
}

} // namespace

int main() {
    test_totals_agree_with_sums_of_the_rows();
    test_batches_have_totals_of_their_own();
    test_bits_do_not_depend_on_threads();
    test_rows_out_of_ranges_add_nothing();
    test_nothing_to_reduce_gives_the_empty_value();
    test_summation_is_compensated();
    test_infinities_and_nans_are_kept();
    test_rows_are_cut_alike_for_any_number_of_threads();
    test_shapes_are_checked();
    test_sums_that_cannot_be_held_are_a_status();
    test_a_width_of_zero_has_no_partials();
    test_a_description_must_make_sense();
    return failures != 0;
}
