"""Conjugate gradients, step by step, over the arrays of any door; and what is said of their end.

Hestenes and Stiefel 1952. The system is symmetric and positive definite; each batch element has
step lengths of its own, and all of its columns are one vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ConvergenceWarning
from .caller import Caller

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
    caller: whose line warnings point to, of the solution and of its derivatives.
    """

    matrix: Callable[..., Any]
    parameters: tuple[Any, ...]
    b: Any
    alpha: Any
    stopping: Stopping
    preconditioner: Callable[[Any], Any] | None
    caller: Caller


class Report(NamedTuple):
    """How a solve ended. Arrays (*batch, 1, 1), and for all elements together `iterations`.

    converged: whether the residual is as small as asked. residual: its root mean square.
    """

    converged: Any
    residual: Any
    iterations: Any


class State(NamedTuple):
    """x: the solution so far; r: its residual; p: the direction; rho: <r, preconditioned r>.

    active: where it goes on; it ended where it converged, or the matrix is not positive.
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
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 0:
        raise ArgumentError(f"maxiter is a number of iterations, 0 or more, got {maxiter!r}.")
    return Stopping(float(known["eps"]), float(known["rtol"]), int(most))


def start(b: Any, precondition: Apply | None, target: Any) -> State:
    """The state before the first iteration, from 0. target: (*batch, 1, 1), of squared lengths.

    Raises `ArgumentError` for a preconditioner that does not keep shapes.
    """
    z = b if precondition is None else precondition(b)
    if tuple(z.shape)[-2:] != tuple(b.shape)[-2:]:  # batch axes may be those of the matrix
        raise ArgumentError(
            f"preconditioner gives an array of the shape of its residual, {tuple(b.shape)}, got "
            f"{tuple(z.shape)}."
        )
    return State(0 * b, b, z, inner(b, z), inner(b, b) > target, 0)


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
    goes = (curvature > 0) & active
    length = where(goes, rho / where(goes, curvature, 1.0), 0.0)
    x = x + length * p
    r = r - length * where(goes, moved, 0.0)
    z = r if precondition is None else precondition(r)
    new = inner(r, z)
    p = where(goes, z + where(goes, new / where(goes, rho, 1.0), 0.0) * p, p)
    return State(x, r, p, new, goes & (inner(r, r) > target), iteration + 1)


def report(state: State, b: Any, target: Any, scale: Any) -> Report:
    """How it ended, for the b that `scaled` gave."""
    size = b.shape[-1] * b.shape[-2]
    length = inner(state.r, state.r)
    converged = (length <= target) & (length < np.inf)
    return Report(converged, scale * (length / max(size, 1)) ** 0.5, state.iteration)


def scaled(b: Any, asked: Stopping, where: Callable[..., Any]) -> tuple[Any, Any, Any]:
    """b over its mean magnitude, that scale, and the squared length of residuals to stop at.

    Squares of the numbers of b itself may be out of range, in float16 often; and a b whose square
    is 0 would be solved by 0. Scale and target are (*batch, 1, 1).
    """
    size = b.shape[-1] * b.shape[-2]
    mean = (abs(b) / max(size, 1)).sum((-2, -1), keepdims=True)
    scale = where((mean > 0) & (mean < np.inf), mean, 1.0)
    b = b / scale
    length = inner(b, b)
    most = max(size, 1) ** 0.5
    small = length**0.5 * scale < most
    least = asked.eps**2 * where(small, length, (most / where(small, most, scale)) ** 2)
    relative = asked.rtol**2 * length
    return b, scale, where(relative > least, relative, least)


def inner(a: Any, b: Any) -> Any:
    """The scalar product of each batch element, (*batch, 1, 1); its real part, if complex.

    The directions of conjugate gradients of a Hermitian matrix have real lengths, so the imaginary
    parts are of rounding.
    """
    products = (a.conj() * b).real if "complex" in str(a.dtype) else a * b
    return products.sum((-2, -1), keepdims=True)


def warn(caller: Caller, converged: bool, residual: float, iterations: int) -> None:
    """Warns unless it converged."""
    if not converged:
        caller.warn(
            f"The solve did not converge: after {iterations} iterations the residual's root mean "
            f"square is {residual:.3g}. Raise maxiter, eps or alpha, or give a preconditioner; the "
            "kernel must be symmetric and positive definite.",
            ConvergenceWarning,
        )
