"""Chooses how the loops of a program are cut on a GPU, from what a pair needs and holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import ir
from ..backends.cuda import (
    MACHINE,
    Cut,
    NotByTilesError,
    Planes,
    Sweep,
    planes_of,
    scaling_of,
    tile_bytes,
    weights_of,
)
from ..dtypes import FLOATS
from ..formula import Formula
from .lower import lower

# Numbers that the loop over pairs may hold in a thread, of 168 registers: the rest are temporaries.
# Measured by what the compiler spills, D = 3 to 128 and E = 1 to 64.
REGISTERS = 125
# Beyond this, four columns at once spill more than they save.
GROUP_REGISTERS = 200
LIST_REGISTERS = 96
TILE_BYTES = 24 * 1024  # of the 48 KiB that a block may have without asking
TILE = 256  # columns: few enough for the digits of float32, many enough to hide the barriers
CHUNK = 32
MATRIX_GAIN = 8  # how many products of float32 units make in the time of one
MATRIX_CHUNK = 16  # of which none is known to be the one, see texts/extremum.cuh
WARP = 32
GROUP = 4
# Instructions in the loop over pairs that the compiler is given at most: about 100 ms.
CODE = 4000

# A second loop is worth it that saves one of so many operations of a pair.
WORTH_SCALING = 16

# Components of a row up to which registers hold four of them: all is then written out.
FEW_COMPONENTS = 24
# Sums over components, of pairs or of a row, that a thread has at a time: words.
SUMS = 64
# Shared memory of a block: all GPUs give so much, and one of sm_90 has three times as much.
BLOCK_BYTES = 64 * 1024


def lower_for_gpus(formula: Formula, dtype: str, index_dtype: str) -> ir.Program:
    """The program of `formula`, with loops over components where tiles of pairs serve them."""
    program = lower(formula, dtype, index_dtype, MACHINE)
    loops = [s for s in ir.topological(ir.roots(program.accumulator)) if _is_loop(s)]
    if any(isinstance(loop, ir.Each) or loop.count > FEW_COMPONENTS for loop in loops):
        try:
            planes_of(program)
            return program
        except NotByTilesError:
            pass
    return lower(formula, dtype, index_dtype, MACHINE, loops=False)


def _is_loop(scalar: ir.Scalar) -> bool:
    at_pairs = scalar.rate & ir.PAIR == ir.PAIR
    return isinstance(scalar, ir.Each) or (isinstance(scalar, ir.Fold) and at_pairs)


def choose_cut(program: ir.Program, few: bool = False) -> Cut:
    """How the loops of a program of `lower_for_gpus` are cut; few: for no more than `few_rows`."""
    planes = planes_of(program)
    cut = _by_tiles(program, planes) if planes.count else _by_rows(program)
    if not few:
        return cut
    # Blocks of a warp, as many more: a row each, of which most are there.
    times = cut.threads // WARP
    return replace(
        cut,
        rows=1,
        threads=WARP,
        min_blocks=times * cut.min_blocks,
        wave_blocks=times * cut.wave_blocks,
    )


def few_rows(program: ir.Program) -> int:
    """Up to so many rows the cut for few of them is better: then a tile of the other has gaps.

    A pair takes about a tenth more, because columns are read, or staged, for fewer rows.
    """
    return choose_cut(program).tile_rows * 3 // 4


def _by_tiles(program: ir.Program, planes: Planes) -> Cut:
    """A thread has 8 by 8 pairs in float32: each number that it reads serves 8 of them."""
    words = FLOATS[program.dtype].bytes // 4
    sums = max((len(sweep.folds) for sweep in planes.sweeps), default=1)
    rows = max((len(sweep.sources.rows) for sweep in planes.swept), default=0)
    pair_rows = 8 if words == 1 and rows <= 2 else 4
    tile = pair_rows * max(4, SUMS // (pair_rows * words * sums))
    single = words == 1
    product_parts = single and bool(weights_of(program, planes))
    matrix_units = product_parts or (single and any(sweep.is_product for sweep in planes.sweeps))
    part_rows, part_columns = _part_sizes(planes, words, product_parts)

    def cost(sweep: Sweep) -> int:
        by_units = single and sweep.is_product
        return sweep.count * len(sweep.folds) // (MATRIX_GAIN if by_units else 1)

    lives = planes.leaves or part_columns > 8
    register_lists = True
    if isinstance(program.accumulator, ir.Lowest):
        entries = len(program.accumulator.values) * program.accumulator.count * (words + 2)
        register_lists = entries <= LIST_REGISTERS
    cut = Cut(
        rows=1,
        tile=tile,
        chunk=min(MATRIX_CHUNK if matrix_units else CHUNK, tile),
        # Sums of parts live through the sweeps: with two blocks a thread has 255 registers.
        min_blocks=2 if words > 1 or (planes.parts and lives) else 3,
        register_lists=register_lists,
        pair_rows=pair_rows,
        part_rows=part_rows,
        part_columns=part_columns,
        passes=sum(map(cost, planes.sweeps)) <= part_rows * part_columns,
        wave_blocks=4,
        matrix_units=matrix_units,
    )
    while cut.tile > max(pair_rows, GROUP) and tile_bytes(program, cut) > BLOCK_BYTES:
        cut = replace(cut, tile=cut.tile // 2, chunk=min(cut.chunk, cut.tile // 2))
    return cut


def _part_sizes(planes: Planes, words: int, product_parts: bool) -> tuple[int, int]:
    """Rows and columns of sums that a thread has, those that differ by their component alone."""
    counts = [part.root.count for part in planes.parts]
    held = max((len(part.sources.rows) for part in planes.parts), default=0)
    # Of matrix units a thread has four rows, see texts/lanes.cuh.
    rows = 8 if words * (1 + held) <= 2 and not product_parts else 4
    # Numbers of rows are held beside each sum. In float64 twice as much would spill.
    most = (1 if product_parts else 3 - words) * SUMS // (rows * words * (1 + held))
    columns = 4
    while columns < most and rows * columns < max(counts, default=0):
        columns *= 2
    return rows, columns


def _by_rows(program: ir.Program) -> Cut:
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
        scaled=words == 1 and group == GROUP and _pays_to_scale(program),
        rows=rows,
        tile=tile,
        chunk=min(CHUNK, tile),
        group=group,
        min_blocks=min_blocks,
        register_lists=register_lists,
    )


def _pays_to_scale(program: ir.Program) -> bool:
    """Whether scaled rows save enough of a pair to be worth a second loop in the code."""
    scaling = scaling_of(program)
    if scaling is None:
        return False
    exact, scaled = (_operations(roots) for roots in (ir.roots(program.accumulator), scaling.roots))
    return (exact - scaled) * WORTH_SCALING >= exact


def _operations(roots: Sequence[ir.Scalar]) -> int:
    """At a pair; a sign costs nothing."""
    at_pairs = [s for s in ir.topological(roots) if s.rate == ir.PAIR and isinstance(s, ir.Apply)]
    return sum(s.instr.name != "neg" for s in at_pairs)


def _sums(accumulator: ir.Accumulator) -> int:
    """Numbers that the loop over pairs changes, for each row."""
    match accumulator:
        case ir.Total(values) | ir.Extremum(values, _):
            return len(values)
        case ir.ShiftedExp(exponents, weights, exact):
            return len(exponents) * (1 + len(weights) + exact)
        case ir.Lowest():
            return 0
