"""How loops are cut on a GPU follows from what a pair needs, and from what a row holds."""

from __future__ import annotations

import pytest

from jaxkeops.backends import llvm
from jaxkeops.backends.cuda import Cut
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.schedule import choose_cut, lower

GAUSSIAN = "Exp(-SqDist(x, y)) * b"


def cut_of(reduction: str, formula: str, D: int, E: int = 1, dtype: str = "float32", **options):
    aliases = [f"x = Vi({D})", f"y = Vj({D})", f"b = Vj({E})"]
    (node,), variables = read_formulas([formula], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula(reduction, node, inputs, **options)
    return choose_cut(lower(made, dtype, "int64", llvm.host(), loops=False))


@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp", "Min_ArgMin"])
def test_what_is_small_gets_the_plain_cut(reduction):
    assert cut_of(reduction, GAUSSIAN, 3) == Cut()


def test_wide_rows_get_fewer_of_them():
    rows = [cut_of("Sum", GAUSSIAN, D).rows for D in (3, 10, 16, 40, 200)]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == 4
    assert rows[-1] == 1


def test_one_row_a_thread_needs_no_other_kernel_for_few_rows():
    assert cut_of("Sum", GAUSSIAN, 3).few_threads > 0
    assert cut_of("Sum", GAUSSIAN, 200).few_threads == 0


def test_wide_columns_get_smaller_tiles():
    tiles = [cut_of("Sum", GAUSSIAN, D).tile for D in (3, 64, 1000)]
    assert tiles == [256, 64, 4]
    assert cut_of("Sum", GAUSSIAN, 3, dtype="float64").tile == 256


def test_long_lists_leave_the_registers():
    short, long = (cut_of("KMin", "SqDist(x, y)", 3, count=count) for count in (10, 100))
    assert short.register_lists
    assert not long.register_lists
    assert short.rows > long.rows


def test_much_code_is_written_once():
    assert cut_of("Sum", GAUSSIAN, 3).group == 4
    assert cut_of("Sum", GAUSSIAN, 300, E=300).group == 1
