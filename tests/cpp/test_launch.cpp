// tests/cpp/test_launch.cpp -- every row once, columns before rows, whatever the helpers do
#include "../../csrc/cpu/cut.h"
#include "../../csrc/cpu/launch.h"

#include "check.h"
#include "samples.h"
#include "workers.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <mutex>
#include <thread>

using namespace jaxkeops;
using namespace samples;

namespace {

Status solve(const Kernel &kernel, Arrays &arrays, Workers &workers) {
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    if (Status status = problem.bind_inputs(inputs.data(), inputs.size()); !status.is_ok())
        return status;
    if (Status status = problem.bind_outputs(outputs.data(), outputs.size()); !status.is_ok())
        return status;
    return launch(problem, workers);
}

void test_all_sizes_agree_with_dense_sums() {
    for (const Kernel &kernel : {plain_kernel(), column_kernel()})
        for (int64_t M : {0, 1, 2, 31, 32, 33, 400})
            for (int64_t N : {0, 1, 63, 64, 65, 300})
                for (int64_t threads : {1, 4}) {
                    Arrays arrays(M, N);
                    EagerWorkers workers(threads);
                    CHECK(solve(kernel, arrays, workers).is_ok());
                    CHECK(arrays.agree());
                }
}

void test_batches_broadcast() {
    using Extents = std::vector<int64_t>;
    const struct {
        Extents all, x, y, w, p;
    } cases[] = {
        {{3}, {3}, {3}, {3}, {3}},
        {{3}, {1}, {3}, {1}, {1}},
        {{3}, {3}, {1}, {1}, {1}},
        {{2, 3}, {2, 1}, {1, 3}, {1, 1}, {2, 3}},
        {{2, 3, 2}, {1, 3, 1}, {2, 1, 1}, {1, 1, 2}, {1, 1, 1}},
        {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
        {{0}, {0}, {1}, {1}, {0}},
        {{2, 0}, {2, 1}, {1, 0}, {1, 1}, {1, 1}},
        {{5000}, {5000}, {1}, {1}, {5000}},
    };
    for (const Kernel &kernel : {plain_kernel(), column_kernel()})
        for (const auto &c : cases)
            for (int64_t M : {1, 17}) {
                Arrays arrays(M, c.all[0] == 5000 ? 4 : 70, c.all, c.x, c.y, c.w, c.p);
                EagerWorkers workers(3);
                CHECK(solve(kernel, arrays, workers).is_ok());
                CHECK(arrays.agree());
            }
}

std::mutex spans_mutex;
std::vector<std::pair<int64_t, int64_t>> row_spans, column_spans;

void note_rows(const Call *, int64_t begin, int64_t end) {
    std::lock_guard lock(spans_mutex);
    row_spans.emplace_back(begin, end);
}

void note_columns(const Call *, int64_t begin, int64_t end) {
    std::lock_guard lock(spans_mutex);
    column_spans.emplace_back(begin, end);
}

/// Spans cover [0, rows) once, and start at multiples of `block`.
bool cover(std::vector<std::pair<int64_t, int64_t>> spans, int64_t rows, int64_t block) {
    std::sort(spans.begin(), spans.end());
    int64_t at = 0;
    for (const auto &[begin, end] : spans) {
        if (begin != at || end <= begin || begin % block != 0)
            return false;
        at = end;
    }
    return at == rows;
}

void test_chunks_cover_all_rows_in_whole_blocks() {
    Kernel kernel = column_kernel();
    kernel.rows = note_rows;
    kernel.columns = note_columns;
    for (int64_t block : {1, 16, 100})
        for (int64_t M : {1, 15, 16, 17, 1000, 4001})
            for (int64_t N : {1, 100, 5000})
                for (double cost : {0.0, 0.2, 50.0}) {
                    kernel.row_block = block;
                    kernel.pair_cost = cost;
                    row_spans.clear();
                    column_spans.clear();
                    Arrays arrays(M, N);
                    EagerWorkers workers(3);
                    CHECK(solve(kernel, arrays, workers).is_ok());
                    CHECK(cover(row_spans, M, block));
                    CHECK(cover(column_spans, N, kColumnBlock));
                }
}

std::atomic<int> calls_without_scratch{0};

void note_scratch(const Call *call, int64_t begin, int64_t end) {
    calls_without_scratch += call->columns == nullptr;
    note_rows(call, begin, end);
}

void test_small_problems_do_without_a_scratch_that_does_not_pay() {
    Kernel kernel = column_kernel();
    kernel.rows = note_scratch;
    kernel.columns = note_columns;
    kernel.scratch_rows = 128;
    kernel.scratch_columns = 1000;
    for (int64_t M : {1, 127, 128, 500})
        for (int64_t N : {1, 999, 1000, 5000}) {
            column_spans.clear();
            calls_without_scratch = 0;
            Arrays arrays(M, N);
            EagerWorkers workers(3);
            CHECK(solve(kernel, arrays, workers).is_ok());
            const bool pays = M >= 128 && N >= 1000;
            CHECK(column_spans.empty() != pays);
            CHECK((calls_without_scratch == 0) == pays);
        }
    // Nor do they need the memory.
    kernel.column_width = int64_t{1} << 50;
    calls_without_scratch = 0;
    column_spans.clear();
    Arrays arrays(200, 2000);
    EagerWorkers workers(3);
    CHECK(solve(kernel, arrays, workers).is_ok());
    CHECK(column_spans.empty() && calls_without_scratch > 0);
    kernel.column_width = 1;
    kernel.scratch_rows = -1;
    CHECK(!check(kernel).is_ok());
}

void test_work_is_shared_evenly_and_small_work_is_not_shared() {
    Kernel kernel = plain_kernel();
    kernel.row_block = 16;
    kernel.pair_cost = 0.2;
    Arrays large(100'000, 100'000 / 50), small(100, 100);
    const auto bind = [&](Arrays &arrays) {
        Problem problem(kernel);
        const auto inputs = arrays.inputs();
        CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
        return cut_rows(problem, 8);
    };
    const Cut cut = bind(large);
    CHECK(cut.items >= 64 && cut.chunk % 16 == 0);               // 8 per thread
    CHECK(static_cast<double>(cut.chunk) * 2000 * 0.2 <= 1.1e6); // none longer than a millisecond
    BlockedWorkers workers(8);
    CHECK(solve(kernel, small, workers).is_ok());
    CHECK(workers.asked == 0);
}

void test_a_row_takes_as_long_as_its_block() {
    Kernel kernel = plain_kernel();
    kernel.pair_cost = 0.2;
    for (int64_t block : {1, 64}) { // 10 us of pairs, in lanes of 640 us
        kernel.row_block = block;
        Arrays arrays(1, 1000, {50}, {50}, {1}, {1}, {1});
        BlockedWorkers workers(8);
        CHECK(solve(kernel, arrays, workers).is_ok());
        CHECK(workers.asked == (block == 1 ? 0 : 7));
    }
}

void test_small_batch_elements_are_claimed_together() {
    Kernel kernel = plain_kernel();
    kernel.row_block = 16;
    kernel.pair_cost = 0.2;
    Arrays arrays(50, 50, {4096}, {4096}, {1}, {1}, {1});
    Problem problem(kernel);
    const auto inputs = arrays.inputs();
    CHECK(problem.bind_inputs(inputs.data(), inputs.size()).is_ok());
    for (int64_t threads : {2, 16, 64}) {
        const Cut cut = cut_rows(problem, threads);
        CHECK(cut.chunk == 50 && cut.chunks == 1 && cut.items == 4096); // 0.64 us each
        CHECK(cut.group >= 6 && 4096 / cut.group >= 4 * threads);
    }
}

void test_blocked_helpers_do_not_block_the_caller() {
    for (const Kernel &kernel : {plain_kernel(), column_kernel()}) {
        Arrays arrays(500, 500);
        BlockedWorkers workers(4);
        CHECK(solve(kernel, arrays, workers).is_ok());
        CHECK(workers.asked == 3);
        CHECK(arrays.agree());
    }
}

void test_a_late_helper_touches_nothing_of_the_caller() {
    BlockedWorkers workers(4);
    {
        Kernel kernel = column_kernel();
        Arrays arrays(500, 500);
        CHECK(solve(kernel, arrays, workers).is_ok());
    }
    CHECK(!workers.jobs.empty());
    for (const auto &job : workers.jobs) // kernel and arrays are gone: a sanitizer would tell
        job->help();
}

void test_helpers_that_run_at_once_or_fail_to_start() {
    for (const Kernel &kernel : {plain_kernel(), column_kernel()}) {
        Arrays first(500, 500), second(500, 500);
        InlineWorkers inline_workers(4);
        CHECK(solve(kernel, first, inline_workers).is_ok());
        CHECK(first.agree());
        ThrowingWorkers throwing(4);
        CHECK(solve(kernel, second, throwing).is_ok());
        CHECK(second.agree());
    }
}

std::atomic<int> filled{0}, early{0};

void slow_columns(const Call *call, int64_t begin, int64_t end) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    columns(call, begin, end);
    filled += static_cast<int>(end - begin);
}

void wary_rows(const Call *call, int64_t begin, int64_t end) {
    early += filled < call->N;
    rows_from_columns(call, begin, end);
}

void test_rows_wait_for_all_columns() {
    Kernel kernel = column_kernel();
    kernel.columns = slow_columns;
    kernel.rows = wary_rows;
    for (int round = 0; round < 20; ++round) {
        filled = 0;
        Arrays arrays(300, 5000);
        EagerWorkers workers(4);
        CHECK(solve(kernel, arrays, workers).is_ok());
        CHECK(filled == 5000 && early == 0);
        CHECK(arrays.agree(1e-3));
    }
}

void sum_of_all(const Call *call, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
        double sum = 0;
        for (int64_t k = 0; k < 40; ++k)
            sum += static_cast<const double *>(call->inputs[k])[i];
        for (int64_t k = 0; k < 6; ++k)
            static_cast<double *>(call->outputs[k])[i] = sum + static_cast<double>(k);
    }
}

