// csrc/core/kernel.cpp -- names and sizes of dtypes; the check of a kernel's description
#include "kernel.h"

#include "aligned_memory.h"

#include <cmath>
#include <limits>

namespace jaxkeops {

namespace {

bool is_float(Dtype dtype) {
    return dtype <= Dtype::float64;
}

/// Whether `value` survives the cast to `dtype`. 2^31 and 2^63 are exact in double.
bool holds(Dtype dtype, double value) {
    if (is_float(dtype))
        return true;
    const double limit = dtype == Dtype::int32 ? 0x1p31 : 0x1p63;
    return std::trunc(value) == value && value >= -limit && value < limit;
}

Status wrong(const std::string &what) {
    return Status::misfit("kernel description: " + what);
}

Status check_columns(const Kernel &kernel) {
    if (kernel.columns && kernel.column_width < 1)
        return wrong("a columns function needs a column_width of at least 1");
    if (!kernel.columns &&
        (kernel.column_width || (!kernel.device && !kernel.column_inputs.empty())))
        return wrong("column_width or column_inputs are given, but no columns function");
    if (kernel.scratch_rows < 0 || kernel.scratch_columns < 0)
        return wrong("scratch_rows and scratch_columns must be 0 or more");
    for (int64_t k : kernel.column_inputs) {
        if (k < 0 || k >= static_cast<int64_t>(kernel.inputs.size()))
            return wrong("column_inputs names input " + std::to_string(k) + " of " +
                         std::to_string(kernel.inputs.size()));
        if (kernel.inputs[k].axis == Axis::i)
            return wrong("column_inputs names input " + std::to_string(k) +
                         ", which has axis 'i': a column sees only 'j' and 'p'");
    }
    return Status::ok();
}

Status check_output(const Output &output) {
    if (output.width < 0)
        return wrong("an output has a negative width");
    if (output.axis == Axis::j)
        return wrong("an output has axis 'j': expected 'i', or 'p' for a sum over the kept rows");
    if (output.axis == Axis::p && !is_float(output.dtype))
        return wrong(std::string("an output of axis 'p' must be of a float dtype, not ") +
                     name_of(output.dtype));
    if (!output.empties.empty() && static_cast<int64_t>(output.empties.size()) != output.width)
        return wrong("an output of width " + std::to_string(output.width) + " has " +
                     std::to_string(output.empties.size()) + " empty values");
    if (!output.empties.empty() && !is_float(output.dtype))
        return wrong(std::string("empty values that differ are for float dtypes, not ") +
                     name_of(output.dtype));
    if (!holds(output.dtype, output.empty))
        return wrong("the empty value " + std::to_string(output.empty) + " is not an " +
                     name_of(output.dtype));
    return Status::ok();
}

} // namespace

int64_t size_of(Dtype dtype) {
    switch (dtype) {
    case Dtype::float16:
    case Dtype::bfloat16:
        return 2;
    case Dtype::float32:
    case Dtype::int32:
        return 4;
    case Dtype::float64:
    case Dtype::int64:
        break;
    }
    return 8;
}

Dtype computing(Dtype dtype) {
    return size_of(dtype) == 2 ? Dtype::float32 : dtype;
}

const char *name_of(Dtype dtype) {
    switch (dtype) {
    case Dtype::float16:
        return "float16";
    case Dtype::bfloat16:
        return "bfloat16";
    case Dtype::float32:
        return "float32";
    case Dtype::float64:
        return "float64";
    case Dtype::int32:
        return "int32";
    case Dtype::int64:
        return "int64";
    }
    return "?";
}

char name_of(Axis axis) {
    return axis == Axis::i ? 'i' : axis == Axis::j ? 'j' : 'p';
}

int64_t partial_width(const Kernel &kernel) {
    int64_t width = 0;
    for (const Output &output : kernel.outputs)
        width += output.axis == Axis::p ? output.width : 0;
    return width;
}

Status check(const Kernel &kernel) {
    if (!kernel.rows && !kernel.device)
        return wrong("the rows function is null");
    if (kernel.device && (kernel.rows || kernel.columns || kernel.workspace))
        return wrong("it has code for this CPU, and for a device as well");
    if (!is_float(kernel.dtype))
        return wrong(std::string("the inputs' dtype must be a float one, not ") +
                     name_of(kernel.dtype));
    if (kernel.outputs.empty())
        return wrong("there is no output");
    if (kernel.row_block < 1)
        return wrong("row_block must be at least 1");
    if (!(kernel.pair_cost >= 0) || std::isinf(kernel.pair_cost))
        return wrong("pair_cost must be a finite number of nanoseconds");
    for (const Input &input : kernel.inputs)
        if (input.width < 0)
            return wrong("an input has a negative width");
    if (kernel.workspace < 0)
        return wrong("workspace must be a number of bytes, 0 or more");
    if (kernel.parts && (kernel.workspace == 0 || kernel.workspace % AlignedMemory::kAlign))
        return wrong("a kernel with parts keeps them in a workspace of a multiple of " +
                     std::to_string(AlignedMemory::kAlign) + " bytes, not of " +
                     std::to_string(kernel.workspace));
    if (!(kernel.part_cost >= 0) || std::isinf(kernel.part_cost))
        return wrong("part_cost must be a finite number of nanoseconds");
    if (kernel.few && (kernel.few->most < 1 || kernel.few->key.empty()))
        return wrong("what serves few rows needs a number of rows from 1 on, and a key");
    if (kernel.panel < 0 || (kernel.panel && !kernel.parts))
        return wrong("panel must be 0, or a number of columns of a kernel with parts");
    if (kernel.most_columns < 1)
        return wrong("most_columns must be at least 1");
    int64_t partials = 0;
    for (const Output &output : kernel.outputs) {
        if (Status status = check_output(output); !status.is_ok())
            return status;
        if (output.axis != Axis::p)
            continue;
        if (output.width > std::numeric_limits<int64_t>::max() - partials)
            return wrong("the outputs of axis 'p' are too wide to be addressed");
        partials += output.width;
    }
    return check_columns(kernel);
}

} // namespace jaxkeops
