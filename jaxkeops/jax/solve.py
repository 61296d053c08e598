"""Conjugate gradients over JAX arrays, differentiable by `jax.lax.custom_linear_solve`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from ..frontend import conjugate
from ..frontend.caller import Caller
from ..frontend.conjugate import Report, State, System

HELD = 32  # solvers: each keeps its preconditioner, and what that keeps, alive


def solve(system: System) -> tuple[jax.Array, Report]:
    """The solution, and how it ended; warns, when it runs, if it did not converge.

    Its loop is compiled once for each matrix, stopping, preconditioner, line of a program, and
    shape. With ranges, and with a preconditioner that cannot be hashed, at each call that is not
    inside of `jax.jit`.
    """
    numbers = (system.parameters, system.b, system.alpha)
    fixed = replace(system, parameters=(), b=None, alpha=None)
    # A preconditioner may have taken in numbers of the same trace, which is not to outlive it.
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(numbers))
    if system.preconditioner is not None and traced:
        return _solved(fixed, *numbers)
    try:
        solver = _solver(fixed)
    except TypeError:  # something cannot be hashed
        return _solved(fixed, *numbers)
    return solver(*numbers)


@lru_cache(maxsize=HELD)
def _solver(system: System) -> Callable[..., tuple[jax.Array, Report]]:
    return jax.jit(partial(_solved, system))


def _solved(
    system: System, parameters: tuple[Any, ...], b: Any, alpha: Any
) -> tuple[jax.Array, Report]:
    """The solution for these numbers; those in `system` are not looked at."""
    asked, precondition = system.stopping, system.preconditioner
    tell = partial(_tell, system.caller)

    def apply(a: jax.Array) -> jax.Array:
        return system.matrix(a, *parameters) + alpha * a

    b = jnp.asarray(b)
    b = jnp.broadcast_to(b, jax.eval_shape(apply, b).shape)

    def iterated(apply: Callable[[Any], Any], b: jax.Array) -> tuple[jax.Array, Report]:
        b, scale, target = conjugate.scaled(b, asked, jnp.where)

        def goes_on(state: State) -> jax.Array:
            return (state.iteration < asked.maxiter) & state.active.any()

        def step(state: State) -> State:
            return conjugate.step(state, apply, precondition, target, jnp.where)

        state = conjugate.start(b, precondition, target)
        state = jax.lax.while_loop(goes_on, step, jax.tree_util.tree_map(jnp.asarray, state))
        report = conjugate.report(state, b, target, scale)
        worst = report.residual.max(initial=0.0)
        every = report.converged.all()
        jax.lax.cond(every, lambda *_: None, tell, every, worst, state.iteration)
        return state.x * scale, report

    def transposed(apply: Callable[[Any], Any], b: jax.Array) -> tuple[jax.Array, Report]:
        # The transpose of a Hermitian matrix is its conjugate.
        x, report = iterated(lambda a: apply(a.conj()).conj(), b.conj())
        return x.conj(), report

    if jnp.iscomplexobj(b):
        return jax.lax.custom_linear_solve(apply, b, iterated, transposed, has_aux=True)
    return jax.lax.custom_linear_solve(apply, b, iterated, symmetric=True, has_aux=True)


def _tell(caller: Caller, converged: jax.Array, residual: jax.Array, iterations: jax.Array) -> None:
    # Under vmap, both branches of a cond may run: the callback looks again. It runs in a thread of
    # XLA, whose stack has no line of the user's.
    jax.debug.callback(partial(_warn, caller), converged, residual, iterations)


def _warn(caller: Caller, converged: Any, residual: Any, iterations: Any) -> None:
    conjugate.warn(caller, bool(converged), float(residual), int(iterations))
