// tests/cpp/test_half.cpp -- 16 bits: every number, every middle of two, and outputs made of them
#include "../../csrc/core/half.h"
#include "../../csrc/cpu/launch.h"

#include "check.h"
#include "totals.h"
#include "workers.h"

#include <limits>

using namespace jaxkeops;

namespace {

/// The number of a pattern that is not NaN, from what its fields mean.
double value_of(uint16_t bits, int digits, int least_exponent) {
    const int field = (bits & 0x7fff) >> digits, mantissa = bits & ((1 << digits) - 1);
    const double sign = bits >> 15 ? -1 : 1;
    if (field == 0x7fff >> digits)
        return sign * std::numeric_limits<double>::infinity();
    const int whole = field ? mantissa + (1 << digits) : mantissa;
    return sign * std::ldexp(whole, least_exponent - digits + std::max(field - 1, 0));
}

template <class T>
void test_roundings(int digits, int least_exponent) {
    const int infinity = 0x7fff >> digits << digits;
    for (int sign : {0, 0x8000})
        for (int k = 0; k <= infinity; ++k) {
            const double value = value_of(static_cast<uint16_t>(k | sign), digits, least_exponent);
            CHECK(T(value).bits == (k | sign));
            if (k == infinity)
                continue;
            // Where the next one would be, were the greatest number not the last.
            const double step =
                k ? value - value_of(static_cast<uint16_t>((k - 1) | sign), digits, least_exponent)
                  : 0;
            const double next = k + 1 < infinity ? value_of(static_cast<uint16_t>((k + 1) | sign),
                                                            digits, least_exponent)
                                                 : value + step;
            const double middle = value + (next - value) / 2;
            CHECK(T(middle).bits == ((k + (k & 1)) | sign));
            CHECK(T(std::nextafter(middle, value)).bits == (k | sign));
            CHECK(T(std::nextafter(middle, next)).bits == ((k + 1) | sign));
        }
    const double tiny = std::numeric_limits<double>::denorm_min();
    CHECK(T(tiny).bits == 0 && T(-tiny).bits == 0x8000);
    CHECK(T(std::numeric_limits<double>::max()).bits == infinity);
    CHECK((T(NAN).bits & 0x7fff) > infinity);
}

void test_sizes_and_names() {
    for (Dtype dtype : {Dtype::float16, Dtype::bfloat16}) {
        CHECK(size_of(dtype) == 2);
        CHECK(computing(dtype) == Dtype::float32);
    }
    for (Dtype dtype : {Dtype::float32, Dtype::float64})
        CHECK(computing(dtype) == dtype);
    CHECK(std::string(name_of(Dtype::float16)) == "float16");
    CHECK(std::string(name_of(Dtype::bfloat16)) == "bfloat16");
}

/// Reads x as bits; every row is its number of columns, and so is each row of the total.
void count_rows(const Call *call, int64_t begin, int64_t end) {
    auto *const out = static_cast<uint16_t *>(call->outputs[0]);
    const auto *const columns = static_cast<const float *>(call->columns);
    double total = 0;
    for (int64_t i = begin; i < end; ++i) {
        float sum = 0;
        samples::walk(call, [&](int64_t j) { sum += columns[j]; });
        out[i] = Float16(sum).bits;
        total += sum;
    }
    call->partials[0] = total;
}

void fill_ones(const Call *call, int64_t begin, int64_t end) {
    std::fill(static_cast<float *>(call->columns) + begin,
              static_cast<float *>(call->columns) + end, 1.0f);
}

void test_a_kernel_of_16_bits_has_a_scratch_of_float32() {
    Kernel kernel;
    kernel.inputs = {{Axis::i, 1}, {Axis::j, 1}};
    kernel.outputs = {{1, Dtype::float16, -std::numeric_limits<double>::infinity()},
                      {1, Dtype::bfloat16, 0, Axis::p}};
    kernel.dtype = Dtype::float16;
    kernel.rows = count_rows;
    kernel.columns = fill_ones;
    kernel.column_width = 1;
    kernel.column_inputs = {1};
    kernel.pair_cost = 5;
    CHECK(check(kernel).is_ok());
    for (int64_t N : {0, 1, 700}) {
        const int64_t M = 130, x_shape[] = {M, 1}, y_shape[] = {N, 1}, total_shape[] = {1};
        std::vector<uint16_t> x(M), y(static_cast<size_t>(N)), rows(M, 7), total(1, 7);
        const Buffer inputs[] = {{x.data(), x_shape, 2, Dtype::float16},
                                 {y.data(), y_shape, 2, Dtype::float16}};
        const Buffer outputs[] = {{rows.data(), x_shape, 2, Dtype::float16},
                                  {total.data(), total_shape, 1, Dtype::bfloat16}};
        Problem problem(kernel);
        CHECK(problem.bind_inputs(inputs, 2).is_ok());
        CHECK(problem.bind_outputs(outputs, 2).is_ok());
        samples::EagerWorkers workers(3);
        CHECK(launch(problem, workers).is_ok());
        const uint16_t row = N ? Float16(static_cast<double>(N)).bits : 0xfc00;
        CHECK(rows == std::vector<uint16_t>(M, row));
        CHECK(total[0] == BFloat16(static_cast<double>(M * N)).bits);
    }
}

void test_other_dtypes_are_refused() {
    Kernel kernel = samples::total_kernel();
    kernel.dtype = Dtype::bfloat16;
    std::vector<uint16_t> x(3);
    const int64_t shape[] = {1, 3};
    const Buffer inputs[] = {{x.data(), shape, 2, Dtype::float16},
                             {x.data(), shape, 2, Dtype::bfloat16}};
    CHECK(contains(Problem(kernel).bind_inputs(inputs, 2).message(),
                   "input 0: expected dtype bfloat16, got float16"));
}

} // namespace

int main() {
    test_roundings<Float16>(10, -14);
    test_roundings<BFloat16>(7, -126);
    test_sizes_and_names();
    test_a_kernel_of_16_bits_has_a_scratch_of_float32();
    test_other_dtypes_are_refused();
    return failures != 0;
}
