"""Programs as text: what is computed once, for each column, for each row, for each pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jaxkeops import ir
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.ir.machine import Machine
from jaxkeops.ir.show import show
from jaxkeops.schedule import lower

MACHINE = Machine("test", "test", vector_bytes=64, registers=32, fma=True, scalef=True)
ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "e = Vi(2)"]
GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"


def program_of(
    formula: str, reduction: str = "Sum", dtype: str = "float32", aliases: list[str] = ALIASES
):
    (node,), variables = read_formulas([formula], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    return lower(make_formula(reduction, node, inputs), dtype, "int64", MACHINE)


def pair_lines(formula: str, reduction: str = "Sum") -> list[str]:
    text = show(program_of(formula, reduction))
    body = text.split("for each pair:\n")[1].split("at the end")[0]
    return [line.strip() for line in body.splitlines()][:-1]


@pytest.mark.parametrize(
    ("reduction", "formula"),
    [
        ("Sum", GAUSSIAN),
        ("Sum", f"Grad({GAUSSIAN}, x, e)"),
        ("Sum", f"Grad({GAUSSIAN}, y, e)"),
        ("LogSumExp", "-g * SqDist(x, y)"),
        ("Min_ArgMin", "SqDist(x, y)"),
        ("Sum", "Exp(y) * Log(g) * Sin(x)"),
    ],
    ids=["gaussian", "gradient-x", "gradient-y", "logsumexp", "argmin", "hoisting"],
)
def test_program_text(reduction, formula, golden):
    assert show(program_of(formula, reduction)) == golden


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_data_of_16_bits_are_converted_once_for_each_column(dtype):
    half, single = program_of(GAUSSIAN, dtype=dtype), program_of(GAUSSIAN)
    assert show(half).startswith(f"program float32 on {dtype}\n")
    taken = ir.topological(ir.roots(half.accumulator))
    assert not any(isinstance(leaf, ir.Load) and leaf.rate == ir.COLUMN for leaf in taken)
    assert all(isinstance(column, ir.Load) for column in half.columns)
    assert len(half.columns) == 3 + 2
    assert single.columns == ()
    # A column of the scratch is wider than one of 16 bits, so that fewer fit in a cache.
    cuts = [replace(program.schedule, panel=0) for program in (half, single)]
    assert cuts[0] == cuts[1]
    assert half.dtype == single.dtype
    assert [output.dtype for output in half.outputs] == [dtype]


def test_what_does_not_depend_on_the_pair_leaves_the_pair():
    assert pair_lines("Exp(x) * Sin(g)") == []
    assert pair_lines("Exp(y) * Sin(x) * Log(g)") == []
    assert len(pair_lines("Exp(g) * (x | y)")) == 3


def test_column_values_are_computed_once_for_each_column():
    program = program_of("Exp(y) * Cos(x - y)")
    assert len(program.columns) == 3


def test_columns_keep_as_many_components_as_their_input_has():
    """Though a longer loop goes around the sum that they are of."""
    program = program_of(GAUSSIAN, aliases=["g = Pm(1)", "x = Vi(26)", "y = Vj(26)", "b = Vj(50)"])
    assert [ir.width(column) for column in program.columns] == [26, 1]


def test_common_parts_are_computed_once():
    lines = pair_lines("Exp(-SqDist(x, y)) * b + Exp(-SqDist(x, y)) * SqDist(x, y)")
    assert sum("exp2" in line for line in lines) == 1


def test_a_gaussian_pair_costs_nine_operations():
    assert len(pair_lines("Exp(-g * SqDist(x, y))")) == 8


def test_a_gaussian_gradient_pair_shares_the_kernel():
    lines = pair_lines(f"Grad({GAUSSIAN}, x, e)")
    assert sum("exp2" in line for line in lines) == 1
    assert len(lines) <= 14


def test_a_difference_of_products_is_not_contracted():
    """x x - y y must vanish where x = y."""
    assert not any("fma" in line for line in pair_lines("Elem(x, 0) * Elem(y, 0) - y * x"))


def test_a_number_of_a_column_is_never_what_is_subtracted_from():
    lines = pair_lines("Exp(-SqDist(y, x)) * (y - x)")
    differences = [line for line in lines if " = sub(" in line]
    assert len(differences) == 3
    assert all("sub(v1[" in line for line in differences), differences
    assert not any("neg(" in line for line in lines)


@pytest.mark.parametrize("formula", ["Cos(y - x)", "Inv(y - x)", "Inv(x * Pow(y - x, 3))"])
def test_a_difference_is_not_turned_where_its_sign_tells(formula):
    """It would cost an operation, or change the sign of what dividing by 0 gives."""
    lines = pair_lines(formula)
    assert sum("sub(v2[" in line for line in lines) == 3
    assert not any("neg(" in line for line in lines)


def test_a_difference_in_a_divisor_is_turned_where_it_is_squared():
    assert sum("sub(v1[" in line for line in pair_lines("y / (1 + SqDist(y, x))")) == 3


def test_columns_are_computed_by_turns_unless_a_pair_is_long():
    def columns(operations: int) -> int:
        formula = "x"
        for k in range(operations):
            formula = f"({formula} * y + {k})"
        return program_of(formula, aliases=["x = Vi(1)", "y = Vj(1)"]).schedule.columns

    assert [columns(n) for n in (10, 400, 1500)] == [2, 2, 1]


@pytest.mark.parametrize(("formula", "columns"), [("Exp(x - y)", 2), ("Sin(x - y)", 1)])
def test_columns_are_not_computed_by_turns_over_jumps(formula, columns):
    assert program_of(formula).schedule.columns == columns
