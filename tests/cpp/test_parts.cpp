// tests/cpp/test_parts.cpp -- few rows go over their columns in parts: all of them, in order, once
#include "../../csrc/cpu/cut.h"
#include "../../csrc/cpu/launch.h"
#include "../../csrc/cpu/parts.h"

#include "parted.h"
#include "workers.h"

#include <chrono>
#include <limits>

using namespace jaxkeops;
using namespace samples;

namespace {

using Extents = std::vector<int64_t>;

/// Solves, and checks that as many parts were kept and merged as there are to be.
template <class Some>
Status solve(const Kernel &kernel, Some &arrays, Workers &workers,
             Pattern<int64_t> *pattern = nullptr) {
    Problem problem(kernel);
    if (Status status = bind(problem, arrays, pattern); !status.is_ok())
        return status;
    parts_kept = parts_merged = 0;
    Status status = launch(problem, workers);
    if (status.is_ok() && problem.N() && !problem.writes_nothing()) {
        const int64_t parts = cut_parts(problem).parts.items;
        CHECK(parts_kept == parts && parts_merged == parts);
    }
    return status;
}

PartCut cut_of(const Kernel &kernel, int64_t M, int64_t N, Extents batch = {}) {
    Arrays arrays(M, N, batch, batch, batch, batch, batch);
    Problem problem(kernel);
    CHECK(bind(problem, arrays).is_ok());
    return cut_parts(problem);
}

void test_few_rows_agree_with_dense_sums() {
    for (const Kernel &kernel : {plain_parts(), column_parts()})
        for (int64_t M : {1, 3, 4, 5, 8, 41})
            for (int64_t N : {1, 2047, 2048, 2049, 4097, 12288})
                for (int64_t threads : {1, 4}) {
                    Arrays arrays(M, N);
                    EagerWorkers workers(threads);
                    CHECK(solve(kernel, arrays, workers).is_ok());
                    CHECK(arrays.agree(1e-3));
                }
    for (int64_t M : {4 * 63 - 1, 4 * 63, 4 * 63 + 1, 4 * 65}) {
        Arrays arrays(M, 2100);
        EagerWorkers workers(3);
        CHECK(solve(plain_parts(), arrays, workers).is_ok());
        CHECK(arrays.agree(1e-3));
    }
}

void test_batches_of_few_rows() {
    const struct {
        Extents all, x, y, w, p;
        int64_t M;
    } cases[] = {
        {{3}, {3}, {3}, {3}, {3}, 5},
        {{3}, {1}, {3}, {1}, {1}, 1},
        {{2, 3}, {2, 1}, {1, 3}, {1, 1}, {2, 3}, 9},
        {{63}, {63}, {1}, {1}, {63}, 4}, // as many as are few
        {{64}, {64}, {1}, {1}, {64}, 4},
    };
    for (const Kernel &kernel : {plain_parts(), column_parts()})
        for (const auto &c : cases) {
            Arrays arrays(c.M, 3000, c.all, c.x, c.y, c.w, c.p);
            EagerWorkers workers(3);
            CHECK(solve(kernel, arrays, workers).is_ok());
            CHECK(arrays.agree(1e-3));
        }
}

void test_only_long_reductions_of_few_rows_are_cut() {
    const Kernel kernel = plain_parts();
    const auto parts = [](const Kernel &which, int64_t M, int64_t N, Extents batch = {}) {
        return cut_of(which, M, N, std::move(batch)).parts.items;
    };
    CHECK(parts(kernel, 1, 2047) == 0);
    CHECK(parts(kernel, 1, 2048) == 2);
    CHECK(parts(kernel, 1, 200'000) > 64);
    CHECK(parts(kernel, 4 * 63, 2048) == 126);
    CHECK(parts(kernel, 4 * 63 + 1, 2048) == 0); // 64 blocks
    CHECK(parts(kernel, 4, 2048, {7, 9}) == 126);
    CHECK(parts(kernel, 4, 2048, {8, 8}) == 0);
    CHECK(parts(kernel, 5, 2048, {4, 8}) == 0);
    Kernel whole = kernel, cheap = kernel, costly = kernel, wide = kernel;
    whole.parts = false;
    CHECK(parts(whole, 1, 200'000) == 0);
    cheap.pair_cost = 0.2; // 8 us in 10,000 columns
    CHECK(parts(cheap, 4, 10'000) == 0 && parts(cheap, 4, 200'000) > 1);
    costly.part_cost = 1e6; // 50 ms would be worth it: there are 16
    CHECK(parts(costly, 1, 200'000) == 0);
    wide.workspace = 32'000'000;
    CHECK(parts(wide, 1, 200'000) == 0);
}

void test_parts_are_whole_tiles_and_worth_it() {
    for (int64_t M : {1, 4, 30, 200})
        for (int64_t N : {5000, 100'000})
            for (double cost : {0.3, 5.0, 100.0})
                for (int64_t kept : {64, 100'032}) {
                    Kernel kernel = plain_parts();
                    kernel.pair_cost = cost;
                    kernel.workspace = kept;
                    const PartCut cut = cut_of(kernel, M, N);
                    if (cut.parts.items == 0)
                        continue;
                    CHECK(cut.parts.chunk % 1024 == 0 && cut.parts.chunk < N);
                    CHECK(cut.parts.chunks == (N + cut.parts.chunk - 1) / cut.parts.chunk);
                    CHECK(cut.parts.items == cut.merges.items * cut.parts.chunks);
                    CHECK(cut.parts.items < 128 + cut.merges.items);
                    CHECK(cut.merges.chunk == kBlock && cut.merges.items == (M + 3) / 4);
                    CHECK(static_cast<double>(cut.parts.chunk * kBlock) * cost >= 20e3);
                }
}

/// Solves with every number and temper of threads, and checks that all bits agree.
template <class Some, class Bits>
void check_all_threads(const Kernel &kernel, Some &arrays, Bits bits) {
    BlockedWorkers blocked(64);
    InlineWorkers inline_workers(7);
    ThrowingWorkers throwing(3);
    CHECK(solve(kernel, arrays, blocked).is_ok());
    CHECK(parts_kept > 0 && blocked.asked > 0);
    const auto expected = bits(arrays);
    for (Workers *workers :
         {static_cast<Workers *>(&inline_workers), static_cast<Workers *>(&throwing)}) {
        CHECK(solve(kernel, arrays, *workers).is_ok());
        CHECK(bits(arrays) == expected);
    }
    for (int64_t threads = 1; threads <= 8; ++threads) {
        EagerWorkers eager(threads);
        CHECK(solve(kernel, arrays, eager).is_ok());
        CHECK(bits(arrays) == expected);
    }
    for (const auto &job : blocked.jobs) // all memory is gone: a sanitizer would tell
        job->help();
}

void test_bits_do_not_depend_on_threads() {
    const auto sums = [](const Arrays &arrays) { return arrays.sum.values; };
    for (const Kernel &kernel : {plain_parts(), column_parts()}) {
        Arrays one(1, 50'000), some(30, 20'000), batched(6, 5000, {3}, {3}, {1}, {3}, {1});
        check_all_threads(kernel, one, sums);
        check_all_threads(kernel, some, sums);
        check_all_threads(kernel, batched, sums);
    }
}

void test_rows_are_summed_when_they_are_merged() {
    const auto totals = [](const TotalArrays &arrays) { return arrays.totals.values; };
    TotalArrays one(3, 20'000), some(150, 5000), batched(10, 5000, {4}, {4}, {1}),
        single(4, 5000, {9}, {9}, {1});
    for (TotalArrays *arrays : {&one, &some, &batched, &single}) {
        check_all_threads(total_parts(), *arrays, totals);
        CHECK(arrays->agree());
        CHECK(arrays->pairs.values[0] == static_cast<float>(arrays->M * arrays->N));
    }
}

void test_ranges_are_not_cut() {
    Pattern<int64_t> pattern;
    pattern.add({0, 8}, {{0, 30'000}});
    Arrays arrays(8, 30'000);
    EagerWorkers workers(3);
    CHECK(solve(plain_parts(), arrays, workers, &pattern).is_ok());
    CHECK(parts_kept == 0);
    CHECK(arrays.agree(1e-3));
}

void test_nothing_to_reduce_has_no_parts() {
    for (const Extents &batch : {Extents{}, Extents{2}, Extents{0}})
        for (int64_t M : {0, 3})
            for (int64_t N : {0, 5000}) {
                if (M && N && (batch.empty() || batch[0]))
                    continue;
                Arrays arrays(M, N, batch, batch, batch, batch, batch);
                BlockedWorkers workers(4);
                CHECK(solve(plain_parts(), arrays, workers).is_ok());
                CHECK(parts_kept == 0 && workers.asked == 0);
                CHECK(arrays.agree());
            }
}

std::atomic<int64_t> filled{0}, kept{0}, early{0};

void slow_columns(const Call *call, int64_t begin, int64_t end) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    columns(call, begin, end);
    filled += end - begin;
}

void wary_rows(const Call *call, int64_t begin, int64_t end) {
    early += filled < call->N;
    if (call->parts > 0)
        early += kept < 2 * call->parts; // two blocks
    else
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    rows_in_parts<false>(call, begin, end);
    kept += call->parts == kKeep;
}

void test_parts_wait_for_columns_and_merges_for_parts() {
    Kernel kernel = column_parts();
    kernel.columns = slow_columns;
    kernel.rows = wary_rows;
    for (int round = 0; round < 20; ++round) {
        filled = kept = 0;
        Arrays arrays(2 * kBlock, 5000);
        EagerWorkers workers(4);
        CHECK(solve(kernel, arrays, workers).is_ok());
        CHECK(early == 0);
        CHECK(arrays.agree(1e-3));
    }
}

void test_many_callers_at_once() {
    const Kernel kernel = column_parts();
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 16; ++caller)
        callers.emplace_back([&] {
            for (int round = 0; round < 5; ++round) {
                Arrays arrays(2, 4000);
                Problem problem(kernel);
                CHECK(bind(problem, arrays).is_ok());
                EagerWorkers own(3);
                CHECK(launch(problem, own).is_ok());
                CHECK(arrays.agree(1e-3));
            }
        });
    for (std::thread &caller : callers)
        caller.join();
}

void test_parts_that_cannot_be_had_are_a_status() {
    Arrays arrays(5, 7);
    for (int64_t bytes : {int64_t{1} << 50, int64_t{1} << 62}) {
        Kernel kernel = plain_parts();
        kernel.workspace = bytes;
        Problem problem(kernel);
        CHECK(bind(problem, arrays).is_ok());
        Cut cut;
        cut.chunks = 20;
        cut.items = 40;
        Parts parts;
        const Status status = parts.allocate(problem, cut);
        CHECK(status.code() == Status::Code::no_memory);
        CHECK(contains(status.message(),
                       "no memory for 40 parts of " + std::to_string(bytes) + " bytes"));
    }
}

void test_a_description_must_make_sense() {
    const auto with = [](auto change) {
        Kernel kernel = plain_parts();
        change(kernel);
        return check(kernel).message();
    };
    CHECK(with([](Kernel &) {}).empty());
    CHECK(contains(with([](Kernel &k) { k.workspace = 0; }), "a multiple of 64 bytes, not of 0"));
    CHECK(contains(with([](Kernel &k) { k.workspace = 100; }), "not of 100"));
    CHECK(contains(with([](Kernel &k) { k.part_cost = -1; }), "part_cost"));
    CHECK(contains(with([](Kernel &k) { k.part_cost = INFINITY; }), "part_cost"));
}

} // namespace

int main() {
    test_few_rows_agree_with_dense_sums();
    test_batches_of_few_rows();
    test_only_long_reductions_of_few_rows_are_cut();
    test_parts_are_whole_tiles_and_worth_it();
    test_bits_do_not_depend_on_threads();
    test_rows_are_summed_when_they_are_merged();
    test_ranges_are_not_cut();
    test_nothing_to_reduce_has_no_parts();
    test_parts_wait_for_columns_and_merges_for_parts();
    test_many_callers_at_once();
    test_parts_that_cannot_be_had_are_a_status();
    test_a_description_must_make_sense();
    return failures != 0;
}
