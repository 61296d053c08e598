"""The scalar instruction set.

It is closed and small on purpose: a formula op may be written in terms of these instructions,
a backend must spell all of them, and so m ops and n backends cost m + n, not m x n. Add one
only when no composition is as fast or as accurate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .scalar import Instr

INSTRS: dict[str, Instr] = {}


def _instr(name: str, arity: int, evaluate: Callable[..., Any]) -> Instr:
    INSTRS[name] = Instr(name, arity, evaluate)
    return INSTRS[name]


def _round_half_away(a: Any) -> Any:
    whole = np.trunc(a)
    return whole + np.sign(a) * (np.abs(a - whole) >= 0.5)


add = _instr("add", 2, np.add)
sub = _instr("sub", 2, np.subtract)
mul = _instr("mul", 2, np.multiply)
div = _instr("div", 2, np.divide)
fma = _instr("fma", 3, lambda a, b, c: a * b + c)
neg = _instr("neg", 1, np.negative)
abs_ = _instr("abs", 1, np.abs)
sqrt = _instr("sqrt", 1, np.sqrt)
rsqrt = _instr("rsqrt", 1, lambda a: 1 / np.sqrt(a))
floor = _instr("floor", 1, np.floor)
round_ = _instr("round", 1, _round_half_away)
exp = _instr("exp", 1, np.exp)
exp2 = _instr("exp2", 1, np.exp2)
log = _instr("log", 1, np.log)
sin = _instr("sin", 1, np.sin)
cos = _instr("cos", 1, np.cos)
asin = _instr("asin", 1, np.arcsin)
acos = _instr("acos", 1, np.arccos)
atan = _instr("atan", 1, np.arctan)
atan2 = _instr("atan2", 2, np.arctan2)
pow_ = _instr("pow", 2, np.power)
tanh = _instr("tanh", 1, np.tanh)
# Comparisons with a NaN are false: they give the last operand.
select_lt = _instr("select_lt", 4, lambda a, b, t, f: np.where(a < b, t, f))
select_le = _instr("select_le", 4, lambda a, b, t, f: np.where(a <= b, t, f))
select_eq = _instr("select_eq", 4, lambda a, b, t, f: np.where(a == b, t, f))
