"""Lists of the least values: exactly the interpreter's, ties and numbers that are none included."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.backends.llvm.host import levels
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.ir.interpret import interpret
from jaxkeops.schedule import lower

from .programs import run

every_level = pytest.mark.parametrize("level", levels())


def program_of(formula, count, machine):
    (node,), variables = read_formulas([formula], ["x = Vi(2)", "y = Vj(2)"])
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula("KMin_ArgKMin", node, inputs, count=count)
    return lower(made, "float32", "int64", machine)


def check(formula, count, x, y, level, parts=(), resume=False):
    machine = levels()[level]
    program = program_of(formula, count, machine)
    arrays = [x.astype(np.float32), y.astype(np.float32)]
    results = run(program, machine, arrays, len(x), len(y), parts, resume=resume)
    for result, right in zip(results, interpret(program, arrays, len(x), len(y)), strict=True):
        np.testing.assert_array_equal(result, right)


@every_level
@pytest.mark.parametrize("count", [1, 16, 20, 21])
@pytest.mark.parametrize("N", [1, 65, 700])
def test_equal_values_keep_the_order_of_their_columns(N, count, level, rng):
    x, y = rng.integers(0, 4, (19, 2)), rng.integers(0, 4, (N, 2))
    check("SqDist(x, y)", count, x, y, level)


@every_level
@pytest.mark.parametrize("resume", [False, True], ids=["merged", "resumed"])
@pytest.mark.parametrize("count", [1, 20, 21])
def test_ties_keep_their_order_over_parts_of_the_columns(count, resume, level, rng):
    x, y = rng.integers(0, 4, (19, 2)), rng.integers(0, 4, (300, 2))
    check("SqDist(x, y)", count, x, y, level, [1, 130, 299], resume)


@every_level
@pytest.mark.parametrize("count", [3, 20, 21])
def test_columns_in_the_worst_order_give_the_same(count, level):
    x, y = np.zeros((5, 2)), np.arange(400, 0, -1)[:, None] * [1, 0]
    check("SqDist(x, y)", count, x, y, level)


@every_level
@pytest.mark.parametrize("count", [3, 20, 21])
def test_what_is_no_number_is_passed_over(count, level, rng):
    x, y = rng.integers(-3, 4, (19, 2)).astype(float), rng.integers(-3, 4, (90, 2)).astype(float)
    x[3, 0], x[7] = np.nan, np.inf
    y[rng.random(90) < 0.6] = np.nan
    y[rng.random(90) < 0.2] = np.inf
    check("SqDist(x, y)", count, x, y, level)
    check("Minus(Sum(x * y))", count, x, y, level)
