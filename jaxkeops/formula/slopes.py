"""A sum together with what its gradients on the side of its rows are made of, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce

from .autodiff import gradient
from .calculus import Part
from .formula import Formula, make_formula
from .node import F, Number
from .simplify import simplify_all

# Columns of slopes: each costs an addition at every pair, and a number for every row between the
# two passes. More of them take longer than what is saved, the sum by itself.
MOST = 8
DTYPES = ("float32", "float64")  # a slope of 16 bits may overflow where its product would not


@dataclass(frozen=True)
class Sloped:
    """The result of a sum of one column, and beside it the slopes of some inputs.

    formula: takes what the sum takes. Column 0 of its only result is the sum, (*batch, M, 1).
    parts:   where the slopes of each input are. A row of slopes times the cotangent of that row is
             the gradient of the row of an input of axis "i", and a term of that of a parameter:
             the sum of them over the rows is.
    """

    formula: Formula
    parts: tuple[Part, ...]

    @property
    def slots(self) -> tuple[int, ...]:
        return tuple(part.target for part in self.parts)


@lru_cache(maxsize=1024)
def with_slopes(formula: Formula, moving: tuple[int, ...], dtype: str) -> Sloped | None:
    """The sum with the slopes of inputs in `moving`; None where that is not worth it.

    Only a sum of one column has slopes: for each row, the derivative of one number by an input of
    that row, summed over the columns. Parameters join inputs of axis "i", or are alone.
    """
    if formula.reduction.name != "Sum" or formula.over_rows or formula.node.dim != 1:
        return None
    axes = {formula.inputs[slot].axis for slot in moving}
    if dtype not in DTYPES or not axes or axes == {"j"} or axes == {"j", "p"}:
        return None
    slots = [slot for slot in moving if formula.inputs[slot].axis != "j"]
    if sum(formula.inputs[slot].dim for slot in slots) > MOST:
        return None
    slopes = gradient(formula.node, slots, Number(1, 1.0))
    parts, start = [], 1
    for slot in slots:
        if slopes[slot] is not None:
            parts.append(Part(slot, 0, start, start + formula.inputs[slot].dim))
            start = parts[-1].stop
    if not parts:
        return None
    columns = simplify_all([slope for slope in slopes.values() if slope is not None])
    node = reduce(F.Concat, [formula.node, *columns])
    return Sloped(make_formula("Sum", node, formula.inputs), tuple(parts))
