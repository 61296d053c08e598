"""How loops are cut on a GPU follows from what a pair needs, and from what a row holds."""

from __future__ import annotations

import pytest

from jaxkeops import ir
from jaxkeops.backends import llvm
from jaxkeops.backends.cuda import Cut, tile_bytes
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.schedule import choose_cut, few_rows, lower, lower_for_gpus

GAUSSIAN = "Exp(-SqDist(x, y)) * b"


def cut_of(reduction: str, formula: str, D: int, E: int = 1, dtype: str = "float32", **options):
    made = formula_of(reduction, formula, D, E, **options)
    return choose_cut(lower(made, dtype, "int64", llvm.host(), loops=False))


def formula_of(reduction: str, formula: str, D: int, E: int = 1, **options):
    aliases = [f"x = Vi({D})", f"y = Vj({D})", f"b = Vj({E})"]
    (node,), variables = read_formulas([formula], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    return make_formula(reduction, node, inputs, **options)


@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp", "Min_ArgMin"])
def test_what_is_small_gets_the_plain_cut(reduction):
    formula = "-SqDist(x, y)" if reduction == "LogSumExp" else GAUSSIAN
    assert cut_of(reduction, formula, 3) == Cut(scaled=reduction != "Min_ArgMin")


def test_rows_are_scaled_where_that_saves_much_of_a_pair():
    assert [cut_of("Sum", GAUSSIAN, D).scaled for D in (1, 3, 6, 16)] == [True, True, True, False]
    assert not cut_of("Sum", GAUSSIAN, 3, dtype="float64").scaled
    assert not cut_of("Sum", "Exp(-SqDist(x, y)) * (x | y)", 3).scaled


def test_wide_rows_get_fewer_of_them():
    rows = [cut_of("Sum", GAUSSIAN, D).rows for D in (3, 10, 16, 40, 200)]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == 4
    assert rows[-1] == 1


@pytest.mark.parametrize(("D", "most"), [(3, 384), (16, 384), (64, 96), (784, 96)])
def test_few_rows_get_tiles_of_a_warp(D, most):
    program = lower_for_gpus(formula_of("Sum", GAUSSIAN, D), "float32", "int64")
    cut, usual = choose_cut(program, few=True), choose_cut(program)
    assert cut.tile_rows == 32
    assert cut.threads * cut.min_blocks == usual.threads * usual.min_blocks
    assert few_rows(program) == most
    assert tile_bytes(program, cut) < tile_bytes(program, usual) or D <= 16


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


def has_loops(reduction: str, formula: str, D: int, E: int = 1) -> bool:
    program = lower_for_gpus(formula_of(reduction, formula, D, E), "float32", "int64")
    parts = ir.topological(ir.roots(program.accumulator))
    return any(isinstance(part, ir.Fold | ir.Each) for part in parts)


def test_many_components_are_loops_where_tiles_of_pairs_serve_them():
    assert not has_loops("Sum", GAUSSIAN, 16)
    assert has_loops("Sum", GAUSSIAN, 64)
    assert has_loops("Sum", GAUSSIAN, 3, 64)
    assert has_loops("Min_ArgMin", "SqDist(x, y)", 64)
    # A maximum of each component is none of these.
    assert not has_loops("Max", "x * y", 32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("D", "E"), [(64, 1), (784, 1), (20000, 1), (3, 64), (3, 1024), (128, 128)]
)
def test_a_tile_of_pairs_fits_into_the_memory_of_a_block(D, E, dtype):
    program = lower_for_gpus(formula_of("Sum", GAUSSIAN, D, E), dtype, "int64")
    cut = choose_cut(program)
    assert tile_bytes(program, cut) <= 64 * 1024
    assert cut.tile % cut.pair_rows == cut.tile % cut.chunk == 0
