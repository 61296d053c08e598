"""What a program gives: rows, written as tiles of them are done, and sums over all rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ... import ir
from .evaluate import Leaves, evaluate
from .sums import Sums, over_columns

Array = jax.Array
Results = list[Any]  # for each output an array (M, width), or `Sums` of (width,)


def empty_result(output: ir.Output | ir.ListOutput, shape: tuple[Any, ...]) -> Array:
    """The result of an output, of shape (..., width), where there is no column to reduce."""
    return jnp.broadcast_to(jnp.asarray(output.empty, output.dtype), shape)


def start(program: ir.Program, rows: Any) -> Results:
    """Results of `rows` rows none of which has met a column."""
    return [
        Sums.zeros((output.width,), program.dtype)
        if is_over_rows(output)
        else empty_result(output, (rows, output.width))
        for output in program.outputs
    ]


def write(
    program: ir.Program,
    results: Results,
    leaves: Leaves,
    states: tuple[Array, Array | None],
    first: Array,
    inside: Array | None,
) -> Results:
    """`results` with those of a tile of rows, from row `first` on.

    states: (numbers, rows), and likewise of `Index` leaves; inside: (rows,), which of them count.
    """
    known = replace(
        leaves,
        states=states[0][:, None],
        indices=None if states[1] is None else states[1][:, None],
    )
    return [
        _written(output, held, _values(output, known, states), first, inside)
        for output, held in zip(program.outputs, results, strict=True)
    ]


def finish(program: ir.Program, results: Results, rows: Any) -> list[Array]:
    """The results of the first `rows` rows, in the dtypes of the outputs."""
    return [
        held.value().astype(output.dtype) if is_over_rows(output) else held[:rows]
        for output, held in zip(program.outputs, results, strict=True)
    ]


def is_over_rows(output: ir.Output | ir.ListOutput) -> bool:
    return isinstance(output, ir.Output) and output.over_rows


def _values(
    output: ir.Output | ir.ListOutput, leaves: Leaves, states: tuple[Array, Array | None]
) -> Array:
    """(width, rows)"""
    if isinstance(output, ir.ListOutput):
        found = states[1] if output.indices else states[0]
        assert found is not None
        return found
    rows = states[0].shape[-1]
    parts = evaluate(output.values, leaves)
    return jnp.concatenate([jnp.broadcast_to(p[:, 0], (p.shape[0], rows)) for p in parts])


def _written(
    output: ir.Output | ir.ListOutput, held: Any, values: Array, first: Array, inside: Array | None
) -> Any:
    if is_over_rows(output):
        kept = values if inside is None else jnp.where(inside[None], values, 0)
        return held.plus(over_columns(kept[:, :, None])[:, 0])
    rows = values.astype(output.dtype).T
    if inside is not None:
        before = lax.dynamic_slice_in_dim(held, first, rows.shape[0])
        rows = jnp.where(inside[:, None], rows, before)
    return lax.dynamic_update_slice_in_dim(held, rows, first, 0)
