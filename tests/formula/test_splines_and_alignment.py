"""B-splines and soft dynamic time warping, against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from by_rows import lowered, values
from scipy.interpolate import BSpline

from jaxkeops.errors import FormulaError
from jaxkeops.formula import F, Number, Var, gradient


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("knots", [[0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 2, 2, 2], [0, 1, 1, 1, 3, 4]])
def test_basis_functions_agree_with_scipy(degree, knots, rng):
    count = len(knots) - degree - 1
    # Inside the knots, where SciPy does not extrapolate; the last knot is outside.
    x = np.array([[knots[0]], [0.3], [0.999], [1.0], [knots[-1] - 0.5]], float)
    arrays = {0: np.tile(np.array(knots, float), (5, 1)), 1: x}
    node = F.BSpline(Var(len(knots), 0, "i"), Var(1, 1, "i"), degree)
    expected = np.zeros((5, count))
    for k in range(count):
        element = BSpline.basis_element(knots[k : k + degree + 2], extrapolate=False)
        support = (x[:, 0] >= knots[k]) & (x[:, 0] < knots[k + degree + 1])
        expected[:, k] = np.where(support, np.nan_to_num(element(x[:, 0])), 0.0)
    np.testing.assert_allclose(values(node, arrays), expected, atol=1e-14)
    np.testing.assert_allclose(lowered(node, arrays), expected, atol=1e-14)


def test_repeated_knots_have_finite_derivatives():
    knots = np.tile(np.array([0.0, 0, 0, 1, 2, 2, 2]), (5, 1))
    node = F.BSpline(Var(7, 0, "i"), Var(1, 1, "i"), 2)
    x = np.array([[0.0], [0.5], [1.0], [1.5], [1.9]])
    for found in gradient(node, [0, 1], Number(1, 1.0)).values():
        assert found is not None
        assert np.isfinite(values(found, {0: knots, 1: x})).all()


def test_too_few_knots_are_refused():
    with pytest.raises(FormulaError, match=r"at least k \+ 2 knots"):
        F.BSpline(Var(3, 0, "i"), Var(1, 1, "i"), 2)


def soft_dtw(x: np.ndarray, y: np.ndarray, gamma: float) -> float:
    """Dense recursion of one pair of series; borders have one way in."""
    r = np.full((len(x) + 1, len(y) + 1), np.inf)
    r[0, 0] = 0
    for i in range(len(x)):
        for j in range(len(y)):
            ways = np.array([r[i, j], r[i, j + 1], r[i + 1, j]])
            ways = ways[np.isfinite(ways)]
            best = ways[0] if len(ways) == 1 else -gamma * np.log(np.exp(-ways / gamma).sum())
            r[i + 1, j + 1] = (x[i] - y[j]) ** 2 + best
    return r[-1, -1]


def test_soft_dtw_agrees_with_its_recursion(rng):
    x, y, gamma = rng.random((5, 4)), rng.random((5, 3)), rng.uniform(0.2, 1, (5, 1))
    node = F.SoftDTW_SqDist(Var(4, 0, "i"), Var(3, 1, "i"), Var(1, 2, "i"))
    expected = [[soft_dtw(*row)] for row in zip(x, y, gamma[:, 0], strict=True)]
    np.testing.assert_allclose(values(node, {0: x, 1: y, 2: gamma}), expected, rtol=1e-12)


def test_soft_dtw_of_distant_series_does_not_overflow():
    x, y, gamma = np.zeros((5, 3)), np.full((5, 3), 100.0), np.full((5, 1), 0.1)
    node = F.SoftDTW_SqDist(Var(3, 0, "i"), Var(3, 1, "i"), Var(1, 2, "i"))
    np.testing.assert_allclose(lowered(node, {0: x, 1: y, 2: gamma}), np.full((5, 1), 3e4))
