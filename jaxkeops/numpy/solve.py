"""Conjugate gradients over NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..frontend import conjugate
from ..frontend.conjugate import Report, System


def solve(system: System) -> tuple[np.ndarray, Report]:
    """The solution, and how it ended; warns if it did not converge."""
    asked = system.stopping

    def apply(a: Any) -> Any:
        return system.matrix(a, *system.parameters) + system.alpha * a

    b, scale, target = conjugate.scaled(system.b, asked, np.where)
    state = conjugate.start(b, system.preconditioner, target)
    while state.iteration < asked.maxiter and state.active.any():
        state = conjugate.step(state, apply, system.preconditioner, target, np.where)
    report = conjugate.report(state, b, target, scale)
    worst = float(report.residual.max(initial=0.0))
    conjugate.warn(system.caller, bool(report.converged.all()), worst, state.iteration)
    return (state.x * scale).astype(b.dtype, copy=False), report
