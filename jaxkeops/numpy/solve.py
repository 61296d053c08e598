"""Conjugate gradients over NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..frontend import conjugate
from ..frontend.conjugate import Report, System


def solve(system: System) -> tuple[np.ndarray, Report]:
    """The solution, and how it ended; warns if it did not converge."""
    if system.preconditioner is not None:
        system = replace(system, preconditioner=_as_of_now(system.preconditioner))
    # Numbers out of range do not converge, which is said once, in the words of a solve.
    with np.errstate(all="ignore"):
        solution, report = _iterated(system)
    worst = float(report.residual.max(initial=0.0))
    conjugate.warn(system.caller, bool(report.converged.all()), worst, report.iterations)
    return solution, report


def _iterated(system: System) -> tuple[np.ndarray, Report]:
    asked = system.stopping

    def apply(a: Any) -> Any:
        return system.matrix(a, *system.parameters) + system.alpha * a

    b, scale, target = conjugate.scaled(system.b, asked, np.where)
    state = conjugate.start(b, system.preconditioner, target)
    while state.iteration < asked.maxiter and state.active.any():
        state = conjugate.step(state, apply, system.preconditioner, target, np.where)
    solution = (state.x * scale).astype(b.dtype, copy=False)
    return solution, conjugate.report(state, b, target, scale)


def _as_of_now(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of the user's, in which NumPy says of numbers out of range what it says now."""
    states = np.geterr()

    def called(array: Any) -> Any:
        with np.errstate(**states):
            return function(array)

    return called
