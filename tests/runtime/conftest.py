"""Kernels written by hand in LLVM IR, so that the runtime is tested without the compiler."""

import sys
import textwrap
from pathlib import Path

import fresh
import llvmlite.binding as llvm
import numpy as np
import pytest

from jaxkeops.runtime import native

TESTS = str(Path(__file__).parents[1])

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

# x is (M, 1), y is (N, 1), p is (1,). `rows`: out_i = sum over j of x_i * p * y_j, and count_i.
# `columns`: scratch_j = p * y_j; `rows_from_columns` is `rows` with the scratch. Both walk the
# ranges of the call; count_i is how many columns they visit. `totals` adds the rows up as well:
# partials are the sums of out_i and of count_i; `only_totals` writes no rows.
TEXT = """
%call = type {{ i64, i64, ptr, ptr, ptr, ptr, i64, ptr, ptr }}

define void @{name}(ptr %c, i64 %begin, i64 %end) {{
entry:
  %in.at = getelementptr %call, ptr %c, i64 0, i32 2
  %in = load ptr, ptr %in.at
  %out.at = getelementptr %call, ptr %c, i64 0, i32 3
  %out = load ptr, ptr %out.at
  %columns.at = getelementptr %call, ptr %c, i64 0, i32 4
  %columns = load ptr, ptr %columns.at
  %ranges.at = getelementptr %call, ptr %c, i64 0, i32 5
  %ranges = load ptr, ptr %ranges.at
  %ranges.n.at = getelementptr %call, ptr %c, i64 0, i32 6
  %ranges.n = load i64, ptr %ranges.n.at
{load}
  br label %row
row:
  %i = phi i64 [ %begin, %entry ], [ %i.next, %stored ]
  %work = icmp slt i64 %i, %end
  br i1 %work, label %body, label %done
body:
{body}
  br label %stored
stored:
  %i.next = add i64 %i, 1
  br label %row
done:
  ret void
}}
"""
LOAD_X = "  %x = load ptr, ptr %in"
LOAD_Y_AND_P = """
  %y.at = getelementptr ptr, ptr %in, i64 1
  %y = load ptr, ptr %y.at
  %p.at = getelementptr ptr, ptr %in, i64 2
  %p.ptr = load ptr, ptr %p.at
  %p = load {t}, ptr %p.ptr"""
LOAD_OUTPUTS = """
  %sum.out = load ptr, ptr %out
  %count.at = getelementptr ptr, ptr %out, i64 1
  %count.out = load ptr, ptr %count.at"""
LOAD_PARTIALS = """
  %partials.at = getelementptr %call, ptr %c, i64 0, i32 8
  %totals = load ptr, ptr %partials.at
  %pairs = getelementptr double, ptr %totals, i64 1
  store double 0.0, ptr %totals
  store double 0.0, ptr %pairs"""
SUM = """
  %xi.at = getelementptr {t}, ptr %x, i64 %i
  %xi = load {t}, ptr %xi.at
  br label %range
range:
  %r = phi i64 [ 0, %body ], [ %r.next, %walked ]
  %s.range = phi {t} [ 0.0, %body ], [ %s.next, %walked ]
  %count.range = phi i64 [ 0, %body ], [ %count, %walked ]
  %start.k = mul i64 %r, 2
  %start.at = getelementptr i64, ptr %ranges, i64 %start.k
  %start = load i64, ptr %start.at
  %stop.at = getelementptr i64, ptr %start.at, i64 1
  %stop = load i64, ptr %stop.at
  br label %pair
pair:
  %j = phi i64 [ %start, %range ], [ %j.next, %pair ]
  %s = phi {t} [ %s.range, %range ], [ %s.next, %pair ]
  %v.at = getelementptr {t}, ptr {source}, i64 %j
  %v = load {t}, ptr %v.at
  %w = fmul {t} %v, {factor}
  %xw = fmul {t} %xi, %w
  %s.next = fadd {t} %s, %xw
  %j.next = add i64 %j, 1
  %more = icmp slt i64 %j.next, %stop
  br i1 %more, label %pair, label %walked
walked:
  %length = sub i64 %stop, %start
  %count = add i64 %count.range, %length
  %r.next = add i64 %r, 1
  %more.ranges = icmp slt i64 %r.next, %ranges.n
  br i1 %more.ranges, label %range, label %finish
finish:"""
STORE = """
  %sum.at = getelementptr {t}, ptr %sum.out, i64 %i
  store {t} %s.next, ptr %sum.at
  %count.to = getelementptr i64, ptr %count.out, i64 %i
  store i64 %count, ptr %count.to"""
ADD = """
  %sum.wide = {widen}
  %total = load double, ptr %totals
  %total.next = fadd double %total, %sum.wide
  store double %total.next, ptr %totals
  %count.wide = sitofp i64 %count to double
  %pair.total = load double, ptr %pairs
  %pair.next = fadd double %pair.total, %count.wide
  store double %pair.next, ptr %pairs"""
STAGE = """
  %yi.at = getelementptr {t}, ptr %y, i64 %i
  %yi = load {t}, ptr %yi.at
  %py = fmul {t} %yi, %p
  %to = getelementptr {t}, ptr %columns, i64 %i
  store {t} %py, ptr %to"""


