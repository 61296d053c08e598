// csrc/python/kernel_object.cpp -- makes kernels from Python, and shows what they are
#include "kernel_object.h"

#include "../core/kernel_table.h"
#include "../core/ranges.h"
#include "../cpu/launch.h"
#include "../cpu/thread_pool.h"
#include "description.h"
#include "failure.h"
#include "lock.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace nb = nanobind;
using namespace nb::literals;

namespace jaxkeops {

namespace {

/// Keeps a Python object alive from C++, to be let go on any thread.
std::shared_ptr<const void> hold(nb::object object) {
    if (object.is_none())
        return nullptr;
    return {object.release().ptr(), [](PyObject *owned) {
                const Locked lock;
                if (lock.is_held()) // else Python is ending, and takes it along
                    Py_DECREF(owned);
            }};
}

void make(KernelObject *self, const std::vector<InputRow> &inputs,
          const std::vector<OutputRow> &outputs, const std::string &dtype, uintptr_t rows,
          uintptr_t columns, int64_t column_width, std::vector<int64_t> column_inputs,
          int64_t scratch_rows, int64_t scratch_columns, int64_t row_block, double pair_cost,
          int64_t workspace, bool parts, double part_cost,
          int64_t few_rows, const std::string &few_key, const std::string &few_text, int64_t panel,
          int64_t most_columns, nb::object code) {
    auto kernel = std::make_shared<Kernel>();
    describe(*kernel, inputs, outputs, dtype);
    kernel->rows = reinterpret_cast<RowsFn>(rows);
    kernel->columns = reinterpret_cast<ColumnsFn>(columns);
    kernel->column_width = column_width;
    kernel->column_inputs = std::move(column_inputs);
    kernel->scratch_rows = scratch_rows;
    kernel->scratch_columns = scratch_columns;
    kernel->row_block = row_block;
    kernel->pair_cost = pair_cost;
    kernel->workspace = workspace;
    kernel->parts = parts;
    kernel->part_cost = part_cost;
    if (few_rows)
        kernel->few = std::make_shared<const FewRows>(few_rows, few_key, few_text);
    kernel->panel = panel;
    kernel->most_columns = most_columns;
    require(check(*kernel));
    kernel->code = hold(std::move(code));
    new (self) KernelObject{std::move(kernel)};
}

void prepare(const KernelObject &self, int64_t rows) {
    Status status;
    {
        const Unlocked unlocked;
        status = complete(*self.kernel, rows);
    }
    require(status);
}

} // namespace

void launch_from_python(const Problem &problem) {
    Status status;
    {
        const Unlocked unlocked;
        status = launch(problem, ThreadPool::instance());
    }
    require(status);
}

std::string name_of_type(nb::handle object) {
    return nb::str(object.type().attr("__name__")).c_str();
}

nb::tuple three_arrays(nb::object ranges) {
    const bool is_tuple = nb::isinstance<nb::tuple>(ranges);
    if (!is_tuple || nb::len(ranges) != Ranges::kArrays)
        throw nb::value_error(
            ("ranges: expected a tuple of three arrays, (row_blocks, ends, "
             "column_blocks), got " +
             (is_tuple ? "a tuple of " + std::to_string(nb::len(ranges)) : name_of_type(ranges)))
                .c_str());
    return nb::borrow<nb::tuple>(ranges);
}

void bind_ranges(Problem &problem, const Buffer *arrays) {
    Status status;
    {
        const Unlocked unlocked;
        status = problem.bind_ranges(arrays);
    }
    if (!status.is_ok())
        throw nb::value_error(status.message().c_str());
}

void bind_kernel(nb::module_ &module) {
    nb::class_<KernelObject>(
        module, "Kernel",
        "Compiled code and what a caller must know to run it. Never changes once made.\n\n"
        "`rows` and `columns` are addresses of C functions (csrc/core/kernel.h); `code` is any\n"
        "object that keeps them mapped, held as long as the kernel lives. `pair_cost` is in ns.\n"
        "Each running call of `rows` has `workspace` bytes to itself. More than `most_columns`\n"
        "reduced rows are refused. Fewer rows than `scratch_rows`, fewer columns than\n"
        "`scratch_columns`, and ranges, do without what `columns` fills, if either is not 0.\n\n"
        "`parts` says that `rows` can keep in its workspace what it carries from some columns,\n"
        "and merge what several calls kept: few rows then go over their columns in parts, each\n"
        "of which costs `part_cost` ns beside its pairs; many rows go over `panel` columns at a\n"
        "time, block after block, where that is not 0. Up to `few_rows` of them, where that is\n"
        "not 0, are reduced by the `rows` of the kernel of `few_key`, made of `few_text` when it\n"
        "is first needed.\n\n"
        "Outputs are (width E, dtype, value over no rows), and an axis: \"i\", the default, has\n"
        "shape (*B, M, E); \"p\" is summed over the kept rows, has shape (*B, E) and a float\n"
        "dtype, and the same bits for any number of threads.\n\n"
        "Raises ValueError if the description makes no sense.")
        .def("__init__", &make, nb::kw_only(), "inputs"_a, "outputs"_a, "dtype"_a, "rows"_a,
             "columns"_a = 0, "column_width"_a = 0, "column_inputs"_a = std::vector<int64_t>(),
             "scratch_rows"_a = 0, "scratch_columns"_a = 0, "row_block"_a = 1, "pair_cost"_a = 0.2, "workspace"_a = 0, "parts"_a = false,
             "part_cost"_a = 0.0, "few_rows"_a = 0, "few_key"_a = "", "few_text"_a = "", "panel"_a = 0,
             "most_columns"_a = std::numeric_limits<int64_t>::max(), "code"_a = nb::none(),
             nb::sig("def __init__(self, *, inputs: collections.abc.Sequence[tuple[str, int]], "
                     "outputs: collections.abc.Sequence[tuple[int, str, "
                     "float | collections.abc.Sequence[float]] | tuple[int, str, "
                     "float | collections.abc.Sequence[float], str]], dtype: str, rows: int, "
                     "columns: int = 0, column_width: int = 0, "
                     "column_inputs: collections.abc.Sequence[int] = (), scratch_rows: int = 0, "
                     "scratch_columns: int = 0, row_block: int = 1, pair_cost: float = 0.2, workspace: int = 0, "
                     "parts: bool = False, part_cost: float = 0.0, few_rows: int = 0, "
                     "few_key: str = '', few_text: str = '', panel: int = 0, most_columns: int = "
                     "9223372036854775807, code: object = None) -> None"))
        .def("prepare", &prepare, "rows"_a, nb::sig("def prepare(self, rows: int) -> None"),
             "Compiles what calls with so many kept rows need; else the first of them does.")
        .def("call_buffers", &call_buffers, "args"_a, "empty"_a, "dtypes"_a, "out"_a = nb::none(),
             "ranges"_a = nb::none(),
             nb::sig("def call_buffers(self, args: tuple[typing.Any, ...], "
                     "empty: collections.abc.Callable[[tuple[int, ...], typing.Any], typing.Any], "
                     "dtypes: tuple[typing.Any, ...], "
                     "out: tuple[typing.Any, ...] | None = None, "
                     "ranges: tuple[typing.Any, typing.Any, typing.Any] | None = None) "
                     "-> tuple[typing.Any, ...] | None"),
             "The outputs, made by `empty(shape, dtypes[k])` or taken from `out`; None, and\n"
             "nothing done, if an array does not fit: not a buffer, gaps, other dtype or shape.\n"
             "ValueError for more than `most_columns`.\n\n"
             "`ranges` is (row_blocks, ends, column_blocks): int32 or int64, (Mc, 2), (Mc,) and\n"
             "(Mcc, 2). Rows row_blocks[k] are reduced over column_blocks[ends[k-1]:ends[k]],\n"
             "ends[-1] counting as 0; blocks are half-open. Other rows get the value over no\n"
             "rows. The same for every batch element. ValueError, before anything runs, for\n"
             "ranges that are not sound.")
        .def(
            "call_tensors", &call_tensors, "args"_a, "outs"_a, "ranges"_a = nb::none(),
            nb::sig("def call_tensors(self, args: tuple[typing.Any, ...], "
                    "outs: tuple[typing.Any, ...], "
                    "ranges: tuple[typing.Any, typing.Any, typing.Any] | None = None) -> None"),
            "Fills `outs`. All have `data_ptr()` and `shape`; that they are contiguous, on the\n"
            "CPU and of the right dtype is the caller's to check. ValueError for a wrong shape.\n\n"
            "`ranges` as in `call_buffers`; their `dtype` is read and checked.")
        .def("run", &run_addresses, "inputs"_a, "outputs"_a, "ranges"_a = nb::none(),
             nb::sig("def run(self, inputs: collections.abc.Sequence[tuple[int, tuple[int, ...]]], "
                     "outputs: collections.abc.Sequence[tuple[int, tuple[int, ...]]], "
                     "ranges: tuple[tuple[int, tuple[int, ...]], tuple[int, tuple[int, ...]], "
                     "tuple[int, tuple[int, ...]]] | None = None) -> None"),
             "Fills `outputs`; all arrays are pairs (address, shape), contiguous, of the right\n"
             "dtype, which is int64 for `ranges`. ValueError for a wrong shape.")
        .def_prop_ro(
            "inputs", [](const KernelObject &self) { return inputs_of(*self.kernel); },
            nb::sig("def inputs(self) -> tuple[tuple[str, int], ...]"),
            "(axis, width) of each input.")
        .def_prop_ro(
            "outputs", [](const KernelObject &self) { return outputs_of(*self.kernel); },
            nb::sig("def outputs(self) -> "
                    "tuple[tuple[int, str, float | tuple[float, ...], str], ...]"),
            "(width, dtype, value over no rows, axis) of each output.")
        .def_prop_ro(
            "dtype", [](const KernelObject &self) { return name_of(self.kernel->dtype); },
            nb::sig("def dtype(self) -> str"), "The dtype of every input.");
}

} // namespace jaxkeops