void test_any_number_of_arrays() {
    Kernel kernel;
    kernel.dtype = Dtype::float64;
    kernel.rows = sum_of_all;
    kernel.pair_cost = 100;
    kernel.inputs.assign(40, {Axis::i, 1});
    kernel.outputs.assign(6, {1, Dtype::float64, 0});
    std::vector<Array<double>> in(40, Array<double>({2, 1000, 1})), out(6, in[0]);
    std::vector<Buffer> inputs, outputs;
    for (auto &array : in)
        inputs.push_back(array.buffer());
    for (auto &array : out)
        outputs.push_back(array.buffer());
    Problem problem(kernel);
    CHECK(problem.bind_inputs(inputs.data(), 40).is_ok());
    CHECK(problem.bind_outputs(outputs.data(), 6).is_ok());
    EagerWorkers workers(4);
    CHECK(launch(problem, workers).is_ok());
    for (size_t k = 0; k < 6; ++k)
        for (size_t i = 0; i < 2000; ++i)
            CHECK(out[k].values[i] == 40 * in[0].values[i] + static_cast<double>(k));
}

void test_an_empty_reduction_has_its_value_in_every_dtype() {
    Kernel kernel;
    kernel.rows = note_rows;
    kernel.inputs = {{Axis::i, 0}, {Axis::j, 0}};
    kernel.outputs = {{2, Dtype::float32, -INFINITY},
                      {1, Dtype::float64, 0.25},
                      {1, Dtype::int32, -1},
                      {3, Dtype::int64, 7}};
    Array<float> x({2, 5, 0}), y({1, 0, 0}), a({2, 5, 2});
    Array<double> b({2, 5, 1});
    Array<int32_t> c({2, 5, 1});
    Array<int64_t> d({2, 5, 3});
    const Buffer inputs[] = {x.buffer(), y.buffer()};
    const Buffer outputs[] = {a.buffer(), b.buffer(), c.buffer(), d.buffer()};
    Problem problem(kernel);
    CHECK(problem.bind_inputs(inputs, 2).is_ok());
    CHECK(problem.bind_outputs(outputs, 4).is_ok());
    row_spans.clear();
    BlockedWorkers workers(1);
    CHECK(launch(problem, workers).is_ok());
    CHECK(row_spans.empty());
    CHECK(a.values == std::vector<float>(20, -INFINITY));
    CHECK(b.values == std::vector<double>(10, 0.25));
    CHECK(c.values == std::vector<int32_t>(10, -1));
    CHECK(d.values == std::vector<int64_t>(30, 7));
}

