// csrc/core/problem.cpp -- checks arrays against a kernel, and finds where each element starts
#include "problem.h"

#include "half.h"
#include "ranges.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace jaxkeops {

namespace {

/// a * b, or false if it does not fit. Both are >= 0.
bool multiply(int64_t a, int64_t b, int64_t &product) {
    if (b != 0 && a > std::numeric_limits<int64_t>::max() / b)
        return false;
    product = a * b;
    return true;
}

const char *rows_of(Axis axis) {
    return axis == Axis::i ? "M, " : axis == Axis::j ? "N, " : "";
}

/// "input 2 (axis 'j'): expected shape (*batch, N, 3), got (10, 4)", and a reason.
Status wrong_input(size_t k, const Input &input, const Buffer &buffer, const std::string &why) {
    return Status::misfit("input " + std::to_string(k) + " (axis '" + name_of(input.axis) +
                          "'): expected shape (*batch, " + rows_of(input.axis) +
                          std::to_string(input.width) + "), got " + show_shape(buffer) + ": " +
                          why);
}

bool is_aligned(const Buffer &buffer) {
    return reinterpret_cast<uintptr_t>(buffer.data) % size_of(buffer.dtype) == 0;
}

bool overlap(const char *a, int64_t a_bytes, const char *b, int64_t b_bytes) {
    return a_bytes > 0 && b_bytes > 0 && a < b + b_bytes && b < a + a_bytes;
}

template <class T>
void fill_as(void *start, int64_t count, double value) {
    T *const first = static_cast<T *>(start);
    std::fill(first, first + count, static_cast<T>(value));
}

template <class T>
void write_as(void *start, int64_t count, const double *numbers) {
    std::transform(numbers, numbers + count, static_cast<T *>(start),
                   [](double number) { return static_cast<T>(number); });
}

/// Writes numbers to an output of a float dtype.
void write(const Output &output, void *start, const double *numbers) {
    switch (output.dtype) {
    case Dtype::float16:
        return write_as<Float16>(start, output.width, numbers);
    case Dtype::bfloat16:
        return write_as<BFloat16>(start, output.width, numbers);
    case Dtype::float32:
        return write_as<float>(start, output.width, numbers);
    default:
        return write_as<double>(start, output.width, numbers);
    }
}

/// Writes the value of an empty reduction to `count` numbers of an output.
void fill(const Output &output, void *start, int64_t count) {
    if (!output.empties.empty()) {
        const int64_t row_bytes = output.width * size_of(output.dtype);
        char *row = static_cast<char *>(start);
        for (int64_t rows = count / output.width; rows > 0; --rows, row += row_bytes)
            write(output, row, output.empties.data());
        return;
    }
    switch (output.dtype) {
    case Dtype::float16:
        return fill_as<Float16>(start, count, output.empty);
    case Dtype::bfloat16:
        return fill_as<BFloat16>(start, count, output.empty);
    case Dtype::float32:
        return fill_as<float>(start, count, output.empty);
    case Dtype::float64:
        return fill_as<double>(start, count, output.empty);
    case Dtype::int32:
        return fill_as<int32_t>(start, count, output.empty);
    case Dtype::int64:
        return fill_as<int64_t>(start, count, output.empty);
    }
}

} // namespace

Problem::Problem(const Kernel &kernel) : kernel_(&kernel) {}

Problem::~Problem() = default;

Status Problem::bind_inputs(const Buffer *inputs, size_t count) {
    if (count != kernel_->inputs.size())
        return Status::misfit("expected " + std::to_string(kernel_->inputs.size()) +
                              " inputs, got " + std::to_string(count));
    if (Status status = find_extents(inputs); !status.is_ok())
        return status;
    if (Status status = find_strides(inputs); !status.is_ok())
        return status;
    if (N_ > kernel_->most_columns)
        return Status::too_large("the inputs of axis 'j' have " + std::to_string(N_) +
                                 " rows, expected at most " +
                                 std::to_string(kernel_->most_columns) +
                                 ": lists of this reduction hold 32-bit column numbers; reduce "
                                 "fewer columns at a time");
    share_scratch();
    return Status::ok();
}

