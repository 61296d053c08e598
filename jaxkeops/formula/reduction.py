"""What a reduction is: how one loop folds the values of a formula, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from ..errors import FormulaError, UnknownNameError
from ..ir import Accumulator, Scalar
from .node import Coords, Node


@dataclass(frozen=True)
class Result:
    """One array that a reduction gives: its columns, and what fills it where N is 0.

    kind: "float", of the dtype of the data, or "index", of an integer dtype.
    """

    kind: str
    values: tuple[Scalar, ...]
    empty: float


@dataclass(frozen=True, eq=False)
class Reduction:
    """All that is known of a reduction. `formula.ops.reductions` declares them.

    value:      array of shape (..., N, D) -> arrays of shape (..., E), one for each result.
                This is the specification.
    accumulate: coordinates of the formula -> the accumulator that takes in each pair.
    results:    dim of the formula -> the results, in terms of the accumulator's state.
    derivative: formula, result nodes, tangent of the formula -> a formula whose Sum is the
                tangent of the first result; linear in the tangent. None: not differentiable.
    scalar:     whether the formula must have dim 1.
    """

    name: str
    doc: str
    value: Callable[[np.ndarray], tuple[np.ndarray, ...]]
    accumulate: Callable[[Coords], Accumulator]
    results: Callable[[int], tuple[Result, ...]]
    derivative: Callable[[Node, tuple[Node, ...], Node], Node] | None = None
    scalar: bool = False

    def check(self, dim: int) -> None:
        """Raises `FormulaError` if the reduction does not take formulas of this dim."""
        if self.scalar and dim != 1:
            raise FormulaError(
                f"{self.name} reduces a formula of dimension 1, got one of dimension {dim}."
            )


REDUCTIONS: dict[str, Reduction] = {}
SPELLINGS: dict[str, str] = {}  # other names under which a reduction is known


def register(reduction: Reduction, *spellings: str) -> None:
    for name in (reduction.name, *spellings):
        assert name not in SPELLINGS, f"two reductions are called {name}"
        SPELLINGS[name] = reduction.name
    REDUCTIONS[reduction.name] = reduction


def reduction_called(name: str) -> Reduction:
    """The reduction that `name` spells. Raises `UnknownNameError` with what there is."""
    if name not in SPELLINGS:
        close = get_close_matches(str(name), SPELLINGS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UnknownNameError(
            f"Unknown reduction {name!r}.{hint} There are: {', '.join(sorted(REDUCTIONS))}."
        )
    return REDUCTIONS[SPELLINGS[name]]
