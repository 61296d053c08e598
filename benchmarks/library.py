"""What the dense forms of the workloads are written with, so that one form serves every library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from scipy.special import logsumexp, softmax

Pairwise = Callable[[Any, Any], Any]  # x: (..., m, D), y: (..., N, D) -> (..., m, N)


@dataclass(frozen=True)
class Library:
    """An array library and its quickest way to each pairwise matrix.

    total: weights (..., m, N) and b (..., N, E) -> (..., m, E), the sum over N.
    logsumexp: (..., m, N) -> (..., m, 1). softmax: along the last axis.
    smallest: (..., m, N) and K -> (..., m, K), where the K least are, ascending.
    """

    xp: ModuleType
    squared: Pairwise
    manhattan: Pairwise
    chebyshev: Pairwise
    dot: Pairwise
    total: Pairwise
    logsumexp: Callable[[Any], Any]
    softmax: Callable[[Any], Any]
    smallest: Callable[[Any, int], Any]


def dot(x: Any, y: Any) -> Any:
    """All scalar products of rows, as a matrix product."""
    return x @ y.swapaxes(-1, -2)


def differences(x: Any, y: Any) -> Any:
    """(..., m, N, D): what costs memory, and no digits."""
    return x[..., :, None, :] - y[..., None, :, :]


def direct_squared(x: Any, y: Any) -> Any:
    """Squared distances by differences."""
    return (differences(x, y) ** 2).sum(-1)


def expanded_squared(x: Any, y: Any) -> Any:
    """Squared distances by one matrix product: |x|^2 + |y|^2 - 2 <x, y>."""
    return (x * x).sum(-1)[..., :, None] + (y * y).sum(-1)[..., None, :] - 2 * dot(x, y)


def direct_manhattan(x: Any, y: Any) -> Any:
    """Sums of absolute differences."""
    return abs(differences(x, y)).sum(-1)


def weighted_sum(weights: Any, b: Any) -> Any:
    """A matrix product: rows of weights times b."""
    return weights @ b


def fused_sum(weights: Any, b: Any) -> Any:
    """The same as a product and a sum, which a compiler can fuse with what made the weights."""
    return (weights[..., None] * b[..., None, :, :]).sum(-2)


def smallest(s: np.ndarray, count: int) -> np.ndarray:
    """Where the `count` least of each row are, ascending."""
    found = np.argpartition(s, count - 1, axis=-1)[..., :count]
    order = np.argsort(np.take_along_axis(s, found, -1), axis=-1, kind="stable")
    return np.take_along_axis(found, order, -1)


# The reference: given float64, no digit is lost to an expansion.
DENSE = Library(
    xp=np,
    squared=direct_squared,
    manhattan=direct_manhattan,
    chebyshev=lambda x, y: abs(differences(x, y)).max(-1),
    dot=dot,
    total=weighted_sum,
    logsumexp=lambda s: logsumexp(s, axis=-1, keepdims=True),
    softmax=lambda s: softmax(s, axis=-1),
    smallest=smallest,
)
