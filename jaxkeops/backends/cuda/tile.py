"""How much shared memory a tile takes."""

from __future__ import annotations

from dataclasses import dataclass

from ... import ir
from ...dtypes import FLOATS
from .cut import Cut
from .planes import planes_of
from .scaling import scaling_of
from .values import Values, values_of

INDEX_BYTES = 8
PADDING = 4  # numbers, see texts/planes.cuh


@dataclass(frozen=True)
class TileSizes:
    """staged: numbers of the components that are there at a time.

    powers: whether rows have factors there; bytes: in all.
    """

    staged: int
    powers: bool
    bytes: int


def even(count: int) -> int:
    """So many numbers that what lies behind is aligned to 8 bytes."""
    return count + count % 2


def tile_bytes(program: ir.Program, cut: Cut) -> int:
    """The shared memory of a tile of `program`."""
    return tile_of(program, values_of(program, planes_of(program)), cut).bytes


def tile_of(program: ir.Program, values: Values, cut: Cut) -> TileSizes:
    """Sizes of the parts of shared memory that texts/columns.cuh and texts/planes.cuh lay out."""
    planes, real = values.planes, FLOATS[program.dtype].bytes
    powers = bool(planes.parts) and isinstance(program.accumulator, ir.ShiftedExp)
    columns = cut.tile * max(len(values.columns), 1)
    if not planes.leaves and not planes.parts:
        scaling = scaling_of(program) if cut.scaled else None
        # `Scaling` of texts/scaled.cuh
        numbers = len(scaling.rows) + len(scaling.scales) + 1 if scaling else 0
        return TileSizes(0, False, (columns + numbers) * real)
    swept = max(
        (
            (len(sweep.sources.rows) * cut.threads + len(sweep.sources.columns) * cut.tile)
            * (cut.components + PADDING)
            for sweep in planes.swept
        ),
        default=0,
    )
    at_once = cut.tile * cut.part_rows * cut.part_columns
    added = max((len(part.sources.columns) * at_once for part in planes.parts), default=0)
    given = cut.threads * cut.part_columns if planes.parts else 0  # see `put_part`
    staged = max(swept, added, given)
    numbers = columns + cut.tile * planes.count * (cut.threads + PADDING) + staged
    numbers += (len(values.kept) + 2 * powers) * cut.threads + even(planes.common)
    return TileSizes(staged, powers, numbers * real + cut.tile * INDEX_BYTES)
