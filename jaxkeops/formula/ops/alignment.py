"""Soft dynamic time warping, as a formula of other ops: it has derivatives of any order."""

from __future__ import annotations

from functools import reduce

import numpy as np

from ...errors import FormulaError
from ..declare import composite
from ..node import F, Node


def _expand(x: Node, y: Node, gamma: Node) -> Node:
    """The recursion of Cuturi and Blondel, Soft-DTW, ICML 2017, on squared differences.

    Its size is x.dim * y.dim cells of three exponentials and a logarithm.
    """
    if gamma.dim != 1:
        raise FormulaError(
            f"SoftDTW_SqDist(x, y, gamma) takes gamma of dimension 1, got dimension {gamma.dim}."
        )
    above: list[Node] = []
    for i in range(x.dim):
        row: list[Node] = []
        for j in range(y.dim):
            cost = F.Square(F.Elem(x, i) - F.Elem(y, j))
            if i and j:
                cost = cost + _soft_min([above[j - 1], above[j], row[j - 1]], gamma)
            elif i or j:
                cost = cost + (above[j] if i else row[j - 1])
            row.append(cost)
        above = row
    return above[-1]


def _soft_min(terms: list[Node], gamma: Node) -> Node:
    # From the least term, so that nothing overflows. Its own derivative cancels.
    least = reduce(lambda a, b: F.IfLess(b, a, b, a), terms)
    inverse = F.Inv(gamma)
    return least - gamma * F.Log(reduce(F.Add, [F.Exp((least - a) * inverse) for a in terms]))


def _value(x: np.ndarray, y: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    cost = (x[..., :, None] - y[..., None, :]) ** 2
    total = np.zeros_like(cost + gamma[..., None])
    for i, j in np.ndindex(cost.shape[-2:]):
        if i and j:
            before = np.stack(
                [total[..., i - 1, j - 1], total[..., i - 1, j], total[..., i, j - 1]]
            )
            best = -gamma[..., 0] * np.logaddexp.reduce(-before / gamma[..., 0], axis=0)
        elif i or j:
            best = total[..., i - 1, j] if i else total[..., i, j - 1]
        else:
            best = 0.0
        total[..., i, j] = cost[..., i, j] + best
    return total[..., -1, -1, None]


composite(
    "SoftDTW_SqDist",
    "The soft dynamic time warping of x and y, with smoothing gamma, on squared differences.",
    arity=3,
    expand=_expand,
    value=_value,
    domain=(0.5, 2),
    samples=(((3, 2, 1), ()), ((1, 3, 1), ()), ((1, 1, 1), ())),
)
