"""The K least values of each row and their columns: a filter, and sorted lists in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ....ir import Scalar
from ..builder import Builder
from ..evaluate import Known, evaluate, merged
from ..flow import Arm
from ..frame import Frame, leaves_at
from ..layout import Layout
from .walk import Reduced, Tile, over_columns


class Lowest:
    """Lists of the `count` least of each value, one list for each lane, side by side.

    A tile whose least value beats no lane's worst is done with; of the others, each column that
    beats one is put into the lists of all lanes at once.
    """

    def __init__(self, frame: Frame, layout: Layout, accumulator: ir.Lowest, vectors: int) -> None:
        b = frame.b
        self.frame = frame
        self.values, self.count = accumulator.values, accumulator.count
        self.cells = vectors * len(self.values)
        wide = f"<{b.width} x i64>"
        # In the workspace, not on the stack: `count` may be as large as N.
        base = frame.workspace(layout.lists)
        columns = b.address(base, str(self.cells * self.count), b.type)
        self.lists = [
            (
                b.address(base, str(cell * self.count), b.type),
                b.address(columns, str(cell * self.count), wide),
            )
            for cell in range(self.cells)
        ]

    def start(self) -> list[tuple[str, str]]:
        """Lists of +inf and 0; the worst of each list is carried."""
        b = self.frame.b
        wide = f"<{b.width} x i64>"
        with b.loop("0", str(self.count), nonempty=True) as entry:
            for values, columns in self.lists:
                b.store(b.const(math.inf), b.address(values, entry.index, b.type), b.type)
                b.store("zeroinitializer", b.address(columns, entry.index, wide), wide, 8)
        return [(b.type, b.const(math.inf))] * self.cells

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b, bounds = self.frame.b, list(carried)

        def step(pairs: Sequence[Known], j: str, least: list[str]) -> list[str]:
            found = [value for known in pairs for value in evaluate(b, self.values, known)]
            return [b.min(value, old) for value, old in zip(found, least, strict=True)]

        fresh = [(b.type, b.const(math.inf))] * self.cells
        least = over_columns(self.frame, self.values, rows, tile, fresh, step)
        for r, row in enumerate(rows):
            for k, value in enumerate(self.values):
                cell = r * len(self.values) + k
                hit = b.any(b.compare("olt", least[cell], bounds[cell]))
                with b.when(hit, carry=[(b.type, bounds[cell])]) as arm:
                    arm.next = [self._insert_tile(tile, row, value, arm.values[0], cell)]
                bounds[cell] = arm.values[0]
        return bounds

    def _insert_tile(self, tile: Tile, row: Known, value: Scalar, bound: str, cell: int) -> str:
        """Puts the columns of a tile that beat `bound` into the lists; gives the new bound."""
        b, frame = self.frame.b, self.frame
        leaves = leaves_at(ir.COLUMN, [value])
        with b.loop(tile.start, tile.end, carry=[(b.type, bound)], nonempty=True) as turns:
            known = merged(frame.at_column(leaves, turns.index), row)
            (candidate,) = evaluate(b, [value], known)
            hit = b.any(b.compare("olt", candidate, turns.values[0]))
            with b.when(hit, carry=[(b.type, turns.values[0])]) as arm:
                j = b.splat(turns.index, "i64")
                arm.next = [_insert(b, candidate, j, self.lists[cell], self.count)]
            turns.next = arm.values
        return turns.values[0]

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        count = len(self.values)
        return [
            Reduced({}, lists=self.lists[r * count : (r + 1) * count]) for r in range(len(rows))
        ]


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
