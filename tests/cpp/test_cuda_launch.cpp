// tests/cpp/test_cuda_launch.cpp -- kernels on a fake driver with two GPUs
#include "../../csrc/cuda/host_arrays.h"
#include "../../csrc/cuda/launch.h"

#include "check.h"
#include "device_samples.h"

#include <cstdlib>
#include <fstream>
#include <thread>

using namespace jaxkeops;
using namespace jaxkeops::cuda;
using samples::Arrays;

namespace {

Context context_on(Ordinal ordinal) {
    Context context = nullptr;
    CHECK(primary_context(ordinal, context).is_ok());
    return context;
}

int64_t multiprocessors_of(Ordinal ordinal) {
    const Device *device = nullptr;
    CHECK(find_device(ordinal, device).is_ok());
    return device->multiprocessors;
}

/// A call on arrays that lie where the fake devices have their memory, and its workspace.
struct Call {
    const Kernel &kernel;
    Arrays &arrays;
    std::vector<Buffer> inputs = arrays.inputs(), outputs = arrays.outputs();
    Problem problem{kernel};
    std::vector<char> workspace;

    Call(const Kernel &of, Arrays &on, int64_t multiprocessors,
         const DeviceRanges *ranges = nullptr)
        : kernel(of), arrays(on) {
        CHECK(problem.bind_inputs(inputs.data(), inputs.size()).is_ok());
        CHECK(problem.bind_outputs(outputs.data(), outputs.size()).is_ok());
        int64_t bytes = 0;
        const Status status = workspace_bytes(problem, ranges, multiprocessors, bytes);
        CHECK(status.is_ok());
        workspace.assign(static_cast<size_t>(bytes) + 256, '\xff');
    }

    Workspace memory() {
        const auto start = reinterpret_cast<Address>(workspace.data());
        return {(start + 255) / 256 * 256, static_cast<int64_t>(workspace.size()) - 256};
    }
};

std::string run(Call &call, Ordinal ordinal, Stream stream, const DeviceRanges *ranges = nullptr) {
    return launch(call.problem, ranges, call.memory(), multiprocessors_of(ordinal),
                  context_on(ordinal), stream)
        .message();
}

void test_devices_are_described() {
    const std::vector<Device> *devices = nullptr;
    CHECK(find_devices(devices).is_ok());
    CHECK(devices->size() == 2);
    CHECK((*devices)[0].architecture == 90 && (*devices)[0].multiprocessors == 132);
    CHECK((*devices)[1].architecture == 80 && (*devices)[1].shared_bytes == 166912);
    const Device *device = nullptr;
    CHECK(contains(find_device(2, device).message(), "no CUDA device 2: this process has 2"));
    CHECK(find_device(-1, device).code() == Status::Code::no_device);
    CHECK(fake_counts().contexts == 0);
}

void test_launches_agree_with_dense_sums() {
    for (int64_t wave : {0, 1, 8}) {
        const Kernel kernel = samples::device_kernel(samples::device_launch(wave));
        for (int64_t M : {1, 7, 8, 9, 100})
            for (int64_t N : {1, 15, 16, 33, 500}) {
                Arrays arrays(M, N);
                Call call(kernel, arrays, 132);
                CHECK(run(call, 0, fake_stream(0)).empty());
                CHECK(arrays.agree());
            }
    }
}

void test_batches_repeat_what_has_extent_1() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    const auto check = [&](Arrays arrays) {
        Call call(kernel, arrays, 132);
        CHECK(run(call, 0, fake_stream(0)).empty());
        CHECK(arrays.agree());
    };
    check({9, 40, {3}, {3}, {1}, {3}, {1}});
    check({9, 40, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}});
    check({9, 40, {3, 2}, {1, 2}, {3, 1}, {1, 1}, {3, 2}});
    check({9, 40, {3, 1, 2}, {1, 1, 2}, {3, 1, 1}, {1, 1, 1}, {3, 1, 2}});
    check({4,
           20,
           {2, 3, 2, 2, 3},
           {1, 3, 1, 2, 1},
           {2, 1, 2, 1, 3},
           {1, 1, 2, 1, 1},
           {2, 3, 1, 1, 3}});
    check({4,
           20,
           {2, 2, 3, 2, 2, 3},
           {1, 2, 1, 2, 1, 3},
           {2, 1, 3, 1, 2, 1},
           {1, 1, 1, 2, 1, 1},
           {1, 1, 1, 1, 1, 3}});
    check({9, 40, {0}, {0}, {1}, {1}, {1}});
}

