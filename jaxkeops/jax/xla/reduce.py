"""A formula reduced in plain XLA: loops over tiles of pairs, of a size that memory allows."""

from __future__ import annotations

from functools import lru_cache

import jax

from ... import ir
from ...formula import Formula
from ...ir.machine import Machine
from ...schedule import lower
from ..primitive import extents, split
from .accumulators import accumulating
from .batch import over_batch
from .cut import cut_of
from .outputs import empty_result, is_over_rows
from .pattern import Dense, Ranged
from .walk import Walk

Array = jax.Array

MACHINE = Machine("xla", "")  # programs ask it only how many registers to fill


def reduce_by_xla(
    *operands: Array, formula: Formula, index_dtype: str, ranges: bool
) -> list[Array]:
    """What the primitive gives for these operands, by operations of XLA alone.

    Time M * N; beside the results, memory for a few arrays of `cut.TILE_BYTES`. Sums are kept
    with twice the digits of their dtype from tile to tile. What is out of bounds in ranges is cut
    off.
    """
    arrays, blocks = split(formula, operands)
    batch, M, N = extents(formula, [array.shape for array in arrays])
    program = program_of(formula, arrays[0].dtype.name, index_dtype)
    sizes = (*batch, M, N, *(block.shape[0] for block in blocks[: len(blocks) // 2]))
    if any(isinstance(size, int) and size == 0 for size in sizes):
        return [
            empty_result(output, (*batch, *([] if is_over_rows(output) else [M]), output.width))
            for output in program.outputs
        ]
    how = accumulating(program.accumulator)
    elements = 1
    for extent in batch:
        elements = elements * extent
    cut = cut_of(program, how, (elements, M, N), ranges)
    # Numbers of rows and columns are of 32 bits where they can be: some platforms have no others.
    most = max((extent for extent in (M, N) if isinstance(extent, int)), default=0)
    position = "int64" if most >= 2**31 else "int32"
    pattern = Ranged.of(blocks, M, N, position) if ranges else Dense(M, N)
    walk = Walk(program, how, cut, M, N, index_dtype, position)
    return over_batch(
        lambda given: walk.reduce(given, pattern),
        arrays,
        [1 if given.axis == "p" else 2 for given in formula.inputs],
        batch,
        cut.elements,
    )


@lru_cache(maxsize=4096)
def program_of(formula: Formula, dtype: str, index_dtype: str) -> ir.Program:
    """The program of a formula for XLA."""
    return lower(formula, dtype, index_dtype, MACHINE)