def module_text(t: str) -> str:
    """The five functions over numbers of LLVM type `t`."""
    rows = TEXT.format(
        name="rows",
        load=LOAD_X + LOAD_Y_AND_P.format(t=t) + LOAD_OUTPUTS,
        body=(SUM + STORE).format(t=t, source="%y", factor="%p"),
    )
    from_columns = TEXT.format(
        name="rows_from_columns",
        load=LOAD_X + LOAD_OUTPUTS,
        body=(SUM + STORE).format(t=t, source="%columns", factor="1.0"),
    )
    columns = TEXT.format(name="columns", load=LOAD_Y_AND_P.format(t=t), body=STAGE.format(t=t))
    widen = "fpext float %s.next to double" if t == "float" else "fadd double %s.next, 0.0"
    totals = TEXT.format(
        name="totals",
        load=LOAD_X + LOAD_Y_AND_P.format(t=t) + LOAD_OUTPUTS + LOAD_PARTIALS,
        body=(SUM + STORE + ADD).format(t=t, source="%y", factor="%p", widen=widen),
    )
    only_totals = TEXT.format(
        name="only_totals",
        load=LOAD_X + LOAD_Y_AND_P.format(t=t) + LOAD_PARTIALS,
        body=(SUM + ADD).format(t=t, source="%y", factor="%p", widen=widen),
    )
    type_line = "%call = type { i64, i64, ptr, ptr, ptr, ptr, i64, ptr, ptr }"
    functions = (rows, from_columns, columns, totals, only_totals)
    return type_line + "".join(function.replace(type_line, "") for function in functions)


def compiled(text):
    """The engine that holds the machine code of a text."""
    target = llvm.Target.from_default_triple().create_target_machine(opt=2)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), target)
    engine.finalize_object()
    return engine


def make_kernel(dtype="float32", staged=False, pair_cost=1.0):
    """A kernel of three inputs and two outputs; `staged`: through a scratch."""
    engine = compiled(module_text("float" if dtype == "float32" else "double"))
    stage = {
        "columns": engine.get_function_address("columns"),
        "column_width": 1,
        "column_inputs": [1, 2],
    }
    return native.Kernel(
        inputs=[("i", 1), ("j", 1), ("p", 1)],
        outputs=[(1, dtype, -1.5), (1, "int64", -1)],
        dtype=dtype,
        rows=engine.get_function_address("rows_from_columns" if staged else "rows"),
        row_block=4,
        pair_cost=pair_cost,
        code=engine,
        **(stage if staged else {}),
    )


def make_totals(dtype="float32", has_rows=True, total_dtype="float64", pair_cost=5.0):
    """A kernel of the same inputs whose rows are summed: (2,) after the two outputs, or alone."""
    engine = compiled(module_text("float" if dtype == "float32" else "double"))
    rows = [(1, dtype, -1.5), (1, "int64", -1, "i")] if has_rows else []
    return native.Kernel(
        inputs=[("i", 1), ("j", 1), ("p", 1)],
        outputs=[*rows, (2, total_dtype, 0.0, "p")],
        dtype=dtype,
        rows=engine.get_function_address("totals" if has_rows else "only_totals"),
        row_block=4,
        pair_cost=pair_cost,
        code=engine,
    )


def expected(x, y, p):
    """The two outputs by dense NumPy in float64."""
    matrix = x.astype(np.float64) * np.swapaxes(y, -1, -2) * p[..., None]
    empty = matrix.shape[-1] == 0
    total = np.full((*matrix.shape[:-1], 1), -1.5) if empty else matrix.sum(-1, keepdims=True)
    return total, np.full(total.shape, -1 if empty else matrix.shape[-1])


@pytest.fixture(scope="session")
def kernels():
    """Every kind of sample kernel, by (dtype, staged)."""
    return {
        (dtype, staged): make_kernel(dtype, staged)
        for dtype in ("float32", "float64")
        for staged in (False, True)
    }


@pytest.fixture
def kernel(kernels):
    """The plain float32 kernel."""
    return kernels["float32", False]


@pytest.fixture
def arrays(rng):
    """Makes (x, y, p) of shapes (*B, M, 1), (*B, N, 1), (*B, 1)."""

    def make(M, N, dtype="float32", bx=(), by=(), bp=()):
        shapes = (*bx, M, 1), (*by, N, 1), (*bp, 1)
        return tuple(rng.uniform(0.5, 1.5, shape).astype(dtype) for shape in shapes)

    return make


@pytest.fixture
def agree():
    """Asserts that (sum, count) are those of the arrays.

    All terms are positive, so the float sum of N of them errs by at most N eps, relatively.
    """

    def check(results, args):
        total, count = expected(*args)
        N = args[1].shape[-2]
        eps = np.finfo(args[0].dtype).eps
        np.testing.assert_allclose(results[0], total, rtol=max(N, 4) * eps)
        np.testing.assert_array_equal(results[1], count)

    return check


@pytest.fixture
def new_kernel():
    """Makes a plain float32 kernel that no other test has."""
    return make_kernel


@pytest.fixture(scope="session")
def new_totals():
    """Makes kernels with sums over the kept rows."""
    return make_totals


@pytest.fixture(scope="session")
def compile_text():
    """Gives the engine of a text in LLVM IR."""
    return compiled


@pytest.fixture
def in_new_process():
    """Runs Python text in a process of its own, where `load_sample()` gives this file's names.

    Returns what the text printed; fails if the process did.
    """

    def run(text, **environment):
        start = f"import runpy, sys; sys.path.append({TESTS!r})\n"
        start += f"load_sample = lambda: runpy.run_path({__file__!r})\n"
        return fresh.run(start + textwrap.dedent(text), **environment)

    return run


@pytest.fixture
def hook():
    """Sets compile hooks, and gives the compiler's own back at the end, if it is there."""
    yield native.set_compile_hook
    compiler = sys.modules.get("jaxkeops.compiler")
    native.set_compile_hook(compiler and compiler.compile_text)
