// tests/cpp/test_workspace.cpp -- each running call of `rows` has aligned memory to itself
#include "../../csrc/cpu/launch.h"

#include "check.h"
#include "patterns.h"
#include "totals.h"
#include "workers.h"

#include <chrono>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

using namespace jaxkeops;
using namespace samples;

namespace {

std::mutex mutex;
std::set<void *> seen, busy;
int64_t size = 0; // of the kernel's workspace
size_t most_at_once = 0;

/// Writes all of the workspace, and finds it as it was some time later.
void use_workspace(const Call *call, int64_t begin, int64_t end) {
    auto *const bytes = static_cast<unsigned char *>(call->workspace);
    CHECK(bytes && reinterpret_cast<uintptr_t>(bytes) % 64 == 0);
    {
        const std::lock_guard lock(mutex);
        seen.insert(bytes);
        CHECK(busy.insert(bytes).second);
        most_at_once = std::max(most_at_once, busy.size());
    }
    const auto mark = static_cast<unsigned char>(begin % 251 + 1);
    std::fill(bytes, bytes + size, mark);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    CHECK(std::all_of(bytes, bytes + size, [&](unsigned char byte) { return byte == mark; }));
    {
        const std::lock_guard lock(mutex);
        busy.erase(bytes);
    }
    std::fill(static_cast<float *>(call->outputs[0]) + begin,
              static_cast<float *>(call->outputs[0]) + end, static_cast<float>(call->N));
    std::fill(static_cast<int64_t *>(call->outputs[1]) + begin,
              static_cast<int64_t *>(call->outputs[1]) + end, call->N);
}

void columns_without_workspace(const Call *call, int64_t begin, int64_t end) {
    CHECK(call->workspace == nullptr && call->partials == nullptr);
    columns(call, begin, end);
}

Status solve(const Kernel &kernel, Arrays &arrays, Workers &workers,
             Pattern<int64_t> *pattern = nullptr) {
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    CHECK(problem.bind_inputs(inputs.data(), inputs.size()).is_ok());
    if (pattern)
        CHECK(problem.bind_ranges(pattern->buffers().data()).is_ok());
    CHECK(problem.bind_outputs(outputs.data(), outputs.size()).is_ok());
    return launch(problem, workers);
}

Kernel workspace_kernel(int64_t bytes) {
    Kernel kernel = column_kernel();
    kernel.columns = columns_without_workspace;
    kernel.rows = use_workspace;
    kernel.pair_cost = 50;
    kernel.workspace = size = bytes;
    seen.clear();
    most_at_once = 0;
    return kernel;
}

void test_every_running_call_has_its_own() {
    for (int64_t bytes : {1, 63, 64, 1000, 100'000})
        for (int64_t threads : {1, 4}) {
            const Kernel kernel = workspace_kernel(bytes);
            Arrays arrays(200, 100, {2}, {2}, {1}, {1}, {1});
            EagerWorkers workers(threads);
            CHECK(solve(kernel, arrays, workers).is_ok());
            CHECK(arrays.count.values == std::vector<int64_t>(400, 100));
            CHECK(most_at_once >= 1 && most_at_once <= static_cast<size_t>(threads));
            if (threads == 1)
                CHECK(seen.size() == 1); // used again from item to item
        }
}

void test_calls_with_ranges_have_it_too() {
    Pattern<int64_t> pattern;
    for (int64_t k = 0; k < 50; ++k)
        pattern.add({4 * k, 4 * k + 3}, {{0, 100}, {k, k + 1}});
    for (int64_t threads : {1, 3}) {
        const Kernel kernel = workspace_kernel(500);
        Arrays arrays(200, 100);
        EagerWorkers workers(threads);
        CHECK(solve(kernel, arrays, workers, &pattern).is_ok());
        CHECK(most_at_once >= 1 && most_at_once <= static_cast<size_t>(threads));
        CHECK(arrays.count.values[0] == 100 && arrays.count.values[3] == -1);
    }
}

/// As `total_rows`, with its numbers in the workspace meanwhile: neither may touch the other.
void total_through_workspace(const Call *call, int64_t begin, int64_t end) {
    auto *const numbers = static_cast<double *>(call->workspace);
    total_rows<false>(call, begin, end);
    std::copy(call->partials, call->partials + 3, numbers);
    std::fill(call->partials, call->partials + 3, -1.0);
    std::fill(numbers + 3, numbers + 100, -2.0);
    std::copy(numbers, numbers + 3, call->partials);
}

void test_workspace_and_partials_are_apart() {
    Kernel plain = only_totals_kernel(), kernel = plain;
    kernel.rows = total_through_workspace;
    kernel.workspace = 800;
    for (int64_t elements : {1, 1000}) { // partial sums of several items, and of one
        TotalArrays a(elements == 1 ? 1000 : 7, 50, {elements}, {elements}, {1});
        TotalArrays b(elements == 1 ? 1000 : 7, 50, {elements}, {elements}, {1});
        const auto run = [](const Kernel &which, TotalArrays &arrays, int64_t threads) {
            Problem problem(which);
            const auto inputs = arrays.inputs(), outputs = arrays.only_totals();
            CHECK(problem.bind_inputs(inputs.data(), 2).is_ok());
            CHECK(problem.bind_outputs(outputs.data(), 2).is_ok());
            EagerWorkers workers(threads);
            CHECK(launch(problem, workers).is_ok());
        };
        run(plain, a, 1);
        run(kernel, b, 4);
        CHECK(a.totals.values == b.totals.values && a.pairs.values == b.pairs.values);
    }
}

void test_without_one_there_is_none() {
    Kernel kernel = plain_kernel();
    kernel.rows = [](const Call *call, int64_t begin, int64_t end) {
        CHECK(call->workspace == nullptr && call->partials == nullptr);
        rows(call, begin, end);
    };
    Arrays arrays(100, 100);
    EagerWorkers workers(3);
    CHECK(solve(kernel, arrays, workers).is_ok());
    CHECK(arrays.agree());
}

void never(const Call *, int64_t, int64_t) {
    CHECK(!"nothing may run");
}

void test_one_that_cannot_be_had_is_a_status() {
    for (int64_t bytes : {int64_t{1} << 50, std::numeric_limits<int64_t>::max()}) {
        Kernel kernel = workspace_kernel(bytes);
        kernel.rows = kernel.columns = never;
        Arrays arrays(500, 500);
        BlockedWorkers workers(4);
        const Status status = solve(kernel, arrays, workers);
        CHECK(status.code() == Status::Code::no_memory);
        CHECK(contains(status.message(), std::to_string(bytes) + " bytes of workspace"));
        CHECK(workers.asked == 0);
        CHECK(arrays.count.values[0] == -77);
    }
}

} // namespace

int main() {
    test_every_running_call_has_its_own();
    test_calls_with_ranges_have_it_too();
    test_workspace_and_partials_are_apart();
    test_without_one_there_is_none();
    test_one_that_cannot_be_had_is_a_status();
    return failures != 0;
}