void test_a_reduction_of_nothing_is_filled() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    Arrays arrays(20, 0, {2}, {2}, {1}, {1}, {1}), none(0, 5);
    Call call(kernel, arrays, 132), nothing(kernel, none, 132);
    const long before = fake_counts().launches;
    CHECK(run(call, 0, fake_stream(0)).empty());
    CHECK(arrays.agree());
    CHECK(fake_counts().launches == before + 1);
    CHECK(run(nothing, 0, fake_stream(0)).empty());
    CHECK(fake_counts().launches == before + 1);
}

template <class T>
void test_ranges_on_the_device(Dtype dtype) {
    const Kernel kernel = samples::device_kernel(samples::ranged_launch(), true);
    // Rows [10, 30) over [0, 4) and [6, 9); rows [2, 5) over nothing; row 0 over [19, 20).
    std::vector<T> rows{10, 30, 2, 5, 0, 1}, ends{2, 2, 3}, columns{0, 4, 6, 9, 19, 20};
    const int64_t row_shape[] = {3, 2}, end_shape[] = {3}, column_shape[] = {3, 2};
    const Buffer three[] = {{rows.data(), row_shape, 2, dtype},
                            {ends.data(), end_shape, 1, dtype},
                            {columns.data(), column_shape, 2, dtype}};
    DeviceRanges ranges;
    CHECK(ranges.bind(three).is_ok());
    Arrays arrays(40, 20, {2}, {2}, {1}, {1}, {1}), dense(40, 20, {2}, {2}, {1}, {1}, {1});
    Call call(kernel, arrays, 132, &ranges);
    CHECK(run(call, 0, fake_stream(0), &ranges).empty());
    const auto expected = [](int64_t i) -> int64_t {
        return i >= 10 && i < 30 ? 7 : i == 0 ? 1 : -1;
    };
    for (int64_t row = 0; row < 80; ++row)
        CHECK(arrays.count.values[row] == expected(row % 40));
    Call wrong(kernel, dense, 132, &ranges);
    CHECK(contains(run(wrong, 0, fake_stream(0)), "for calls with ranges, and got none"));
}

void test_mixed_dtypes_of_ranges_are_refused() {
    const int64_t row_shape[] = {0, 2}, end_shape[] = {0};
    const Buffer three[] = {{nullptr, row_shape, 2, Dtype::int32},
                            {nullptr, end_shape, 1, Dtype::int64},
                            {nullptr, row_shape, 2, Dtype::int32}};
    DeviceRanges ranges;
    CHECK(contains(ranges.bind(three).message(), "ends: expected int32 as row_blocks, got int64"));
}

void test_code_is_loaded_once_for_a_device() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    Arrays arrays(20, 30);
    Call call(kernel, arrays, 108);
    const FakeCounts before = fake_counts();
    std::vector<std::thread> threads;
    for (Ordinal ordinal : {0, 1, 0, 1})
        threads.emplace_back([&, ordinal] { CHECK(prepare(kernel, context_on(ordinal)).is_ok()); });
    for (std::thread &thread : threads)
        thread.join();
    CHECK(fake_counts().loads == before.loads + 2);
    for (Ordinal ordinal : {0, 1, 0})
        CHECK(launch(call.problem, nullptr, call.memory(), 108, context_on(ordinal),
                     fake_stream(ordinal))
                  .is_ok());
    CHECK(arrays.agree());
    CHECK(fake_counts().loads == before.loads + 2);
    CHECK(fake_depth() == 0);
}

