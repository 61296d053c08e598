"""What one device does of a call that is split among many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..dtypes import FLOATS
from ..formula import Formula, finished, merged, numbered, part_of
from .merge import Devices, Stack
from .primitive import Way, extents, local_p, split
from .ranges import ARRAYS
from .ring import around

Arrays = tuple[jax.Array, ...]


@dataclass(frozen=True)
class Share:
    """How a call is split.

    i_axes, j_axes: the mesh axes that split the rows and the columns, as arrays list them.
    ring:  those of j_axes along which the blocks of columns go round all devices.
    rings, parts: how many devices there are along `ring`, and along the others of j_axes.
    M, N:  of the whole call.
    padded: whether the last devices have fewer rows or columns than the others; what pads their
           arrays is not read.
    """

    formula: Formula
    way: Way
    ranges: bool
    i_axes: tuple[str, ...]
    j_axes: tuple[str, ...]
    ring: tuple[str, ...]
    rings: int
    parts: int
    M: int
    N: int
    padded: bool


def share_of_device(share: Share) -> Callable[..., list[jax.Array]]:
    """A function of the rows of a device, for all of its results that the device is to have."""

    def compute(*operands: jax.Array) -> list[jax.Array]:
        formula = share.formula
        arrays, blocks = split(formula, operands)
        stored = arrays[0].dtype
        # Parts of a result are not rounded before they are merged.
        computes = jnp.dtype(FLOATS[stored.name].computes) if share.j_axes else stored
        arrays = [array.astype(computes) for array in arrays]
        _, m, n = extents(formula, [array.shape for array in arrays])
        if share.padded and not blocks:
            blocks = _everything(share)
        first_row, first = _first(share.i_axes, m), _first(share.j_axes, n)
        still = [k for k, given in enumerate(formula.inputs) if given.axis == "j"]

        def part(columns: Arrays) -> Arrays:
            *moving, first = columns
            here = list(arrays)
            for k, array in zip(still, moving, strict=True):
                here[k] = array
            near = _here(blocks, first_row, m, first, n)
            if not share.j_axes:
                return tuple(local(formula, share.way, here, near))
            found = tuple(local(part_of(formula), share.way, here, near))
            return numbered(formula, jnp, found, first)

        block = (*(arrays[k] for k in still), first)
        results = part(block) if not share.ring else _go_round(share, part, block)
        if share.parts > 1:
            others = [axis for axis in share.j_axes if axis not in share.ring]
            results = merged(formula, Devices(others, share.parts), results)
        if share.j_axes:
            results = finished(formula, jnp, results)
        return [
            (lax.psum(x, share.i_axes) if share.i_axes and result.axis == "p" else x).astype(
                stored if result.kind == "float" else x.dtype
            )
            for x, result in zip(results, formula.results, strict=True)
        ]

    return compute


def local(
    formula: Formula, way: Way, arrays: Sequence[jax.Array], blocks: Sequence[Any]
) -> list[jax.Array]:
    """The reduction of the rows at hand, which no axis of a mesh splits any more."""
    return local_p.bind(*arrays, *blocks, formula=formula, way=way, ranges=len(blocks) > 0)


def _go_round(share: Share, part: Callable[[Arrays], Arrays], block: Arrays) -> Arrays:
    def join(one: Arrays, other: Arrays) -> Arrays:
        both = tuple(jnp.stack(pair) for pair in zip(one, other, strict=True))
        return merged(share.formula, Stack(), both)

    return around(part, join, block, share.ring, share.rings)


def _first(axes: Sequence[str], count: int) -> jax.Array:
    """The number of the first of the `count` rows of this device, in an integer of JAX's."""
    index = lax.axis_index(tuple(axes)) if axes else 0
    return jnp.asarray(index, int) * count


def _everything(share: Share) -> list[jax.Array]:
    """The ranges of all pairs of the whole call."""
    half = [jnp.array([[0, share.M]]), jnp.array([1]), jnp.array([[0, share.N]])]
    return [*half, *half]


def _here(
    blocks: Sequence[jax.Array], first_row: jax.Array, m: int, first_column: jax.Array, n: int
) -> list[jax.Array]:
    """Ranges of the whole call, cut to the rows and columns that a device has, as it counts them.

    Only the first half, which the reduction reads: the other takes its place.
    """
    if not blocks:
        return []
    rows, ends, columns = blocks[: ARRAYS // 2]
    half = [
        jnp.clip(rows - first_row.astype(rows.dtype), 0, m),
        ends,
        jnp.clip(columns - first_column.astype(columns.dtype), 0, n),
    ]
    return [*half, *half]
