// csrc/core/problem.h -- a kernel bound to arrays: extents, broadcasting, addresses
#pragma once

#include "buffer.h"
#include "kernel.h"
#include "small_array.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace jaxkeops {

class Ranges;

/// The addresses that one `Call` points to. Each thread owns one.
struct Addresses {
    Addresses(size_t input_count, size_t output_count)
        : inputs(input_count), outputs(output_count) {}
    SmallArray<const void *, 16> inputs;
    SmallArray<void *, 4> outputs;
};

/// A kernel and the arrays of one call, checked against each other.
///
/// Shapes, with any number of batch axes *B: i (*B, M, D), j (*B, N, D), p (*B, D), outputs
/// (*B, M, E), or (*B, E) if of axis p. A batch extent is 1 or the common one; 1 is read again and
/// again, never copied. M is 1 without an i input, N is 1 without a j input. Refuses, before
/// anything runs, what would read or write outside an array. The kernel and the arrays must outlive
/// the problem.
class Problem {
  public:
    explicit Problem(const Kernel &kernel);
    ~Problem();

    /// Finds B, M, N. Fails with `too_large` if all fits but N exceeds `Kernel::most_columns`.
    /// Throws std::bad_alloc, as does `bind_outputs`.
    Status bind_inputs(const Buffer *inputs, size_t count);

    /// Checks the outputs against their shapes; no output may share memory with an input.
    Status bind_outputs(const Buffer *outputs, size_t count);

    /// Reduces each row over some columns only, the same in every batch element: three arrays, see
    /// `Ranges`, which are copied. To be called after `bind_inputs`. Throws std::bad_alloc.
    Status bind_ranges(const Buffer *arrays);

    const Kernel &kernel() const { return *kernel_; }
    int64_t M() const { return M_; }

    /// What reduces the rows, and how many it takes at once: one, if there are but few.
    RowsFn rows() const { return is_few() ? kernel_->few->rows.load() : kernel_->rows; }
    int64_t row_block() const { return is_few() ? 1 : kernel_->row_block; }
    int64_t N() const { return N_; }

    /// Whether columns have a scratch. To be asked after `bind_ranges`.
    bool has_scratch() const;

    /// Whether `rows` cannot do without one, which may have no memory.
    bool needs_scratch() const {
        return kernel_->scratch_rows == 0 && kernel_->scratch_columns == 0;
    }

    /// How many reductions of (M, N) the batch axes hold.
    int64_t batch_elements() const { return batch_elements_; }
    size_t batch_rank() const { return batch_.size(); }
    int64_t batch_extent(size_t axis) const { return batch_[axis]; }

    /// The shape of output `k`.
    size_t output_rank(size_t k) const;
    int64_t output_extent(size_t k, size_t d) const;

    /// Whether no output has a number.
    bool writes_nothing() const;

    /// Where input and output `k` of batch element 0 start, and how many bytes each element of the
    /// output has. A stride is in bytes, 0 along an axis of extent 1.
    const char *input(size_t k) const { return inputs_[k]; }
    int64_t stride(size_t k, size_t axis) const { return strides_[k * batch_.size() + axis]; }
    char *output(size_t k) const { return outputs_[k]; }
    int64_t output_bytes(size_t k) const { return output_bytes_[k]; }

    /// Null: every row is reduced over all columns.
    const Ranges *ranges() const { return ranges_.get(); }

    /// Scratches that differ: batch axes on which no column input varies share one.
    int64_t scratch_elements() const { return scratch_elements_; }

    /// Addresses of batch element `element`, null for outputs of axis p; returns the index of its
    /// scratch.
    int64_t locate(int64_t element, Addresses &addresses) const;

    /// Addresses of the column inputs of scratch `scratch`; all others are null.
    void locate_columns(int64_t scratch, Addresses &addresses) const;

    /// Writes the value of an empty reduction everywhere.
    void fill_outputs() const;

    /// The same in rows [begin, end) of the batch element whose addresses these are. Outputs of
    /// axis p have no rows.
    void fill_rows(const Addresses &addresses, int64_t begin, int64_t end) const;

    /// Writes batch element `element` of all outputs of axis p: `partial_width` numbers.
    void write_totals(int64_t element, const double *totals) const;

  private:
    bool is_few() const { return kernel_->few && M_ <= kernel_->few->most; }
    Status find_extents(const Buffer *inputs);
    Status find_strides(const Buffer *inputs);
    void share_scratch();
    Status check_output(size_t k, const Buffer &output) const;
    int64_t bytes_of_input(size_t k) const { return input_bytes_[k]; }
    int64_t bytes_of_output(size_t k) const { return batch_elements_ * output_bytes_[k]; }

    const Kernel *kernel_;
    int64_t M_ = 1;
    int64_t N_ = 1;
    int64_t batch_elements_ = 1;
    int64_t scratch_elements_ = 1;
    SmallArray<int64_t, 4> batch_;
    SmallArray<int64_t, 4> scratch_strides_; // in scratches; 0: shared along this axis
    SmallArray<const char *, 16> inputs_;
    SmallArray<int64_t, 16> input_bytes_;
    SmallArray<int64_t, 48> strides_; // in bytes, input by input; 0: broadcast
    SmallArray<char *, 4> outputs_;
    SmallArray<int64_t, 4> output_bytes_; // of one batch element
    std::unique_ptr<const Ranges> ranges_;
};

} // namespace jaxkeops
