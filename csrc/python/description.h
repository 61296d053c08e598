// csrc/python/description.h -- the inputs and outputs of a kernel, as Python writes them
#pragma once

#include "../core/kernel.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace jaxkeops {

using InputRow = std::pair<std::string, int64_t>;
using Empty = std::variant<double, std::vector<double>>;      // for all columns, or for each
using OutputOfRows = std::tuple<int64_t, std::string, Empty>; // of axis i
using OutputOfAxis = std::tuple<int64_t, std::string, Empty, std::string>;
using OutputRow = std::variant<OutputOfRows, OutputOfAxis>;

/// Fills in what every kernel has. Raises ValueError for a name that is none.
void describe(Kernel &kernel, const std::vector<InputRow> &inputs,
              const std::vector<OutputRow> &outputs, const std::string &dtype);

/// The same, read back.
nanobind::tuple inputs_of(const Kernel &kernel);
nanobind::tuple outputs_of(const Kernel &kernel);

} // namespace jaxkeops