void test_a_current_context_is_left_as_it_was() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    Arrays arrays(20, 30);
    Call call(kernel, arrays, 132);
    const Driver *driver = nullptr;
    CHECK(open_driver(driver).is_ok());
    for (Ordinal current : {0, 1}) {
        const Current held(*driver, context_on(current));
        CHECK(run(call, 0, fake_stream(0)).empty());
        CHECK(run(call, 0, nullptr).empty()); // the default stream
        CHECK(fake_depth() == 1 && fake_device() == current);
    }
    Context found = nullptr;
    CHECK(context_of(fake_stream(1), found).is_ok() && found == context_on(1));
}

void test_a_captured_launch_can_be_replayed() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    for (bool is_prepared : {true, false}) {
        const Kernel fresh =
            is_prepared ? kernel : samples::device_kernel(samples::device_launch(8));
        Arrays arrays(20, 300);
        Call call(fresh, arrays, 132);
        if (is_prepared)
            CHECK(prepare(fresh, context_on(0)).is_ok());
        const FakeCounts before = fake_counts();
        const Stream stream = fake_stream(0);
        fake_begin_capture(stream);
        CHECK(run(call, 0, stream).empty());
        CHECK(fake_end_capture() == 3); // columns, part, combine
        CHECK(fake_counts().allocations == before.allocations);
        CHECK(fake_counts().synchronizations == before.synchronizations);
        CHECK(fake_counts().loads == before.loads + !is_prepared);
        CHECK(!arrays.agree());
        for (float &number : arrays.x.values)
            number += 1;
        fake_replay();
        CHECK(arrays.agree());
    }
}

void test_shared_memory_is_asked_for() {
    cuda::Launch launch = samples::device_launch(0);
    launch.steps[1].shared_bytes = 100000;
    const Kernel large = samples::device_kernel(launch);
    Arrays arrays(20, 30);
    Call call(large, arrays, 132);
    CHECK(run(call, 0, fake_stream(0)).empty());
    CHECK(arrays.agree());
    launch.steps[1].shared_bytes = 200000;
    const Kernel huge = samples::device_kernel(launch);
    Call again(huge, arrays, 132);
    const long unloads = fake_counts().unloads;
    CHECK(run(again, 0, fake_stream(0)).empty());
    CHECK(contains(run(again, 1, fake_stream(1)),
                   "tiles needs 201024 bytes of shared memory, and Fake A100 has 166912"));
    CHECK(fake_counts().unloads == unloads + 1);
}

void test_failures_are_told_in_the_words_of_the_driver() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    Arrays arrays(20, 30);
    Call call(kernel, arrays, 132);
    const Stream stream = fake_stream(0);
    fake_fail("cuModuleLoadDataEx", 200);
    CHECK(contains(run(call, 0, stream), "cuModuleLoadDataEx: CUDA_ERROR_INVALID_IMAGE (200), the "
                                         "fake driver says 200"));
    fake_fail("cuLaunchKernel", 700);
    CHECK(contains(run(call, 0, stream), "launching columns on Fake H200: cuLaunchKernel: "
                                         "CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
    fake_fail("cuLaunchKernel", 12345);
    CHECK(contains(run(call, 0, stream), "an unknown error (12345)"));
    CHECK(run(call, 0, stream).empty()); // a failure is not remembered
    CHECK(fake_depth() == 0);

    Kernel damaged = kernel;
    damaged.device = std::make_shared<DeviceCode>(
        std::map<int, std::string>{{90, "no code at all"}}, samples::device_launch(0), false);
    Call bad(damaged, arrays, 132);
    CHECK(contains(run(bad, 0, stream), "200: not an image of the fake driver"));
    CHECK(contains(run(bad, 1, fake_stream(1)), "was compiled for sm_90, and Fake A100 is sm_80"));

    cuda::Launch launch = samples::device_launch(0);
    launch.steps[1].function = "elsewhere";
    const Kernel missing = samples::device_kernel(launch);
    Call lost(missing, arrays, 132);
    CHECK(contains(run(lost, 0, stream), "the code has no function elsewhere"));

    const Workspace small{call.memory().address, call.memory().bytes - 1};
    CHECK(contains(
        launch_on_host_arrays(call.problem, call.inputs, call.outputs, nullptr, 7).message(),
        "no CUDA device 7"));
    CHECK(cuda::launch(call.problem, nullptr, small, 132, context_on(0), stream).code() ==
          Status::Code::misfit);
}

/// Pages of memory that are this process' own.
long resident_pages() {
    long total = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident;
}

void test_many_launches_leave_memory_flat() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    Arrays arrays(4, 5, {2}, {2}, {1}, {2}, {1});
    Call call(kernel, arrays, 132);
    const Stream stream = fake_stream(0);
    const Context context = context_on(0);
    const auto call_often = [&](int count) {
        for (int k = 0; k < count; ++k)
            CHECK(launch(call.problem, nullptr, call.memory(), 132, context, stream).is_ok());
    };
    call_often(1000);
    const long before = resident_pages();
    const FakeCounts counts = fake_counts();
    call_often(100000);
    CHECK(resident_pages() - before < 64); // 256 KB: 2.6 bytes a call
    CHECK(fake_counts().allocations == counts.allocations);
    CHECK(fake_counts().loads == counts.loads);
}

