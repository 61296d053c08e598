"""Coordinates taken in any order, and added up at any place: how tensors are rearranged."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ... import ir
from ...errors import FormulaError
from ..declare import layout
from ..node import Coords, F

Run = tuple[int, int, int]  # first, step, count


def _take_dim(dim: int, places: Sequence[int]) -> int:
    _check("Take(f, places)", places, dim)
    return len(places)


def _check(usage: str, places: Sequence[int], dim: int) -> None:
    outside = [place for place in places if not 0 <= place < dim]
    if not places or outside:
        shown = f"{outside[0]}" if outside else "an empty list"
        raise FormulaError(f"{usage} takes places from 0 to {dim - 1}, one or more, got {shown}.")


def _runs(places: Sequence[int]) -> list[Run]:
    """The places as few runs of equal steps: long ones stay loops."""
    runs: list[Run] = []
    start = 0
    while start < len(places):
        stop = start + 1
        step = places[stop] - places[start] if stop < len(places) else 0
        while stop < len(places) and places[stop] - places[stop - 1] == step:
            stop += 1
        runs.append((places[start], step, stop - start))
        start = stop
    return runs


def _taken(f: Coords, places: Sequence[int]) -> ir.Vector:
    """A place of -1 takes 0."""
    vector = f if isinstance(f, ir.Vector) else ir.Vector(f)
    parts: list[ir.Scalar] = []
    for first, step, count in _runs(places):
        if first < 0 and step == 0:
            parts += ir.Vector.repeated(ir.const(0), count).parts
        elif step == 0:
            parts += ir.Vector.repeated(vector[first], count).parts
        elif min(first, first + (count - 1) * step) < 0:
            each = [first + k * step for k in range(count)]
            parts += [ir.const(0) if place < 0 else vector[place] for place in each]
        else:
            parts += vector.strided(first, step, count).parts
    return ir.Vector(parts)


layout(
    "Take",
    "The coordinates of f at the places of a list, in its order.",
    dim=_take_dim,
    value=lambda f, places: f[..., list(places)],
    adjoint=lambda g, f, places: (F.TakeT(g, f.dim, places),),
    lower=_taken,
    samples=(
        ((5,), ((4, 0, 0, 2, 3),)),
        ((3,), ((0, 1, 2) * 5,)),
        ((12,), (tuple(range(11, -1, -1)),)),
        ((1,), ((0,),)),
    ),
)


def _take_t_dim(dim: int, n: int, places: Sequence[int]) -> int:
    if len(places) != dim:
        raise FormulaError(
            f"TakeT(f, n, places) takes a place for each coordinate of f, {dim}, got {len(places)}."
        )
    _check("TakeT(f, n, places)", places, n)
    return n


def _added(f: Coords, n: int, places: Sequence[int]) -> Coords:
    sources: list[list[int]] = [[] for _ in range(n)]
    for k, place in enumerate(places):
        sources[place].append(k)
    most = max(map(len, sources))
    if n <= most:
        return [ir.total(_taken(f, each)) if each else ir.const(0) for each in sources]
    # Few at each place: the first of all places, then the second, and so on.
    layers = [
        _taken(f, [each[k] if k < len(each) else -1 for each in sources]) for k in range(most)
    ]
    return reduce(lambda one, other: ir.elementwise(ir.add, one, other), layers)


def _added_value(f: np.ndarray, n: int, places: Sequence[int]) -> np.ndarray:
    result = np.zeros((*f.shape[:-1], n), f.dtype)
    for k, place in enumerate(places):
        result[..., place] += f[..., k]
    return result


layout(
    "TakeT",
    "n coordinates: each of f added at its place of a list, others 0: the adjoint of Take.",
    dim=_take_t_dim,
    value=_added_value,
    adjoint=lambda g, f, n, places: (F.Take(g, places),),
    lower=_added,
    samples=(
        ((5,), (4, (3, 0, 0, 1, 3))),
        ((6,), (2, (0, 0, 0, 1, 1, 1))),
        ((24,), (2, (0,) * 12 + (1,) * 12)),
        ((3,), (12, (10, 1, 2))),
        ((15,), (12, (*range(12), 0, 1, 2))),
        ((1,), (1, (0,))),
    ),
)
