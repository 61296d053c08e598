"""How much shared memory a tile takes."""

from __future__ import annotations

from dataclasses import dataclass

from ... import ir
from ...dtypes import FLOATS
from .cut import Cut
from .pieces import Splits, splits_of, weights_of
from .planes import planes_of
from .scaling import scaling_of
from .values import Values, values_of

INDEX_BYTES = 8
SHARE_COLUMNS = 16  # see texts/matrix_parts.cuh
PADDING = 4  # numbers, see texts/planes.cuh
BANKS = 32  # of shared memory, of 4 bytes


@dataclass(frozen=True)
class TileSizes:
    """plane_row: numbers from one of a column to the next, or of four rows, in a plane.

    group: of four columns with their planes. staged: of the components that are there at a time.
    row_words: of a thread, of pieces of its rows. powers: whether rows have factors there.
    bytes: in all.
    """

    plane_row: int
    group: int
    staged: int
    row_words: int
    powers: bool
    bytes: int


def even(count: int) -> int:
    """So many numbers that what lies behind is aligned to 8 bytes."""
    return count + count % 2


def tile_bytes(program: ir.Program, cut: Cut) -> int:
    """The shared memory of a tile of `program`."""
    planes = planes_of(program)
    splits = splits_of(program, planes, cut)
    return tile_of(program, values_of(program, planes), splits, cut).bytes


def tile_of(program: ir.Program, values: Values, splits: Splits, cut: Cut) -> TileSizes:
    """Sizes of the parts of shared memory that texts/columns.cuh and texts/planes.cuh lay out."""
    planes, real = values.planes, FLOATS[program.dtype].bytes
    powers = bool(planes.parts) and isinstance(program.accumulator, ir.ShiftedExp)
    columns = 4 * max(len(values.columns) + len(splits.of), 1)
    if not planes.leaves and not planes.parts:
        scaling = scaling_of(program) if cut.scaled else None
        # `Scaling` of texts/scaled.cuh
        numbers = len(scaling.rows) + len(scaling.scales) + 1 if scaling else 0
        return TileSizes(0, columns, 0, 0, False, (cut.tile // 4 * columns + numbers) * real)
    plane_row = cut.threads + (PADDING if planes.parts else 0)
    group = columns + 4 * planes.count * plane_row
    if not planes.parts:
        # Two columns of each of two groups, of four rows, then lie in different banks.
        group = -(-group // BANKS) * BANKS + BANKS // 2
    swept = max(
        (
            (len(sweep.sources.rows) * cut.threads + len(sweep.sources.columns) * cut.tile)
            * (cut.components + PADDING)
            for sweep in planes.swept
        ),
        default=0,
    )
    pieces = max((split.words + PADDING for split in splits.of.values()), default=0)
    at_once = cut.tile * cut.part_rows * cut.part_columns
    if cut.matrix_units and weights_of(program, planes):
        at_once = SHARE_COLUMNS * 2 * (cut.part_rows * cut.part_columns + 2)
    added = max((len(part.sources.columns) * at_once for part in planes.parts), default=0)
    given = cut.threads * cut.part_columns if planes.parts else 0  # see `put_part`
    staged = max(swept, cut.tile * pieces, added, given)
    numbers = cut.tile // 4 * group + staged
    numbers += (splits.row_words + len(values.kept) + 2 * powers) * cut.threads + even(
        planes.common
    )
    return TileSizes(
        plane_row,
        group,
        staged,
        splits.row_words,
        powers,
        numbers * real + cut.tile * INDEX_BYTES,
    )