void test_arrays_of_the_host_are_copied() {
    const Kernel kernel = samples::device_kernel(samples::device_launch(8));
    for (Ordinal ordinal : {0, 1}) { // with memory pools, and without
        Arrays arrays(20, 300, {2}, {2}, {1}, {1}, {1}), empty(3, 0);
        Call call(kernel, arrays, 132), none(kernel, empty, 132);
        const auto solve = [&](Call &which) {
            return launch_on_host_arrays(which.problem, which.inputs, which.outputs, nullptr,
                                         ordinal);
        };
        CHECK(solve(call).is_ok());
        CHECK(arrays.agree());
        CHECK(solve(none).is_ok());
        CHECK(empty.agree());
        CHECK(fake_counts().live_bytes == 0);
        fake_fail(ordinal ? "cuMemAlloc_v2" : "cuMemAllocAsync", 2);
        const Status status = solve(call);
        CHECK(status.code() == Status::Code::no_memory);
        CHECK(contains(status.message(), "bytes left for the arrays"));
        fake_fail("cuMemcpyDtoHAsync_v2", 700);
        CHECK(solve(call).code() == Status::Code::device);
        CHECK(fake_counts().live_bytes == 0);
        CHECK(fake_depth() == 0);
    }
}

void test_ranges_of_the_host_are_copied() {
    const Kernel kernel = samples::device_kernel(samples::ranged_launch(), true);
    int32_t rows[] = {0, 2}, ends[] = {1}, columns[] = {3, 5};
    const int64_t pair[] = {1, 2}, one[] = {1};
    const Buffer three[] = {{rows, pair, 2, Dtype::int32},
                            {ends, one, 1, Dtype::int32},
                            {columns, pair, 2, Dtype::int32}};
    DeviceRanges ranges;
    CHECK(ranges.bind(three).is_ok());
    Arrays arrays(3, 20);
    Call call(kernel, arrays, 132, &ranges);
    CHECK(launch_on_host_arrays(call.problem, call.inputs, call.outputs, three, 0).is_ok());
    CHECK((arrays.count.values == std::vector<int64_t>{2, 2, -1}));
}

} // namespace

int main() {
    samples::register_device_samples();
    test_devices_are_described();
    test_launches_agree_with_dense_sums();
    test_batches_repeat_what_has_extent_1();
    test_a_reduction_of_nothing_is_filled();
    test_ranges_on_the_device<int64_t>(Dtype::int64);
    test_ranges_on_the_device<int32_t>(Dtype::int32);
    test_mixed_dtypes_of_ranges_are_refused();
    test_code_is_loaded_once_for_a_device();
    test_a_current_context_is_left_as_it_was();
    test_a_captured_launch_can_be_replayed();
    test_shared_memory_is_asked_for();
    test_failures_are_told_in_the_words_of_the_driver();
    test_many_launches_leave_memory_flat();
    test_arrays_of_the_host_are_copied();
    test_ranges_of_the_host_are_copied();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
