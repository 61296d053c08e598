"""StopGradient, Slope and Slopes: the value of one formula, the derivative of another."""

from __future__ import annotations

import numpy as np
import pytest
from by_rows import values

from jaxkeops.errors import FormulaError
from jaxkeops.formula import F, Node, Number, Var, gradient
from jaxkeops.numpy import Genred

X = Var(3, 0, "i")


def slope(node: Node, slot: int = 0) -> Node:
    found = gradient(node, [slot], Number(node.dim, 1.0))[slot]
    return Number(3, 0.0) if found is None else found


def test_stopped_parts_have_no_derivative(rng):
    x = rng.normal(size=(5, 3))
    np.testing.assert_array_equal(values(F.StopGradient(X) * X, {0: x}), x * x)
    np.testing.assert_array_equal(values(slope(F.StopGradient(X) * X), {0: x}), x)


def test_slopes_are_differentiated_themselves(rng):
    x = rng.normal(size=(5, 3))
    node = F.Slope(F.StopGradient(F.Floor(X)), X, F.Sin(X))
    np.testing.assert_array_equal(values(node, {0: x}), np.floor(x))
    np.testing.assert_array_equal(values(slope(node), {0: x}), np.sin(x))
    np.testing.assert_array_equal(values(slope(slope(node)), {0: x}), np.cos(x))


def test_matrices_of_slopes(rng):
    x, matrix = rng.normal(size=(5, 3)), rng.normal(size=(5, 6))
    node = F.Slopes(Number(2, 7.0), X, Var(6, 1, "i"))
    np.testing.assert_array_equal(values(node, {0: x, 1: matrix}), np.full((5, 2), 7.0))
    expected = matrix.reshape(5, 2, 3).sum(1)
    np.testing.assert_allclose(values(slope(node), {0: x, 1: matrix}), expected, rtol=1e-14)


def test_a_matrix_that_does_not_fit_is_refused():
    with pytest.raises(FormulaError, match="6 numbers, for f of dimension 2 and x of dimension 3"):
        F.Slopes(Number(2, 7.0), X, X)


def test_what_only_derivatives_need_is_not_computed():
    stages = Genred(
        "Slope(StopGradient(x), x, Exp(x)) * y", ["x=Vi(1)", "y=Vj(1)"], axis=1
    ).stages()
    assert "exp" in stages.formula.lower()
    assert "exp" not in stages.program
