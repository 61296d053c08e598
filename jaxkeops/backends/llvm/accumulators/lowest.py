"""The K least values of each row and their columns: a filter, and sorted lists in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ....ir import Scalar
from ..builder import Builder
from ..flow import Arm
from ..frame import Frame, Known, evaluate, merged
from .walk import Reduced, Tile, at_pair, tiles

FILTER_TILE = 8  # columns that one test against the worst of the lists serves
COLUMN_BYTES = 8


def lowest(frame: Frame, rows: Sequence[Known], accumulator: ir.Lowest) -> list[Reduced]:
    """Lists of the `count` least of each value, one list for each lane, side by side.

    A tile whose least value beats no lane's worst is done with; of the others, each column that
    beats one is put into the lists of all lanes at once.
    """
    b, values = frame.b, accumulator.values
    cells = len(rows) * len(values)
    worst = [(b.type, b.const(math.inf))] * cells
    lists = _new_lists(frame, cells, accumulator.count)
    with tiles(frame, worst, FILTER_TILE) as tile:
        with b.loop(tile.start, tile.end, carry=worst, nonempty=True) as pairs:
            column = at_pair(frame, values, pairs.index)
            for r, row in enumerate(rows):
                for k, value in enumerate(evaluate(b, values, merged(column, row))):
                    cell = r * len(values) + k
                    pairs.next[cell] = b.min(value, pairs.values[cell])
        for r, row in enumerate(rows):
            for k, value in enumerate(values):
                cell = r * len(values) + k
                bound = tile.arm.values[cell]
                hit = b.any(b.compare("olt", pairs.values[cell], bound))
                with b.when(hit, carry=[(b.type, bound)]) as arm:
                    arm.next = [
                        _insert_tile(frame, tile, row, value, bound, lists[cell], accumulator.count)
                    ]
                tile.arm.next[cell] = arm.values[0]
    count = len(values)
    return [Reduced([], [], lists[r * count : (r + 1) * count]) for r in range(len(rows))]


def list_bytes(program: ir.Program, lanes: int, item_bytes: int) -> int:
    """The workspace of the lists of one block of rows, `lanes` for each of its vectors."""
    if not isinstance(program.accumulator, ir.Lowest):
        return 0
    cells = program.schedule.row_vectors * len(program.accumulator.values)
    return cells * program.accumulator.count * lanes * (item_bytes + COLUMN_BYTES)


def _new_lists(frame: Frame, cells: int, count: int) -> list[tuple[str, str]]:
    """For each cell, pointers to (values, columns): `count` vectors each, +inf and 0.

    In the workspace, not on the stack: `count` may be as large as N.
    """
    b = frame.b
    wide = f"<{b.width} x i64>"
    base = frame.workspace()
    columns = b.address(base, str(cells * count), b.type)
    lists = [
        (
            b.address(base, str(cell * count), b.type),
            b.address(columns, str(cell * count), wide),
        )
        for cell in range(cells)
    ]
    with b.loop("0", str(count), nonempty=True) as entry:
        for values, columns in lists:
            b.store(b.const(math.inf), b.address(values, entry.index, b.type), b.type)
            b.store("zeroinitializer", b.address(columns, entry.index, wide), wide, 8)
    return lists


def _insert_tile(
    frame: Frame,
    tile: Tile,
    row: Known,
    value: Scalar,
    bound: str,
    lists: tuple[str, str],
    count: int,
) -> str:
    """Puts the columns of a tile that beat `bound` into the lists; gives the new bound."""
    b = frame.b
    with b.loop(tile.start, tile.end, carry=[(b.type, bound)], nonempty=True) as turns:
        known = merged(at_pair(frame, [value], turns.index), row)
        (candidate,) = evaluate(b, [value], known)
        hit = b.any(b.compare("olt", candidate, turns.values[0]))
        with b.when(hit, carry=[(b.type, turns.values[0])]) as arm:
            arm.next = [_insert(b, candidate, b.splat(turns.index, "i64"), lists, count)]
        turns.next = arm.values
    return turns.values[0]


def _insert(b: Builder, candidate: str, j: str, lists: tuple[str, str], count: int) -> str:
    """Puts (candidate, j) in its place in the lists of all lanes; gives the worst that is left.

    From the worst entry to the best, each becomes the one before it, the candidate, or stays:
    no entry waits for another. Equal values keep the order in which they came.
    """
    values, columns = lists
    wide = f"<{b.width} x i64>"
    last = str(count - 1)
    worst = b.load(b.address(values, last, b.type), b.type)
    column = b.load(b.address(columns, last, wide), wide, 8)
    start = [(b.type, worst), (wide, column)]
    with b.loop("0", last, carry=start) as turns:
        k = b.op("sub", last, turns.index, "i64")
        turns.next = _shift(b, candidate, j, lists, k, turns)
    entry, column = turns.values
    front = b.compare("olt", candidate, entry)
    b.store(b.select(front, candidate, entry), b.address(values, "0", b.type), b.type)
    b.store(b.select(front, j, column, wide), b.address(columns, "0", wide), wide, 8)
    return b.load(b.address(values, last, b.type), b.type)


def _shift(
    b: Builder, candidate: str, j: str, lists: tuple[str, str], k: str, turns: Arm
) -> list[str]:
    """Writes entry k, given as it was in `turns`; gives entry k - 1 as it is."""
    values, columns = lists
    wide = f"<{b.width} x i64>"
    before_k = b.op("sub", k, "1", "i64")
    entry, column = turns.values
    before = b.load(b.address(values, before_k, b.type), b.type)
    column_before = b.load(b.address(columns, before_k, wide), wide, 8)
    beats, beats_before = b.compare("olt", candidate, entry), b.compare("olt", candidate, before)
    moved = b.select(beats_before, before, b.select(beats, candidate, entry))
    column_moved = b.select(beats_before, column_before, b.select(beats, j, column, wide), wide)
    b.store(moved, b.address(values, k, b.type), b.type)
    b.store(column_moved, b.address(columns, k, wide), wide, 8)
    return [before, column_before]
