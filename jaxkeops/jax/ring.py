"""Blocks that go round the devices along a mesh axis: each meets all, and holds two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax

from ..errors import ArgumentError
from ..formula import Formula
from .primitive import Axes


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


def ring_of(given: str | Sequence[str], ranges: Any) -> Axes:
    """The names of mesh axes that are manual here. Raises `ArgumentError` for others."""
    ring = (given,) if isinstance(given, str) else tuple(given)
    manual = jax.sharding.get_abstract_mesh().manual_axes
    if not ring or any(axis not in manual for axis in ring):
        raise ArgumentError(
            f"ring names mesh axes of the jax.shard_map around the call, got {given!r}: "
            f"{', '.join(map(repr, manual)) if manual else 'none'} are manual here. Outside of "
            "jax.shard_map leave ring out: arrays that are sharded are reduced where they are."
        )
    if ranges is not None:
        raise ArgumentError(
            "ring takes no ranges: they count the rows of one device, and blocks go round all. "
            "Leave ring out, and shard the arrays under jax.jit instead of jax.shard_map."
        )
    return ring


def require_same_parameters(
    formula: Formula, operands: Sequence[jax.Array], names: Sequence[str], ring: Axes
) -> None:
    """Raises `ArgumentError` for a parameter that may differ along the ring."""
    for given, array, name in zip(formula.inputs, operands, names, strict=False):
        differs = set(jax.typeof(array).manual_axis_type.varying) & {*ring}
        if given.axis == "p" and differs:
            raise ArgumentError(
                f"{name} is a parameter, and may differ along {', '.join(sorted(differs))}: in a "
                "ring, devices share the parameters. Give it to jax.shard_map with in_specs=P()."
            )