Status Problem::find_extents(const Buffer *inputs) {
    const size_t count = kernel_->inputs.size();
    bool has_M = false, has_N = false;
    for (size_t k = 0; k < count; ++k) {
        const Input &input = kernel_->inputs[k];
        const Buffer &buffer = inputs[k];
        const int64_t core = input.axis == Axis::p ? 1 : 2;
        if (buffer.dtype != kernel_->dtype)
            return Status::misfit("input " + std::to_string(k) + ": expected dtype " +
                                  name_of(kernel_->dtype) + ", got " + name_of(buffer.dtype));
        if (buffer.rank < core)
            return wrong_input(k, input, buffer, "too few axes");
        for (int64_t d = 0; d < buffer.rank; ++d)
            if (buffer.shape[d] < 0)
                return wrong_input(k, input, buffer, "a negative extent");
        const size_t batch_rank = static_cast<size_t>(buffer.rank - core);
        if (k == 0) {
            batch_.reset(batch_rank);
            std::fill(batch_.begin(), batch_.end(), 1);
        } else if (batch_rank != batch_.size()) {
            return wrong_input(k, input, buffer,
                               std::to_string(batch_.size()) + " batch axes as in input 0");
        }
        if (buffer.shape[buffer.rank - 1] != input.width)
            return wrong_input(k, input, buffer, "another width");
        if (core == 2) {
            int64_t &rows = input.axis == Axis::i ? M_ : N_;
            bool &known = input.axis == Axis::i ? has_M : has_N;
            const int64_t got = buffer.shape[buffer.rank - 2];
            if (known && got != rows)
                return wrong_input(k, input, buffer,
                                   "earlier inputs have " + std::to_string(rows) + " rows");
            rows = got;
            known = true;
        }
        for (size_t axis = 0; axis < batch_rank; ++axis) {
            const int64_t extent = buffer.shape[axis];
            if (extent == 1)
                continue;
            if (batch_[axis] != 1 && batch_[axis] != extent)
                return wrong_input(k, input, buffer,
                                   "batch axis " + std::to_string(axis) + " has extent " +
                                       std::to_string(batch_[axis]) + " in earlier inputs");
            batch_[axis] = extent;
        }
    }
    return Status::ok();
}

Status Problem::find_strides(const Buffer *inputs) {
    const size_t count = kernel_->inputs.size(), batch_rank = batch_.size();
    const Status too_large = Status::misfit("the arrays are too large to be addressed");
    batch_elements_ = 1;
    // An empty axis first: beside it, other extents may be of any size.
    if (std::find(batch_.begin(), batch_.end(), 0) != batch_.end())
        batch_elements_ = 0;
    for (int64_t extent : batch_)
        if (batch_elements_ && !multiply(batch_elements_, extent, batch_elements_))
            return too_large;
    inputs_.reset(count);
    input_bytes_.reset(count);
    strides_.reset(count * batch_rank);
    for (size_t k = 0; k < count; ++k) {
        const Buffer &buffer = inputs[k];
        int64_t *const strides = strides_.data() + k * batch_rank;
        int64_t bytes = size_of(buffer.dtype);
        for (int64_t d = buffer.rank - 1; d >= 0; --d) {
            if (d < static_cast<int64_t>(batch_rank))
                strides[d] = buffer.shape[d] == 1 ? 0 : bytes;
            if (!multiply(bytes, buffer.shape[d], bytes))
                return too_large;
        }
        if (bytes > 0 && !buffer.data)
            return wrong_input(k, kernel_->inputs[k], buffer, "its address is null");
        if (bytes > 0 && !is_aligned(buffer))
            return wrong_input(k, kernel_->inputs[k], buffer, "its address is not aligned");
        inputs_[k] = static_cast<const char *>(buffer.data);
        input_bytes_[k] = bytes;
    }
    return Status::ok();
}

void Problem::share_scratch() {
    const size_t batch_rank = batch_.size();
    scratch_elements_ = 1;
    scratch_strides_.reset(batch_rank);
    for (size_t axis = batch_rank; axis-- > 0;) {
        const bool varies =
            std::any_of(kernel_->column_inputs.begin(), kernel_->column_inputs.end(),
                        [&](int64_t k) { return strides_[k * batch_rank + axis] != 0; });
        scratch_strides_[axis] = varies ? scratch_elements_ : 0;
        // At most batch_elements, which is known to fit, unless that is 0 and nothing runs.
        if (varies && batch_elements_)
            scratch_elements_ *= batch_[axis];
    }
}

size_t Problem::output_rank(size_t k) const {
    return batch_.size() + (kernel_->outputs[k].axis == Axis::i ? 2 : 1);
}

int64_t Problem::output_extent(size_t k, size_t d) const {
    if (d < batch_.size())
        return batch_[d];
    return d + 1 == output_rank(k) ? kernel_->outputs[k].width : M_;
}

bool Problem::writes_nothing() const {
    for (size_t k = 0; k < outputs_.size(); ++k)
        if (bytes_of_output(k) > 0)
            return false;
    return true;
}

Status Problem::check_output(size_t k, const Buffer &output) const {
    const Output &wanted = kernel_->outputs[k];
    const std::string name = "output " + std::to_string(k);
    const size_t rank = output_rank(k);
    bool fits = output.rank == static_cast<int64_t>(rank);
    for (size_t d = 0; fits && d < rank; ++d)
        fits = output.shape[d] == output_extent(k, d);
    if (!fits) {
        SmallArray<int64_t, 8> shape(rank);
        for (size_t d = 0; d < rank; ++d)
            shape[d] = output_extent(k, d);
        const Buffer expected{nullptr, shape.data(), static_cast<int64_t>(rank), wanted.dtype};
        return Status::misfit(name + ": expected shape " + show_shape(expected) + ", got " +
                              show_shape(output));
    }
    if (output.dtype != wanted.dtype)
        return Status::misfit(name + ": expected dtype " + name_of(wanted.dtype) + ", got " +
                              name_of(output.dtype));
    const int64_t bytes = bytes_of_output(k);
    if (bytes > 0 && (!output.data || !is_aligned(output)))
        return Status::misfit(name + ": its address is null or not aligned");
    const char *const start = static_cast<const char *>(output.data);
    for (size_t other = 0; other < inputs_.size(); ++other)
        if (overlap(start, bytes, inputs_[other], bytes_of_input(other)))
            return Status::misfit(name + " shares memory with input " + std::to_string(other));
    for (size_t other = 0; other < k; ++other)
        if (overlap(start, bytes, outputs_[other], bytes_of_output(other)))
            return Status::misfit(name + " shares memory with output " + std::to_string(other));
    return Status::ok();
}

