// tests/cpp/test_ranged_launch.cpp -- block-sparse reductions agree with brute force
#include "../../csrc/cpu/cut.h"
#include "../../csrc/cpu/launch.h"
#include "../../csrc/core/ranges.h"
#include "../../csrc/cpu/thread_pool.h"

#include "check.h"
#include "patterns.h"
#include "workers.h"

#include <mutex>
#include <thread>

using namespace jaxkeops;
using namespace samples;

namespace {

template <class T>
Status solve(const Kernel &kernel, Arrays &arrays, Pattern<T> &pattern, Workers &workers) {
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    if (Status status = problem.bind_inputs(inputs.data(), inputs.size()); !status.is_ok())
        return status;
    {
        // What the launch needs of the pattern it must have copied.
        Pattern<T> passing = pattern;
        if (Status status = problem.bind_ranges(passing.buffers().data()); !status.is_ok())
            return status;
        std::fill(passing.column_blocks.values.begin(), passing.column_blocks.values.end(), -1);
    }
    if (Status status = problem.bind_outputs(outputs.data(), outputs.size()); !status.is_ok())
        return status;
    return launch(problem, workers);
}

/// Whether both outputs agree with sums in double over the lists.
template <class T>
bool agree(const Arrays &arrays, const Pattern<T> &pattern) {
    const auto lists = pattern.lists(arrays.M);
    int64_t elements = 1;
    for (int64_t extent : arrays.batch)
        elements *= extent;
    for (int64_t b = 0; b < elements; ++b) {
        Arrays::Extents at(arrays.batch.size());
        for (int64_t rest = b, d = static_cast<int64_t>(at.size()); d-- > 0;) {
            at[d] = rest % arrays.batch[d];
            rest /= arrays.batch[d];
        }
        const float *xs = arrays.start(arrays.x, at, 2), *ys = arrays.start(arrays.y, at, 2),
                    *ws = arrays.start(arrays.w, at, 2), *ps = arrays.start(arrays.p, at, 1);
        for (int64_t i = 0; i < arrays.M; ++i) {
            const auto &list = lists[static_cast<size_t>(i)];
            double expected = list.empty() ? -1.5 : 0;
            for (int64_t j : list)
                for (int64_t d = 0; d < kWidth; ++d)
                    expected += double(ps[0]) * ws[j] * xs[i * kWidth + d] * ys[j * kWidth + d];
            const double got = arrays.sum.values[b * arrays.M + i];
            const int64_t pairs = arrays.count.values[b * arrays.M + i];
            if (!(std::abs(got - expected) <= 1e-4 * (1 + std::abs(expected))) ||
                pairs != (list.empty() ? -1 : static_cast<int64_t>(list.size())))
                return false;
        }
    }
    return true;
}

template <class T>
void test_random_patterns_agree_with_brute_force() {
    std::mt19937_64 random(20);
    for (Kernel kernel : {plain_kernel(), column_kernel()})
        for (int64_t block : {1, 16})
            for (int64_t M : {0, 1, 17, 300})
                for (int64_t N : {0, 1, 64, 250})
                    for (int64_t most : {3, 40, 400})
                        for (int64_t threads : {1, 4}) {
                            kernel.row_block = block;
                            kernel.pair_cost = threads > 1 ? 20 : 1;
                            Pattern<T> pattern = random_pattern<T>(random, M, N, most, 6);
                            Arrays arrays(M, N);
                            EagerWorkers workers(threads);
                            CHECK(solve(kernel, arrays, pattern, workers).is_ok());
                            CHECK(agree(arrays, pattern));
                        }
}

void test_every_batch_element_has_the_same_pattern() {
    using Extents = std::vector<int64_t>;
    const struct {
        Extents all, x, y, w, p;
    } cases[] = {
        {{3}, {3}, {1}, {3}, {1}},
        {{2, 3}, {2, 1}, {1, 3}, {1, 1}, {2, 3}},
        {{2, 0}, {2, 1}, {1, 0}, {1, 1}, {1, 1}},
        {{2000}, {2000}, {1}, {1}, {2000}},
    };
    std::mt19937_64 random(21);
    for (const Kernel &kernel : {plain_kernel(), column_kernel()})
        for (const auto &c : cases) {
            const int64_t M = c.all[0] == 2000 ? 5 : 90;
            auto pattern = random_pattern<int64_t>(random, M, 70, 9, 5);
            Arrays arrays(M, 70, c.all, c.x, c.y, c.w, c.p);
            EagerWorkers workers(3);
            CHECK(solve(kernel, arrays, pattern, workers).is_ok());
            CHECK(agree(arrays, pattern));
        }
}

void test_one_huge_block_and_many_small_ones() {
    Kernel kernel = column_kernel();
    kernel.row_block = 16;
    for (bool is_first : {true, false}) {
        Pattern<int32_t> pattern;
        const auto huge = [&] { pattern.add({1000, 3000}, {{0, 400}, {0, 400}}); };
        if (is_first)
            huge();
        for (int64_t at = 0; at < 1000; ++at)
            pattern.add({at, at + 1}, {{at % 400, at % 400 + 1}});
        if (!is_first)
            huge();
        Arrays arrays(3010, 400);
        EagerWorkers workers(4);
        CHECK(solve(kernel, arrays, pattern, workers).is_ok());
        CHECK(agree(arrays, pattern));
    }
}

std::mutex calls_mutex;
std::vector<Pair> spans;
std::vector<std::vector<int64_t>> walks;

void note(const Call *call, int64_t begin, int64_t end) {
    std::lock_guard lock(calls_mutex);
    spans.emplace_back(begin, end);
    walks.emplace_back(call->ranges, call->ranges + 2 * call->range_count);
}

void test_kernels_see_the_pairs_in_order_without_empty_ones() {
    Kernel kernel = plain_kernel();
    kernel.rows = note;
    Pattern<int64_t> pattern;
    pattern.add({6, 8}, {{4, 4}, {5, 7}, {0, 2}, {5, 7}, {9, 9}});
    pattern.add({3, 3}, {{0, 9}});
    pattern.add({2, 4}, {{3, 3}, {1, 1}});
    pattern.add({0, 2}, {{8, 9}});
    Arrays arrays(10, 9);
    BlockedWorkers workers(1);
    spans.clear();
    walks.clear();
    CHECK(solve(kernel, arrays, pattern, workers).is_ok());
    CHECK((spans == std::vector<Pair>{{0, 2}, {6, 8}}));
    CHECK((walks == std::vector<std::vector<int64_t>>{{8, 9}, {5, 7, 0, 2, 5, 7}}));
    for (int64_t i : {2, 3, 4, 5, 8, 9})
        CHECK(arrays.sum.values[i] == -1.5f && arrays.count.values[i] == -1);
}

void test_a_dense_call_has_one_pair() {
    Kernel kernel = plain_kernel();
    kernel.rows = note;
    Arrays arrays(10, 9);
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(problem.bind_outputs(outputs.data(), 2).is_ok());
    BlockedWorkers workers(1);
    walks.clear();
    CHECK(launch(problem, workers).is_ok());
    CHECK((walks == std::vector<std::vector<int64_t>>{{0, 9}}));
}

void test_nothing_runs_if_no_row_has_a_column() {
    Kernel kernel = column_kernel();
    kernel.rows = note;
    kernel.columns = note;
    Pattern<int64_t> none, empty;
    empty.add({0, 10}, {{3, 3}});
    for (Pattern<int64_t> *pattern : {&none, &empty}) {
        Arrays arrays(10, 9);
        BlockedWorkers workers(1);
        spans.clear();
        CHECK(solve(kernel, arrays, *pattern, workers).is_ok());
        CHECK(spans.empty());
        CHECK(agree(arrays, *pattern));
    }
}

/// The cut of this pattern for 8 threads.
RangeCut cut_of(const Kernel &kernel, int64_t M, int64_t N, Pattern<int64_t> &pattern) {
    Arrays arrays(M, N);
    Problem problem(kernel);
    const auto inputs = arrays.inputs();
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(problem.bind_ranges(pattern.buffers().data()).is_ok());
    return cut_ranges(problem, 8);
}

void test_items_are_of_about_one_length() {
    Kernel kernel = plain_kernel();
    kernel.row_block = 16;
    kernel.pair_cost = 0.2;
    Pattern<int64_t> tiny, uneven, repeated;
    for (int64_t k = 0; k < 10'000; ++k)
        tiny.add({2 * k, 2 * k + 2}, {{k, k + 2}});
    // 16 rows of 2 columns take 6.4 ns and 20 for the call: some 0.3 ms in all, 64 shares of 4 us.
    const RangeCut small = cut_of(kernel, 20'000, 10'001, tiny);
    CHECK(small.cut.items >= 48 && small.cut.items <= 96);
    CHECK(small.cut.group == 1);

    uneven.add({0, 20'000}, {{0, 20'000}});
    for (int64_t k = 0; k < 1000; ++k)
        uneven.add({20'000 + 8 * k, 20'008 + 8 * k}, {{0, 10}});
    // 80 ms in one block: chunks of 1 ms at most, in whole tiles.
    const RangeCut large = cut_of(kernel, 28'000, 20'000, uneven);
    CHECK(large.runs[0].blocks == 1 && large.runs[0].chunk % 16 == 0);
    CHECK(static_cast<double>(large.runs[0].chunk) * 20'000 * 0.2 <= 1.1e6);
    CHECK(large.runs.size() < 10);

    // A list may be longer than N: its rows are cut finer.
    repeated.add({0, 1000}, std::vector<Pair>(1000, Pair{0, 1000}));
    const RangeCut fine = cut_of(kernel, 1000, 1000, repeated);
    CHECK(fine.runs[0].chunk == 16);
    CHECK(fine.cut.items == 63);
}

void test_small_work_is_not_shared_and_batches_are_grouped() {
    Kernel kernel = plain_kernel();
    Pattern<int64_t> pattern;
    pattern.add({0, 4}, {{0, 4}});
    Arrays arrays(100, 100);
    BlockedWorkers workers(8);
    CHECK(solve(kernel, arrays, pattern, workers).is_ok());
    CHECK(workers.asked == 0);
    Arrays many(8, 8, {5000}, {5000}, {1}, {1}, {1});
    Problem problem(kernel);
    const auto inputs = many.inputs();
    CHECK(problem.bind_inputs(inputs.data(), 4).is_ok());
    CHECK(problem.bind_ranges(pattern.buffers().data()).is_ok());
    const Cut cut = cut_ranges(problem, 8).cut;
    CHECK(cut.items == 5000 && cut.group > 20);
}

void test_helpers_of_every_temper() {
    std::mt19937_64 random(22);
    Kernel kernel = column_kernel();
    kernel.pair_cost = 20;
    auto pattern = random_pattern<int32_t>(random, 500, 300, 30, 6);
    BlockedWorkers blocked(4);
    InlineWorkers inline_workers(4);
    ThrowingWorkers throwing(4);
    for (Workers *workers :
         {static_cast<Workers *>(&blocked), static_cast<Workers *>(&inline_workers),
          static_cast<Workers *>(&throwing)}) {
        Arrays arrays(500, 300);
        CHECK(solve(kernel, arrays, pattern, *workers).is_ok());
        CHECK(agree(arrays, pattern));
    }
    CHECK(blocked.asked == 3);
    for (const auto &job : blocked.jobs) // the ranges are gone: a sanitizer would tell
        job->help();
}

void test_many_callers_at_once() {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 8; ++caller)
        callers.emplace_back([caller] {
            std::mt19937_64 random(30 + caller);
            Kernel kernel = column_kernel();
            kernel.pair_cost = 20;
            for (int round = 0; round < 5; ++round) {
                auto pattern = random_pattern<int64_t>(random, 300, 200, 30, 4);
                Arrays arrays(300, 200);
                CHECK(solve(kernel, arrays, pattern, ThreadPool::instance()).is_ok());
                CHECK(agree(arrays, pattern));
            }
        });
    for (std::thread &caller : callers)
        caller.join();
}

} // namespace

int main() {
    test_random_patterns_agree_with_brute_force<int32_t>();
    test_random_patterns_agree_with_brute_force<int64_t>();
    test_every_batch_element_has_the_same_pattern();
    test_one_huge_block_and_many_small_ones();
    test_kernels_see_the_pairs_in_order_without_empty_ones();
    test_a_dense_call_has_one_pair();
    test_nothing_runs_if_no_row_has_a_column();
    test_items_are_of_about_one_length();
    test_small_work_is_not_shared_and_batches_are_grouped();
    test_helpers_of_every_temper();
    test_many_callers_at_once();
    return failures != 0;
}
