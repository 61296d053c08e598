"""What ops give where mathematics leaves a choice: at kinks, ties, poles, NaN and infinities."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from by_rows import lowered, values
from oracle import evaluate

from jaxkeops.formula import OPS, F, Node, Number, Var, differential, gradient
from jaxkeops.formula.simplify import simplify

INF, NAN = float("inf"), float("nan")
X = Var(1, 0, "i")


def at(node: Node, *numbers: float) -> float:
    """The value with the variables at `numbers`: by values and by lowering, which must agree."""
    arrays = {slot: np.full((5, 1), number) for slot, number in enumerate(numbers)}
    value, low = values(node, arrays)[0, 0], lowered(node, arrays)[0, 0]
    np.testing.assert_array_equal(value, low)
    return float(value)


def slope(node: Node, slot: int = 0) -> Node:
    found = gradient(node, [slot], Number(1, 1.0))[slot]
    return Number(1, 0.0) if found is None else found


def one(op: str, *params: object) -> Node:
    return OPS[op](X, *params)


@pytest.mark.parametrize(
    ("node", "point", "expected"),
    [
        (one("Inv"), 0.0, INF),
        (one("Log"), 0.0, -INF),
        (one("Log"), -1.0, NAN),
        (one("XLogX"), 0.0, 0.0),
        (one("XLogX"), -1.0, NAN),
        (one("Sin"), INF, NAN),
        (one("SinXDivX"), 0.0, 1.0),
        (one("SinXDivX"), INF, NAN),
        (one("Asin"), 1.5, NAN),
        (one("Acos"), -1.5, NAN),
        (one("Sqrt"), -1.0, NAN),
        (one("Rsqrt"), 0.0, 0.0),
        (one("Rsqrt"), -0.0, 0.0),
        (one("Rsqrt"), -1.0, NAN),
        (one("Rsqrt"), INF, 0.0),
        (one("Sign"), NAN, 0.0),
        (one("Sign"), -0.0, 0.0),
        (one("Step"), 0.0, 1.0),
        (one("Step"), -0.0, 1.0),
        (one("Step"), NAN, 1.0),
        (one("ReLU"), NAN, NAN),
        (one("ReLU"), -INF, 0.0),
        (one("Round", 0), 0.5, 1.0),
        (one("Round", 0), 2.5, 3.0),
        (one("Round", 0), -0.5, -1.0),
        (one("Round", 2), 0.125, 0.13),
        (one("Round", -1), 25.0, 30.0),
        (one("Pow", 0), NAN, 1.0),
        (one("Pow", 0), 0.0, 1.0),
        (one("Pow", -1), 0.0, INF),
        (one("Pow", -2), -2.0, 0.25),
        (one("Pow", 3), -2.0, -8.0),
        (one("ClampInt", -1, 1), NAN, NAN),
        (one("ClampInt", -1, 1), INF, 1.0),
        (one("DiffClampInt", -1, 1), -1.0, 1.0),
        (one("DiffClampInt", -1, 1), 1.0, 1.0),
        (one("DiffClampInt", -1, 1), 1.5, 0.0),
        (one("DiffClampInt", -1, 1), NAN, 1.0),
        (F.IfElse(X, 2.0, 3.0), 0.0, 2.0),
        (F.IfElse(X, 2.0, 3.0), -0.0, 2.0),
        (F.IfElse(X, 2.0, 3.0), NAN, 3.0),
        (F.Equal(X, X), NAN, 0.0),
        (F.NotEqual(X, X), NAN, 1.0),
        (F.LessThan(X, 1.0), NAN, 0.0),
        (F.LessOrEqual(X, 1.0), 1.0, 1.0),
        (F.Mod(X, 3.0, 0.0), -1.0, 2.0),
        (F.Mod(X, 3.0, 1.0), 0.5, 3.5),
        (F.Normalize(X), 0.0, 0.0),
        (F.Norm2(X), 0.0, 0.0),
    ],
)
def test_value_at_a_special_point(node, point, expected):
    np.testing.assert_allclose(at(node, point), expected, rtol=4 * 2.0**-52)


@pytest.mark.parametrize(
    ("node", "point", "expected"),
    [
        (one("Abs"), 0.0, 0.0),
        (one("Log"), 0.0, INF),
        (one("Log"), -1.0, -1.0),
        (one("XLogX"), 0.0, -INF),
        (one("SinXDivX"), 0.0, 0.0),
        (one("Asin"), 1.0, 0.0),
        (one("Acos"), -1.0, 0.0),
        (one("Sqrt"), 0.0, 0.0),
        (one("Rsqrt"), 0.0, 0.0),
        (one("ReLU"), 0.0, 1.0),
        (one("ReLU"), NAN, 1.0),
        (one("ReLU"), -1.0, 0.0),
        (one("ClampInt", -1, 1), 1.0, 1.0),
        (one("ClampInt", -1, 1), -1.0, 1.0),
        (one("ClampInt", -1, 1), -1.5, 0.0),
        (F.Clamp(X, -1.0, 1.0), 1.0, 1.0),
        (F.Clamp(X, -1.0, 1.0), 1.5, 0.0),
        (F.Clamp(X, 1.0, 1.0), 1.0, 1.0),
        (one("Pow", 0), 3.0, 0.0),
        (F.Powf(Number(1, 0.0), X), 1.5, 0.0),
        (F.Powf(Number(1, 2.0), X), 0.0, np.log(2)),
        (F.Norm2(X), 0.0, 0.0),
        (F.Normalize(X), 0.0, 0.0),
        (one("Floor"), 0.5, 0.0),
    ],
)
def test_derivative_at_a_special_point(node, point, expected):
    np.testing.assert_allclose(at(slope(node), point), expected)
    np.testing.assert_allclose(at(simplify(slope(node)), point), expected)


def test_a_tangent_that_is_infinite_in_the_other_branch_is_dropped():
    choice = F.IfElse(X, F.Exp(X), F.Log(X))
    tangent = differential(choice, {0: Number(1, 1.0)})
    assert tangent is not None
    assert at(tangent, 0.0) == 1.0


def test_an_infinite_cotangent_does_not_reach_the_other_branch():
    choice = F.IfElse(X, F.Exp(X), F.Sin(X))
    found = gradient(choice, [0], Number(1, INF))[0]
    assert found is not None
    assert at(found, 0.0) == INF


def test_second_derivative_of_sin_x_over_x_at_0_is_minus_one_third():
    assert at(slope(slope(one("SinXDivX"))), 0.0) == pytest.approx(-1 / 3, rel=4 * 2.0**-52)


@pytest.mark.parametrize("n", range(7))
def test_spherical_bessel_functions_keep_their_digits(n, rng):
    points = np.concatenate([10.0 ** rng.uniform(-8, 1.5, 200), [n + 1, n + 1 - 1e-9, n + 0.5]])
    found = OPS["SphericalBessel"].value(points, n)
    for x, value in zip(points, found, strict=True):
        with mpmath.workdps(40):
            z = mpmath.mpf(x)
            exact = float(mpmath.sqrt(mpmath.pi / (2 * z)) * mpmath.besselj(n + 0.5, z))
        # Beyond its first zero a function is as exact as its envelope, 1 / x.
        scale = abs(exact) if x < n + 1 else 1 / x
        assert abs(value - exact) <= 64 * 2.0**-52 * max(abs(exact), scale), (x, value, exact)


VECTOR = Var(4, 0, "i")


def of_vector(node: Node, vector: list[float]) -> list[float]:
    arrays = {0: np.tile(np.array(vector), (5, 1))}
    np.testing.assert_array_equal(values(node, arrays), lowered(node, arrays))
    return values(node, arrays)[0].tolist()


@pytest.mark.parametrize(
    ("op", "vector", "expected"),
    [
        ("ArgMax", [1, 3, 3, 0], 1.0),
        ("ArgMin", [1, 0, 3, 0], 1.0),
        ("Max", [1, NAN, 3, 0], 3.0),
        ("Max", [NAN, 1, 2, 3], NAN),
        ("Min", [NAN, 1, 2, 3], NAN),
        ("ArgMin", [NAN, 1, 2, 3], 0.0),
        ("Max", [-INF, -INF, -INF, -INF], -INF),
        ("ArgMax", [-INF, -INF, -INF, -INF], 0.0),
    ],
)
def test_extremum_of_ties_and_nan(op, vector, expected):
    np.testing.assert_array_equal(of_vector(OPS[op](VECTOR), vector), [expected])


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_all_of_the_gradient_goes_to_the_first_extremum(op):
    found = gradient(OPS[op](VECTOR), [0], Var(1, 9, "i") * 0 + 2)[0]
    assert found is not None
    arrays = {0: np.full((5, 4), 7.0), 9: np.zeros((5, 1))}
    assert values(found, arrays)[0].tolist() == [2.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0.0, [1, 0, 0]),
        (2.4, [0, 0, 1]),
        (1.5, [0, 0, 1]),
        (-0.7, [1, 0, 0]),
        (-2.0, [0, 0, 0]),
        (3.0, [0, 0, 0]),
        (NAN, [0, 0, 0]),
        (INF, [0, 0, 0]),
    ],
)
def test_one_hot_out_of_range_is_all_zeros(index, expected):
    arrays = {0: np.full((5, 1), index)}
    node = F.OneHot(X, 3)
    assert values(node, arrays)[0].tolist() == expected
    assert lowered(node, arrays)[0].tolist() == expected


@pytest.mark.parametrize("m", [-20, -16, -7, -3, 3, 5, 11, 16, 17, 40, 0.5, -1.5])
def test_powers_agree_with_numpy(m, rng):
    x = rng.uniform(0.5, 1.5, (5, 1))
    node = F.Pow(X, m)
    np.testing.assert_allclose(lowered(node, {0: x}), x ** float(m), rtol=32 * 2.0**-52)


def test_every_broadcast_gradient_is_summed_to_the_dimension_of_its_argument(rng):
    # KeOps gives the wide gradient for these three.
    wide, narrow = Var(3, 0, "i"), Var(1, 1, "i")
    for node in (F.Atan2(wide, narrow), F.Powf(wide, narrow), F.IfElse(wide, narrow, wide)):
        found = gradient(node, [1], Var(3, 2, "i"))[1]
        assert found is not None
        assert found.dim == 1


@pytest.mark.parametrize("f", [-2.0, 0.0, 2.0])
def test_clamp_routes_its_derivative_to_the_bound_that_holds(f):
    a, b = Var(1, 1, "i"), Var(1, 2, "i")
    node = F.Clamp(X, a, b)
    found = [at(slope(node, slot), f, -1.0, 1.0) for slot in range(3)]
    assert found == [float(f == 0), float(f < -1), float(f > 1)]


def test_a_formula_without_the_variable_has_no_derivative():
    assert gradient(F.Exp(X), [3], X) == {3: None}
    assert differential(F.Sign(X), {0: X}) is None


def test_the_oracle_broadcasts_rows_columns_parameters_and_batches(rng):
    x, y, p = rng.random((2, 4, 3)), rng.random((5, 3)), rng.random((2, 1))
    node = Var(1, 2, "p") * F.SqDist(Var(3, 0, "i"), Var(3, 1, "j"))
    found = evaluate(node, {0: x, 1: y, 2: p})
    expected = p[:, None, None] * ((x[:, :, None] - y[None, None]) ** 2).sum(-1, keepdims=True)
    assert found.shape == (2, 4, 5, 1)
    np.testing.assert_allclose(found, expected)