Status Problem::bind_outputs(const Buffer *outputs, size_t count) {
    if (count != kernel_->outputs.size())
        return Status::misfit("expected " + std::to_string(kernel_->outputs.size()) +
                              " outputs, got " + std::to_string(count));
    outputs_.reset(count);
    output_bytes_.reset(count);
    for (size_t k = 0; k < count; ++k) {
        const Output &wanted = kernel_->outputs[k];
        int64_t &bytes = output_bytes_[k], all = 0;
        const int64_t rows = wanted.axis == Axis::i ? M_ : 1;
        if (!multiply(size_of(wanted.dtype), wanted.width, bytes) ||
            !multiply(bytes, rows, bytes) || !multiply(bytes, batch_elements_, all))
            return Status::misfit("output " + std::to_string(k) + " is too large to be addressed");
        outputs_[k] = static_cast<char *>(outputs[k].data);
        if (Status status = check_output(k, outputs[k]); !status.is_ok())
            return status;
    }
    return Status::ok();
}

Status Problem::bind_ranges(const Buffer *arrays) {
    auto ranges = std::make_unique<Ranges>();
    if (Status status = ranges->bind(arrays, M_, N_); !status.is_ok())
        return status;
    ranges_ = std::move(ranges);
    return Status::ok();
}

int64_t Problem::locate(int64_t element, Addresses &addresses) const {
    const size_t count = inputs_.size(), batch_rank = batch_.size();
    for (size_t k = 0; k < outputs_.size(); ++k)
        addresses.outputs[k] = kernel_->outputs[k].axis == Axis::i
                                   ? outputs_[k] + element * output_bytes_[k]
                                   : nullptr;
    std::copy(inputs_.begin(), inputs_.end(), addresses.inputs.begin());
    int64_t scratch = 0;
    for (size_t axis = batch_rank; axis-- > 0;) {
        const int64_t index = element % batch_[axis];
        element /= batch_[axis];
        scratch += index * scratch_strides_[axis];
        for (size_t k = 0; k < count; ++k)
            addresses.inputs[k] = static_cast<const char *>(addresses.inputs[k]) +
                                  index * strides_[k * batch_rank + axis];
    }
    return scratch;
}

bool Problem::has_scratch() const {
    if (!kernel_->columns)
        return false;
    return needs_scratch() ||
           (!ranges_ && M_ >= kernel_->scratch_rows && N_ >= kernel_->scratch_columns);
}

void Problem::locate_columns(int64_t scratch, Addresses &addresses) const {
    const size_t batch_rank = batch_.size();
    std::fill(addresses.inputs.begin(), addresses.inputs.end(), nullptr);
    std::fill(addresses.outputs.begin(), addresses.outputs.end(), nullptr);
    for (int64_t k : kernel_->column_inputs)
        addresses.inputs[k] = inputs_[k];
    for (size_t axis = batch_rank; axis-- > 0;) {
        if (scratch_strides_[axis] == 0)
            continue;
        const int64_t index = scratch % batch_[axis];
        scratch /= batch_[axis];
        for (int64_t k : kernel_->column_inputs)
            addresses.inputs[k] = static_cast<const char *>(addresses.inputs[k]) +
                                  index * strides_[k * batch_rank + axis];
    }
}

void Problem::fill_outputs() const {
    for (size_t k = 0; k < outputs_.size(); ++k) {
        const Output &output = kernel_->outputs[k];
        fill(output, outputs_[k], bytes_of_output(k) / size_of(output.dtype));
    }
}

void Problem::fill_rows(const Addresses &addresses, int64_t begin, int64_t end) const {
    for (size_t k = 0; k < outputs_.size(); ++k) {
        const Output &output = kernel_->outputs[k];
        if (output.axis != Axis::i)
            continue;
        char *const start = static_cast<char *>(addresses.outputs[k]);
        fill(output, start + begin * output.width * size_of(output.dtype),
             (end - begin) * output.width);
    }
}

void Problem::write_totals(int64_t element, const double *totals) const {
    for (size_t k = 0; k < outputs_.size(); ++k) {
        const Output &output = kernel_->outputs[k];
        if (output.axis != Axis::p)
            continue;
        write(output, outputs_[k] + element * output_bytes_[k], totals);
        totals += output.width;
    }
}

} // namespace jaxkeops
