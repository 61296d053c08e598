"""Walks a program over tiles, in the order in which rows meet their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ... import ir
from . import outputs
from .accumulators import Accumulating
from .cut import Cut
from .evaluate import Leaves
from .loops import over_pieces
from .outputs import Results
from .pattern import Columns, Pattern
from .tile import Tile

Array = jax.Array


@dataclass(frozen=True)
class Walk:
    """A program for one element of a batch: M rows, N columns, in tiles.

    position: the dtype of numbers of rows and columns; index_dtype: of results that are such.
    """

    program: ir.Program
    how: Accumulating
    cut: Cut
    M: Any
    N: Any
    index_dtype: str
    position: str

    def reduce(self, arrays: Sequence[Array], pattern: Pattern) -> list[Array]:
        """The results of arrays of (rows, dim), or (dim,) on axis p."""
        M = jax.core.max_dim(self.M, self.cut.rows)
        N = jax.core.max_dim(self.N, self.cut.columns)
        extent = {"i": M, "j": N}
        given = [
            array if each.axis == "p" else _at_least(array, extent[each.axis])
            for array, each in zip(arrays, self.program.inputs, strict=True)
        ]
        results = pattern.each_block(
            lambda begin, end, columns, results: over_pieces(
                begin,
                end,
                M,
                self.cut.rows,
                lambda start, inside, results: self._rows(
                    given, N, columns, start, inside, results
                ),
                results,
                self.position,
            ),
            outputs.start(self.program, M),
        )
        return outputs.finish(self.program, results, self.M)

    def _rows(
        self,
        arrays: Sequence[Array],
        N: Any,
        columns: Columns,
        start: Array,
        inside: Array | None,
        results: Results,
    ) -> Results:
        """`results` with those of a tile of rows, of which those `inside` count."""
        cut, how = self.cut, self.how
        leaves = Leaves(
            self.program.dtype,
            [self._loaded(slot, arrays[slot], {"i": start}) for slot in range(len(arrays))],
            self._centres(arrays),
        )

        def take(first: Array, counts: Array | None, kept: Any) -> Any:
            loads = [
                self._loaded(slot, arrays[slot], {"j": first}) if load is None else load
                for slot, load in enumerate(leaves.loads)
            ]
            here = replace(leaves, loads=loads).with_columns(self.program.columns)
            counts = None if counts is None else counts[None, :, None]
            return how.take(kept, Tile(here, first, cut.columns, cut.rows, counts))

        kept, met = columns(
            lambda begin, end, kept: over_pieces(
                begin, end, N, cut.columns, take, kept, self.position
            ),
            how.start(cut.rows, self.program.dtype, self.index_dtype),
        )
        if met is not None:
            every = jnp.broadcast_to(met, (cut.rows,))
            inside = every if inside is None else every & inside
        return outputs.write(self.program, results, leaves, how.finish(kept), start, inside)

    def _loaded(self, slot: int, array: Array, starts: dict[str, Array]) -> Array | None:
        """(dim, columns or 1, rows or 1): a parameter, or rows from where its axis starts."""
        axis, dim = self.program.inputs[slot].axis, self.program.inputs[slot].dim
        if dim == 0 or axis not in ("p", *starts):
            return None
        if axis == "p":
            return array.astype(self.program.dtype)[:, None, None]
        size = self.cut.rows if axis == "i" else self.cut.columns
        rows = lax.dynamic_slice_in_dim(array, starts[axis], size).astype(self.program.dtype).T
        return rows[:, None] if axis == "i" else rows[:, :, None]

    def _centres(self, arrays: Sequence[Array]) -> list[Array | None]:
        roots = [*self.program.columns, *ir.roots(self.program.accumulator)]
        slots = {leaf.slot for leaf in ir.topological(roots) if isinstance(leaf, ir.Centre)}
        return [self._centre(array) if slot in slots else None for slot, array in enumerate(arrays)]

    def _centre(self, array: Array) -> Array:
        rows = [
            lax.dynamic_slice_in_dim(array, jnp.asarray(self.N * n // 4, self.position), 1)
            for n in range(4)
        ]
        mean = jnp.concatenate(rows).astype(self.program.dtype).sum(0) / 4
        return mean[:, None, None]


def _at_least(array: Array, rows: Any) -> Array:
    """`array`, with zeros below it up to so many rows, where it might have fewer."""
    if array.shape[0] is rows or array.shape[0] == rows:
        return array
    return jnp.pad(array, ((0, rows - array.shape[0]), (0, 0)))
