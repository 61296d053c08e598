// csrc/python/description.cpp -- names of axes and dtypes, and the rows that have them
#include "description.h"

namespace nb = nanobind;

namespace jaxkeops {

namespace {

Axis read_axis(const std::string &name) {
    if (name == "i")
        return Axis::i;
    if (name == "j")
        return Axis::j;
    if (name == "p")
        return Axis::p;
    throw nb::value_error(("axis: expected 'i', 'j' or 'p', got '" + name + "'").c_str());
}

Dtype read_dtype(const std::string &name) {
    std::string known;
    for (Dtype dtype : kDtypes) {
        if (name == name_of(dtype))
            return dtype;
        known += std::string(known.empty() ? "" : ", ") + name_of(dtype);
    }
    throw nb::value_error(("dtype: expected one of " + known + ", got '" + name + "'").c_str());
}

Output make_output(int64_t width, const std::string &dtype, const Empty &empty, Axis axis) {
    if (const auto *one = std::get_if<double>(&empty))
        return {width, read_dtype(dtype), *one, axis};
    return {width, read_dtype(dtype), 0.0, axis, std::get<std::vector<double>>(empty)};
}

Output read_output(const OutputRow &row) {
    if (const auto *of_rows = std::get_if<OutputOfRows>(&row)) {
        const auto &[width, dtype, empty] = *of_rows;
        return make_output(width, dtype, empty, Axis::i);
    }
    const auto &[width, dtype, empty, axis] = std::get<OutputOfAxis>(row);
    return make_output(width, dtype, empty, read_axis(axis));
}

} // namespace

void describe(Kernel &kernel, const std::vector<InputRow> &inputs,
              const std::vector<OutputRow> &outputs, const std::string &dtype) {
    for (const auto &[axis, width] : inputs)
        kernel.inputs.push_back({read_axis(axis), width});
    for (const OutputRow &row : outputs)
        kernel.outputs.push_back(read_output(row));
    kernel.dtype = read_dtype(dtype);
}

nb::tuple inputs_of(const Kernel &kernel) {
    nb::list rows;
    for (const Input &input : kernel.inputs)
        rows.append(nb::make_tuple(std::string(1, name_of(input.axis)), input.width));
    return nb::tuple(rows);
}

nb::tuple outputs_of(const Kernel &kernel) {
    nb::list rows;
    for (const Output &output : kernel.outputs) {
        const nb::object empty =
            output.empties.empty() ? nb::cast(output.empty) : nb::tuple(nb::cast(output.empties));
        rows.append(nb::make_tuple(output.width, name_of(output.dtype), empty,
                                   std::string(1, name_of(output.axis))));
    }
    return nb::tuple(rows);
}

} // namespace jaxkeops
