// tests/cpp/test_cuda_plan.cpp -- joined batch axes, tiles, splits and the parts of the workspace
#include "../../csrc/cuda/plan.h"

#include "check.h"
#include "device_samples.h"

#include <cstdlib>

using namespace jaxkeops;
using namespace jaxkeops::cuda;
using samples::Arrays;

namespace {

using Extents = std::vector<int64_t>;

Batch batch_of(Extents x, Extents y) {
    const Kernel kernel = samples::plain_kernel();
    const Extents ones(x.size(), 1);
    Arrays arrays(2, 2, ones, x, y, ones, ones);
    const std::vector<Buffer> inputs = arrays.inputs();
    Problem problem(kernel);
    CHECK(problem.bind_inputs(inputs.data(), inputs.size()).is_ok());
    return Batch(problem);
}

void test_axes_that_lie_behind_each_other_are_one() {
    CHECK(batch_of({}, {}).rank() == 0);
    CHECK(batch_of({}, {}).elements() == 1);
    CHECK(batch_of({1, 1}, {1, 1}).rank() == 0);
    CHECK(batch_of({3, 4, 5}, {3, 4, 5}).rank() == 1);
    CHECK(batch_of({3, 4, 5}, {1, 1, 1}).rank() == 1);
    CHECK(batch_of({3, 4, 5}, {1, 4, 5}).rank() == 2);
    CHECK(batch_of({3, 1, 5}, {1, 4, 1}).rank() == 3);
    const Batch two = batch_of({3, 4, 1, 5}, {1, 4, 1, 5});
    CHECK(two.extent(0) == 3 && two.extent(1) == 20);
    CHECK(two.stride(0, 0) == 20 * two.stride(0, 1) && two.stride(1, 0) == 0);
}

void test_axes_beyond_four_are_walked_by_the_host() {
    const Batch six = batch_of({2, 1, 3, 1, 5, 1}, {1, 7, 1, 2, 1, 3});
    CHECK(six.rank() == 6 && six.inner_rank() == 4);
    CHECK(six.launches() == 14 && six.elements() == 90);
}

/// A plan for M rows and N columns of `elements` batch elements.
struct Planned {
    Kernel kernel;
    Plan plan{};
    Status status;

    Planned(cuda::Launch launch, int64_t M, int64_t N, int64_t elements = 1,
            int64_t multiprocessors = 132)
        : kernel(samples::device_kernel(std::move(launch))) {
        const int64_t x[] = {elements, M, 3}, y[] = {1, N, 3}, w[] = {1, N, 1}, p[] = {1, 1};
        void *const data = &kernel; // never read
        const Buffer inputs[] = {{data, x, 3}, {data, y, 3}, {data, w, 3}, {data, p, 2}};
        Problem problem(kernel);
        CHECK(problem.bind_inputs(inputs, 4).is_ok());
        status = make_plan(problem, Batch(problem), nullptr, multiprocessors, plan);
    }
};

void test_few_rows_split_the_columns() {
    const auto splits = [](int64_t M, int64_t N, int64_t wave, int64_t elements = 1) {
        const Planned planned(samples::device_launch(wave), M, N, elements);
        CHECK(planned.status.is_ok());
        const Plan &plan = planned.plan;
        CHECK(plan.split_columns % samples::kTileColumns == 0);
        CHECK(plan.split_columns * plan.splits >= N);
        CHECK(plan.split_columns * (plan.splits - 1) < N);
        return plan.splits;
    };
    CHECK(splits(8, 1 << 20, 8) == 1041);     // 1056 blocks wanted: 63 tiles of columns for each
    CHECK(splits(8 * 132, 1 << 20, 8) == 8);  // 132 tiles
    CHECK(splits(8 * 1056, 1 << 20, 8) == 1); // full without a split
    CHECK(splits(8, 1 << 20, 8, 1056) == 1);  // full of batch elements
    CHECK(splits(8, 1 << 20, 0) == 1);        // never
    CHECK(splits(8, 16 * 10, 8) == 5);        // no split has less than two tiles of columns
    CHECK(splits(8, 31, 8) == 1);
    CHECK(splits(8, 1, 8) == 1);
}

void test_parts_are_aligned_and_in_order() {
    cuda::Launch launch = samples::device_launch(8);
    launch.total_bytes = 24;
    const Plan plan = Planned(launch, 20, 1000, 3).plan;
    CHECK(plan.tiles == 3 && plan.elements == 3 && plan.scratches == 1);
    CHECK(plan.parts.scratch == 0);
    CHECK(plan.parts.states == 12032); // 1000 columns of 12 bytes
    CHECK(plan.parts.totals - plan.parts.states >= plan.splits * 3 * 20 * 16);
    CHECK(plan.workspace - plan.parts.totals == 256); // 9 tiles of 24 bytes
    CHECK(plan.parts.range_tiles == plan.workspace && plan.parts.range_pairs == plan.workspace);
    for (int64_t offset : {plan.parts.states, plan.parts.totals, plan.workspace})
        CHECK(offset % 256 == 0);
}

void test_states_are_for_splits_unless_they_are_kept() {
    cuda::Launch launch = samples::device_launch(0);
    launch.column_bytes = 0;
    CHECK(Planned(launch, 100, 1000).plan.workspace == 0);
    launch.keeps_states = true;
    CHECK(Planned(launch, 100, 1000).plan.workspace == 1792); // 100 rows of 16 bytes
}

void test_what_no_grid_holds_is_refused() {
    const int64_t many = int64_t{1} << 40;
    CHECK(contains(Planned(samples::device_launch(0), many, 10).status.message(),
                   "too large for one launch: 1099511627776 rows"));
    CHECK(!Planned(samples::device_launch(0), 10, many).status.is_ok());
    CHECK(Planned(samples::device_launch(8), 10, int64_t{1} << 34).status.is_ok());
}

void test_launches_that_make_no_sense_are_refused() {
    const auto fault = [](auto change) {
        cuda::Launch launch = samples::device_launch(0);
        change(launch);
        const Kernel kernel = samples::device_kernel(launch);
        return kernel.device->check(kernel).message();
    };
    CHECK(fault([](cuda::Launch &) {}).empty());
    CHECK(contains(fault([](cuda::Launch &l) { l.tile_rows = 0; }), "tile_rows"));
    CHECK(contains(fault([](cuda::Launch &l) { l.state_bytes = -1; }), "negative size"));
    CHECK(
        contains(fault([](cuda::Launch &l) { l.steps[1].threads = 1025; }), "expected 1 to 1024"));
    CHECK(contains(fault([](cuda::Launch &l) { l.steps[1].shared_bytes = -1; }), "shared_bytes"));
    CHECK(contains(fault([](cuda::Launch &l) { l.steps[1].function = ""; }), "no function"));
    Kernel wide = samples::device_kernel(samples::device_launch(0));
    wide.inputs.assign(97, {Axis::j, 1});
    CHECK(wide.device->check(wide).is_ok());
    wide.inputs.assign(98, {Axis::j, 1});
    CHECK(contains(wide.device->check(wide).message(), "takes 4096 bytes of parameters, and 98"));
}

} // namespace

int main() {
    test_axes_that_lie_behind_each_other_are_one();
    test_axes_beyond_four_are_walked_by_the_host();
    test_few_rows_split_the_columns();
    test_parts_are_aligned_and_in_order();
    test_states_are_for_splits_unless_they_are_kept();
    test_what_no_grid_holds_is_refused();
    test_launches_that_make_no_sense_are_refused();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
