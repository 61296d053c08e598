"""Blocks that go round the devices along a mesh axis: each meets all, and holds two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax


def around(
    part: Callable[[Any], Any],
    join: Callable[[Any, Any], Any],
    block: Any,
    axes: tuple[str, ...],
    count: int,
) -> Any:
    """The parts of the blocks of all `count` devices along `axes`, joined: block -> part(block).

    The next block is sent while the present one is worked on: neither waits for the other.
    """
    order = [(k, (k + 1) % count) for k in range(count)]

    def send(block: Any) -> Any:
        return jax.tree.map(lambda x: lax.ppermute(x, axes, order), block)

    if count == 1:
        return part(block)
    following = send(block)
    whole = part(block)

    def step(state: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        block, whole = state
        return (send(block), join(whole, part(block))), None

    (last, whole), _ = lax.scan(step, (following, whole), None, length=count - 2)
    return join(whole, part(last))