void test_scratch_that_cannot_be_had_is_a_status() {
    Kernel kernel = column_kernel();
    Arrays arrays(5, 7);
    BlockedWorkers workers(1);
    for (int64_t width : {int64_t{1} << 45, std::numeric_limits<int64_t>::max()}) {
        kernel.column_width = width;
        const Status status = solve(kernel, arrays, workers);
        CHECK(status.code() == Status::Code::no_memory);
        CHECK(contains(status.message(), "scratch"));
    }
}

void test_many_callers_at_once() {
    const Kernel kernel = column_kernel();
    EagerWorkers workers(1);
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 16; ++caller)
        callers.emplace_back([&] {
            for (int round = 0; round < 5; ++round) {
                Arrays arrays(200, 300);
                EagerWorkers own(3);
                CHECK(solve(kernel, arrays, own).is_ok());
                CHECK(arrays.agree());
            }
        });
    for (std::thread &caller : callers)
        caller.join();
}

} // namespace

int main() {
    test_all_sizes_agree_with_dense_sums();
    test_batches_broadcast();
    test_small_problems_do_without_a_scratch_that_does_not_pay();
    test_chunks_cover_all_rows_in_whole_blocks();
    test_work_is_shared_evenly_and_small_work_is_not_shared();
    test_a_row_takes_as_long_as_its_block();
    test_small_batch_elements_are_claimed_together();
    test_blocked_helpers_do_not_block_the_caller();
    test_a_late_helper_touches_nothing_of_the_caller();
    test_helpers_that_run_at_once_or_fail_to_start();
    test_rows_wait_for_all_columns();
    test_any_number_of_arrays();
    test_an_empty_reduction_has_its_value_in_every_dtype();
    test_scratch_that_cannot_be_had_is_a_status();
    test_many_callers_at_once();
    return failures != 0;
}
