"""Conjugate gradients, step by step, over the arrays of any door; and what is said of their end.

Hestenes and Stiefel 1952. The system is symmetric and positive definite; each batch element has
step lengths of its own, and all of its columns are one vector.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ArgumentError, ConvergenceWarning

Apply = Callable[[Any], Any]
FEWEST, MOST = 100, 10_000  # iterations that are allowed by default, whatever the size


@dataclass(frozen=True)
class Stopping:
    """When to stop: |residual| <= max(eps min(sqrt(size), |b|), rtol |b|), or after maxiter.

    eps is PyKeOps', of the root mean square of the residual; but for a small b, as those of
    derivatives often are, it is of the length of b. rtol is what rounding allows at least.
    """

    eps: float
    rtol: float
    maxiter: int


@dataclass(frozen=True)
class System:
    """(alpha + K) a = b, as a door solves it.

    matrix: an array like b, then the parameters -> the product of K with it.
    parameters: what K depends on, and results are differentiable in.
    preconditioner: a residual -> an array like it, close to the solution for it.
    """

    matrix: Callable[..., Any]
    parameters: tuple[Any, ...]
    b: Any
    alpha: Any
    stopping: Stopping
    preconditioner: Callable[[Any], Any] | None


class Report(NamedTuple):
    """How a solve ended. Arrays (*batch, 1, 1), and for all elements together `iterations`.

    converged: whether the residual is as small as asked. residual: its root mean square.
    """

    converged: Any
    residual: Any
    iterations: Any


class State(NamedTuple):
    """x: the solution so far; r: its residual; p: the direction; rho: <r, preconditioned r>.

    active: 1 where it goes on, 0 where it ended: converged, or the matrix is not positive.
    """

    x: Any
    r: Any
    p: Any
    rho: Any
    active: Any
    iteration: Any


def stopping(
    eps: float, rtol: float | None, maxiter: int | None, rows: int, ulp: float
) -> Stopping:
    """What was asked for, completed and checked. ulp: the distance of 1 to the next number."""
    known = {"eps": eps, "rtol": 8 * ulp if rtol is None else rtol}
    for name, value in known.items():
        if not value >= 0:
            raise ArgumentError(f"{name} is a tolerance, 0 or more, got {value!r}.")
    most = min(max(10 * rows, FEWEST), MOST) if maxiter is None else maxiter
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise ArgumentError(f"maxiter is a number of iterations, 0 or more, got {maxiter!r}.")
    return Stopping(float(known["eps"]), float(known["rtol"]), most)


def start(b: Any, precondition: Apply | None, target: Any, where: Callable[..., Any]) -> State:
    """The state before the first iteration, from 0. target: (*batch, 1, 1), of squared lengths."""
    z = b if precondition is None else precondition(b)
    active = where(inner(b, b) > target, 1.0 + 0 * target, 0 * target)
    return State(0 * b, b, z, inner(b, z), active, 0)


def step(
    state: State,
    apply: Apply,
    precondition: Apply | None,
    target: Any,
    where: Callable[..., Any],
) -> State:
    """One iteration of the elements that are active; the others stay as they are."""
    x, r, p, rho, active, iteration = state
    moved = apply(p)
    curvature = inner(p, moved)
    goes = (curvature > 0) & (active > 0)
    length = where(goes, rho / where(goes, curvature, 1.0), 0.0)
    x = x + length * p
    r = r - length * where(goes, moved, 0.0)
    z = r if precondition is None else precondition(r)
    new = inner(r, z)
    p = where(goes, z + where(goes, new / where(goes, rho, 1.0), 0.0) * p, p)
    goes = goes & (inner(r, r) > target)
    return State(x, r, p, new, where(goes, active, 0 * active), iteration + 1)


def report(state: State, b: Any, target: Any) -> Report:
    """How it ended."""
    size = b.shape[-1] * b.shape[-2]
    length = inner(state.r, state.r)
    return Report(length <= target, (length / max(size, 1)) ** 0.5, state.iteration)


def squared_target(b: Any, asked: Stopping, where: Callable[..., Any]) -> Any:
    """The squared length at which a residual is small enough, (*batch, 1, 1)."""
    size = b.shape[-1] * b.shape[-2]
    length = inner(b, b)
    least = asked.eps**2 * where(length < size, length, 0 * length + size)
    relative = asked.rtol**2 * length
    return where(relative > least, relative, least)


def inner(a: Any, b: Any) -> Any:
    """The scalar product of each batch element, (*batch, 1, 1); its real part, if complex.

    The directions of conjugate gradients of a Hermitian matrix have real lengths, so the imaginary
    parts are of rounding.
    """
    products = (a.conj() * b).real if "complex" in str(a.dtype) else a * b
    return products.sum((-2, -1), keepdims=True)


def warn(converged: bool, residual: float, iterations: int) -> None:
    """Warns unless it converged."""
    if not converged:
        warnings.warn(
            f"The solve did not converge: after {iterations} iterations the residual's root mean "
            f"square is {residual:.3g}. Raise maxiter, eps or alpha, or give a preconditioner; the "
            "kernel must be symmetric and positive definite.",
            ConvergenceWarning,
            stacklevel=4,
        )
