"""What a reduction is: how one loop folds the values of a formula, and what comes out."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np

from ..errors import ArgumentTypeError, FormulaError, UnknownNameError
from ..ir import Accumulator, Vector
from .node import Coords, Node


@dataclass(frozen=True)
class Result:
    """One array that a reduction gives.

    kind: "float", of the dtype of the data, or "index", of an integer dtype.
    tail: its shape after the rows; a kernel writes it flat.
    values: an expression of the accumulator's state for each column; or, where the accumulator
            is a list, none: the whole list is the result.
    empty: what fills it where N is 0, in all columns or in each.
    hidden: whether users do not see it; derivatives are made of it.
    axis: "i", or "p" for one without rows, (*batch, *tail): it is summed over them as well.
    """

    kind: str
    tail: tuple[int, ...]
    values: Vector
    empty: float | tuple[float, ...]
    hidden: bool = False
    axis: str = "i"

    @property
    def width(self) -> int:
        """How many columns the kernel writes."""
        width = 1
        for extent in self.tail:
            width *= extent
        return width


class Shards(Protocol):
    """The holders of the parts of a result, and functions of what each of them has.

    `total`, `least` and `greatest` are over all holders. `lowest` takes lists (..., M, K * D) of
    each, as a K-min gives them: the lists of the K least of all, by row where values are equal.
    xp: the array library, for what each computes by itself.
    """

    xp: Any

    def total(self, x: Any) -> Any: ...
    def least(self, x: Any) -> Any: ...
    def greatest(self, x: Any) -> Any: ...
    def lowest(self, lists: tuple[Any, ...], count: int) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class Split:
    """How a reduction is made of reductions over parts of the columns.

    merge:  the shards, what each has, K -> the same results over all columns. It can be done in
            any order and by steps. Rows are numbered through all columns already.
    parts:  the name of the reduction that each part takes, with the same formula, weights and K;
            if empty, the reduction itself.
    finish: the array library, the merged results -> those of the reduction, if they are others.
    """

    merge: Callable[[Shards, tuple[Any, ...], int], tuple[Any, ...]]
    parts: str = ""
    finish: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] = lambda xp, results: results


@dataclass(frozen=True, eq=False)
class Reduction:
    """All that is known of a reduction. `formula.ops.reductions` declares them.

    In the rules, f is the formula, g the formula of the weights (None without them), and
    `count` the K of the K-min family (0 elsewhere).

    value:      f: (..., N, D), g: (..., N, E), count -> arrays (..., *tail), one for each result
                that is not hidden. This is the specification.
    accumulate: coordinates of f and g, count -> the accumulator that takes in each pair.
    results:    dims of f and g, count -> the results, in terms of the accumulator's state.
    derivative: f, g, result nodes, tangents of f and g -> for each float result, a formula whose
                Sum is its tangent, linear in the tangents. None: not differentiable.
    split:      whether there are weights -> how it is merged from parts of the columns.
    scalar:     whether f must have dim 1.
    weights:    whether there is a g: "no", "optional" or "required".
    counted:    whether there is a K.
    selects:    of a reduction whose float results are values of f at some pairs: the name of
                the reduction that gives the rows of these pairs.
    """

    name: str
    doc: str
    value: Callable[[np.ndarray, np.ndarray | None, int], tuple[np.ndarray, ...]]
    accumulate: Callable[[Coords, Coords | None, int], Accumulator]
    results: Callable[[int, int, int], tuple[Result, ...]]
    split: Callable[[bool], Split]
    derivative: (
        Callable[[Node, Node | None, tuple[Node, ...], Node, Node | None], tuple[Node, ...]] | None
    ) = None
    scalar: bool = False
    weights: str = "no"
    counted: bool = False
    selects: str = ""

    def check(self, dim: int, weight_dim: int | None, count: int | None) -> None:
        """Raises if formulas of these dims, and this K, are not what the reduction takes."""
        if self.scalar and dim != 1:
            raise FormulaError(
                f"{self.name} reduces a formula of dimension 1, got one of dimension {dim}."
            )
        if weight_dim is not None and self.weights != "no" and dim != 1:
            raise FormulaError(
                f"{self.name} weights a formula of dimension 1, got one of dimension {dim}."
            )
        if weight_dim is None and self.weights == "required":
            raise ArgumentTypeError(f"The reduction {self.name} needs its weights: give formula2.")
        if weight_dim is not None and self.weights == "no":
            raise ArgumentTypeError(f"The reduction {self.name} takes no weights: leave formula2.")
        if count is None and self.counted:
            raise ArgumentTypeError(
                f"The reduction {self.name} needs opt_arg: how many rows to find for each."
            )
        if count is not None and not self.counted:
            raise ArgumentTypeError(f"The reduction {self.name} takes no opt_arg, got {count!r}.")
        if count is not None and count < 1:
            raise FormulaError(f"opt_arg is an integer, 1 or more, got {count}.")


def whole_count(count: Any) -> int | None:
    """How many rows to find, as an int; arrays of one integer say it too.

    Raises `ArgumentTypeError` for what is no integer.
    """
    if count is None:
        return None
    try:
        found = None if isinstance(count, bool) else operator.index(count)
    except TypeError:
        found = None
    if found is None:
        raise ArgumentTypeError(f"opt_arg is an integer, 1 or more, got {count!r}.")
    return found


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
            f"Unknown reduction {name!r}.{hint} There are: {', '.join(_spellings())}."
        )
    return REDUCTIONS[SPELLINGS[name]]


def reduction_of_words(words: str) -> Reduction:
    """The reduction whose name, in small letters, is `words`: "min_argmin" or "minargmin".

    Raises `UnknownNameError` with what there is.
    """
    by_words = {name.lower().replace("_", ""): name for name in SPELLINGS}
    asked = str(words).lower()
    if asked.replace("_", "") not in by_words:
        close = get_close_matches(asked, [name.lower() for name in SPELLINGS], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        known = ", ".join(name.lower() for name in _spellings())
        raise UnknownNameError(f"Unknown reduction {words!r}.{hint} There are: {known}.")
    return reduction_called(by_words[asked.replace("_", "")])


def _spellings() -> list[str]:
    """All names, sorted; those that differ from one before by an underscore only are left out."""
    by_letters: dict[str, str] = {}
    for name in SPELLINGS:
        by_letters.setdefault(name.replace("_", ""), name)
    return sorted(by_letters.values())
