"""jnp: the dense form in chunks, as one jitted map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .. import library
from ..blocks import regrouped
from ..chunks import cut
from ..library import Library
from ..workload import Arrays, Workload
from . import Call, Engine

LIBRARY = Library(
    xp=jnp,
    squared=library.expanded_squared,
    manhattan=library.direct_manhattan,
    chebyshev=lambda x, y: abs(library.differences(x, y)).max(-1),
    dot=library.dot,
    total=library.weighted_sum,
    logsumexp=lambda s: jax.nn.logsumexp(s, axis=-1, keepdims=True),
    softmax=lambda s: jax.nn.softmax(s, axis=-1),
    smallest=lambda s, count: jax.lax.top_k(-s, count)[1],
)


def chunked(workload: Workload) -> Callable[..., Any]:
    """The reduction as a function of JAX arrays."""
    pieces = cut(workload)

    def run(*arrays: jax.Array) -> jax.Array:
        given = regrouped(workload, arrays) if workload.blocks is not None else arrays
        sliced, shared = pieces.split(given)

        # The matrix of a piece is made again for its gradients: all of them would fill the memory.
        @jax.checkpoint
        def one(piece: tuple[jax.Array, ...]) -> jax.Array:
            return workload.compute(LIBRARY, *pieces.join(piece, shared))

        result = jax.lax.map(
            one, tuple(a.reshape(pieces.count, pieces.length, *a.shape[1:]) for a in sliced)
        )
        shape = () if workload.batch is None else (workload.batch,)
        return result.reshape(*shape, workload.rows[0 if workload.axis == 1 else 1], -1)

    return run


def _calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    run = chunked(workload)
    given = [jnp.asarray(array) for array in arrays]
    if workload.gradients:

        @jax.jit
        def compiled(*arrays: jax.Array) -> Any:
            *inputs, cotangent = arrays
            result, pullback = jax.vjp(lambda *a: run(*a, cotangent), *inputs)
            return result, *pullback(cotangent)
    else:
        compiled = jax.jit(run)
    return {"chunks": lambda: jax.block_until_ready(compiled(*given))}


ENGINES = (
    Engine(
        "jnp",
        "jax",
        "The dense form in chunks of rows, in one jitted `jax.lax.map`, distances by a matrix "
        "product. All workloads.",
        _calls,
    ),
)
