"""Log1p, Expm1, Logistic and Erf: their digits, and their ends."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from by_rows import lowered

from jaxkeops.formula import OPS, Var
from jaxkeops.numpy import Genred

INF, NAN = float("inf"), float("nan")
FUNCTIONS = {
    "Log1p": (mpmath.log1p, -0.999, 20.0),
    "Expm1": (mpmath.expm1, -20.0, 20.0),
    "Logistic": (lambda x: 1 / (1 + mpmath.exp(-x)), -40.0, 40.0),
    "Erf": (mpmath.erf, -7.0, 7.0),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_digit_but_the_last_is_right(name, dtype, rng):
    exact, low, high = FUNCTIONS[name]
    small = rng.choice([-1, 1], 100) * 10.0 ** rng.uniform(-12, -1, 100)
    near = rng.uniform(max(low, -1), 1, 100)
    x = np.concatenate([rng.uniform(low, high, 100), near, small]).astype(dtype)[:, None]
    function = Genred(f"{name}(x) + 0 * Elem(y, 0)", ["x = Vi(1)", "y = Vj(1)"], axis=1)
    found = function(x, np.zeros((1, 1), dtype)).astype("float64")
    expected = np.array([[float(exact(mpmath.mpf(float(each))))] for each in x[:, 0]])
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("name", "point", "expected"),
    [
        ("Log1p", -1.0, -INF),
        ("Log1p", -1.5, NAN),
        ("Log1p", INF, INF),
        ("Log1p", -0.0, -0.0),
        ("Expm1", INF, INF),
        ("Expm1", -INF, -1.0),
        ("Expm1", NAN, NAN),
        ("Logistic", INF, 1.0),
        ("Logistic", -INF, 0.0),
        ("Logistic", -1000.0, 0.0),
        ("Erf", INF, 1.0),
        ("Erf", -INF, -1.0),
        ("Erf", NAN, NAN),
        ("Erf", -0.0, -0.0),
    ],
)
def test_the_ends(name, point, expected):
    with np.errstate(all="ignore"):
        found = lowered(OPS[name](Var(1, 0, "i")), {0: np.full((5, 1), point)})
    np.testing.assert_array_equal(found, np.full((5, 1), expected))
