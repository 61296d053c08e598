"""Chooses how the loops of a program are cut on a GPU, from what a pair needs and holds."""

from __future__ import annotations

from .. import ir
from ..backends.cuda import Cut
from ..dtypes import FLOATS

# Numbers that the loop over pairs may hold in a thread, of 168 registers: the rest are temporaries.
# Measured by what the compiler spills, D = 3 to 128 and E = 1 to 64.
REGISTERS = 125
# Beyond this, four columns at once spill more than they save.
GROUP_REGISTERS = 200
LIST_REGISTERS = 96
TILE_BYTES = 24 * 1024  # of the 48 KiB that a block may have without asking
TILE = 256  # columns: few enough for the digits of float32, many enough to hide the barriers
CHUNK = 32
FEW_THREADS = 32  # a warp
GROUP = 4
# Instructions in the loop over pairs that the compiler is given at most: about 100 ms.
CODE = 4000


def choose_cut(program: ir.Program) -> Cut:
    """Rows as many as registers and code allow, up to four: a column is then read once for all."""
    taken = ir.roots(program.accumulator)
    used = [s for s in ir.topological(taken) if s.rate != ir.PARAMETER]
    leaves = [s for s in used if not isinstance(s, ir.Apply)]
    columns = max(sum(s.rate == ir.COLUMN for s in leaves), 1)
    work = sum(isinstance(s, ir.Apply) and s.rate == ir.PAIR for s in used) + len(taken)
    words = FLOATS[program.dtype].bytes // 4
    of_a_row = sum(s.rate == ir.ROW for s in leaves) + _sums(program.accumulator)

    def held(rows: int, more: int = 0) -> int:
        return words * (rows * (of_a_row + more) + columns)

    rows, group = 4, GROUP
    while rows > 1 and held(rows) > REGISTERS:
        rows //= 2
    if held(rows) > GROUP_REGISTERS or group * rows * work > CODE:
        group = 1
    while rows > 1 and group * rows * work > CODE:
        rows //= 2
    totals = 2 * _sums(program.accumulator)
    min_blocks = 3 if held(rows, totals) <= REGISTERS else 2
    register_lists = True
    if isinstance(program.accumulator, ir.Lowest):
        entries = len(taken) * program.accumulator.count
        size = entries * (words + 2)  # a position has two words
        register_lists = size <= LIST_REGISTERS
        rows = min(rows, max(1, LIST_REGISTERS // size) if register_lists else 1)
    tile = TILE
    while tile > GROUP and tile * columns * words * 4 > TILE_BYTES:
        tile //= 2
    return Cut(
        rows=rows,
        few_threads=FEW_THREADS if rows > 1 else 0,
        tile=tile,
        chunk=min(CHUNK, tile),
        group=group,
        min_blocks=min_blocks,
        register_lists=register_lists,
    )


def _sums(accumulator: ir.Accumulator) -> int:
    """Numbers that the loop over pairs changes, for each row."""
    match accumulator:
        case ir.Total(values) | ir.Extremum(values, _):
            return len(values)
        case ir.ShiftedExp(exponents, weights, exact):
            return len(exponents) * (1 + len(weights) + exact)
        case ir.Lowest():
            return 0
