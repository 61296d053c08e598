"""Numbers as ops: the names that stand for constants."""

import numpy as np

from ...errors import FormulaError
from ..declare import composite
from ..node import Number

composite(
    "Zero",
    "D zeros.",
    arity=0,
    expand=lambda dim: Number(_positive(dim), 0.0),
    value=lambda dim: np.zeros(dim),
    domain=(0, 1),
    samples=(((), (3,)),),
)

composite(
    "IntCst",
    "The number n.",
    arity=0,
    expand=lambda n: Number(1, float(n)),
    value=lambda n: np.array([n], float),
    domain=(0, 1),
    samples=(((), (-2.0,)),),
)

composite(
    "IntInv",
    "The number 1 / n.",
    arity=0,
    expand=lambda n: Number(1, 1 / _not_zero(n)),
    value=lambda n: np.array([1 / n], float),
    domain=(0, 1),
    samples=(((), (-3.0,)),),
)

composite(
    "RatCst",
    "The number p / q.",
    arity=0,
    expand=lambda p, q: Number(1, p / _not_zero(q)),
    value=lambda p, q: np.array([p / q], float),
    domain=(0, 1),
    samples=(((), (2.0, 3.0)),),
)


def _positive(dim: int) -> int:
    if dim < 1:
        raise FormulaError(f"A dimension is at least 1, got {dim}.")
    return dim


def _not_zero(n: float) -> float:
    if n == 0:
        raise FormulaError("Division by zero: the denominator of a constant must not be 0.")
    return n
