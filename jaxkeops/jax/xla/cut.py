"""How large tiles are: so that what one of them needs is a fixed amount of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ... import ir
from ...dtypes import FLOATS
from .accumulators import Accumulating

# Of one array of all pairs of a tile: large beside what a step of XLA's loops costs, and within a
# cache. A few such arrays are alive at once, fewer where XLA fuses.
TILE_BYTES = 2**20
COLUMNS = 512  # what a row keeps is touched once for so many columns
RANGED_ROWS = 128  # blocks of ranges are seldom larger, and a tile is of one block
UNKNOWN = 256  # rows and columns of a tile, where extents are not known yet


@dataclass(frozen=True)
class Cut:
    """Rows and columns of a tile, and how many elements of a batch are taken at once."""

    rows: int
    columns: int
    elements: int


def cut_of(
    program: ir.Program, accumulating: Accumulating, extents: tuple[Any, Any, Any], ranged: bool
) -> Cut:
    """The tiles of a call with (elements of the batch, M, N), some of which may be unknown."""
    elements, M, N = extents
    numbers = TILE_BYTES // FLOATS[program.dtype].bytes
    row = sum(given.dim for given in program.inputs if given.axis == "i") + accumulating.kept
    column = sum(given.dim for given in program.inputs if given.axis == "j")
    pairs = max(1, numbers // accumulating.pairs)
    most_rows = RANGED_ROWS if ranged else pairs
    if not all(isinstance(extent, int) for extent in extents):
        M = N = UNKNOWN
    columns = min(N, COLUMNS, _power_of_two(pairs), _power_of_two(numbers // max(1, column)))
    rows = min(M, most_rows, _power_of_two(pairs // columns), _power_of_two(numbers // max(1, row)))
    if (rows, columns) != (M, N) or not isinstance(elements, int):
        return Cut(rows, columns, 1)
    one = max(rows * columns * accumulating.pairs, rows * row + columns * column)
    return Cut(rows, columns, min(elements, max(1, numbers // max(1, one))))


def _power_of_two(most: int) -> int:
    """The greatest power of two up to `most`, at least 1."""
    return 1 << max(0, most.bit_length() - 1)
