"""The K least values of each row and their columns, K small: sorted for all lanes at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ..evaluate import Known, evaluate
from ..frame import Frame, cells
from ..layout import INDEX, Layout
from .sample import first_bounds
from .walk import MASK_BITS, Reduced, Tile, over_blocks

# Else what is loaded, changed in some lanes and stored becomes a masked store, and what such a
# store wrote is slow to load again.
WHOLE = "load volatile"


class Shortlist:
    """Lists of the `count` least of each value: entry n of all lanes is one vector in memory.

    Each column of a tile gets a bit, whether it has a value below the bound of a lane: a jump for
    each, of which few are foreseen, takes longer than all else. Columns with a bit then go through
    the list, for all lanes: an entry that is above gives way, and goes on. Equal values keep their
    order.
    """

    def __init__(self, frame: Frame, layout: Layout, accumulator: ir.Lowest, vectors: int) -> None:
        assert not frame.lanes_are_columns
        b = frame.b
        self.frame = frame
        self.values, self.count = accumulator.values, accumulator.count
        self.length = layout.list_length
        self.cells = vectors * len(self.values)
        self.indices = f"<{b.width} x {INDEX}>"
        self.sorted, self.lists = layout.sorted, layout.lists

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        """Lists of +inf and 0; what no later entry of a list may be above is carried."""
        self.clear()
        bounds = first_bounds(self.frame, self.values, rows, self.count)
        return [(self.frame.b.type, name) for name in bounds]

    def clear(self) -> None:
        """Makes lists of +inf and 0."""
        b = self.frame.b
        for values, columns in self.sorted_in(self.frame.workspace()):
            with b.loop("0", str(self.count), nonempty=True) as entry:
                b.store(b.const(math.inf), b.address(values, entry.index, b.type), b.type)
                place = b.address(columns, entry.index, self.indices)
                b.store("zeroinitializer", place, self.indices, 4)

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        """At most as many columns as an integer has bits."""
        b = self.frame.b
        kept = [b.slot(b.type, MASK_BITS) for _ in range(self.cells)]

        def step(first: str, columns: Sequence[Sequence[Known]], held: list[str]) -> list[str]:
            bits = list(held)
            place = b.op("sub", first, tile.start, "i64")
            for q, knowns in enumerate(columns):
                at = b.op("add", place, str(q), "i64") if q else place
                names = [value for known in knowns for value in evaluate(b, self.values, known)]
                for cell, name in enumerate(names):
                    b.store(name, b.address(kept[cell], at, b.type), b.type)
                    beats = b.any(b.compare("olt", name, carried[cell]))
                    earlier = b.op("shl", bits[cell], "1", "i64")
                    bits[cell] = b.op("or", earlier, b.convert("zext", beats, "i1", "i64"), "i64")
            return bits

        carry = [("i64", "0")] * self.cells
        found = over_blocks(self.frame, self.values, rows, tile, carry, step)
        lists = self.sorted_in(self.frame.workspace())
        return [
            self._take(tile, bits, *each)
            for bits, each in zip(found, zip(kept, lists, carried, strict=True), strict=True)
        ]

    def _take(self, tile: Tile, bits: str, kept: str, lists: tuple[str, str], bound: str) -> str:
        """Puts the columns that `bits` name, the last one lowest, in the lists; the bound then."""
        b = self.frame.b
        last = b.op("sub", tile.end, "1", "i64")
        extent = b.op("sub", last, tile.start, "i64")
        count = b.call("i64", "llvm.ctpop.i64", ("i64", bits))
        with b.loop("0", count, carry=[("i64", bits), (b.type, bound)]) as turns:
            left, worst = turns.values
            above = b.call("i64", "llvm.ctlz.i64", ("i64", left), ("i1", "true"))
            bit = b.op("sub", str(MASK_BITS - 1), above, "i64")
            place = b.op("sub", extent, bit, "i64")
            value = b.load(b.address(kept, place, b.type), b.type)
            # Lanes that do not beat their bound, NaN too, change nothing.
            value = b.select(b.compare("olt", value, worst), value, b.const(math.inf))
            column = b.convert("trunc", b.op("add", tile.start, place, "i64"), "i64", INDEX)
            worst = b.min(self.insert(lists, value, b.splat(column, INDEX)), worst)
            this = b.op("shl", "1", bit, "i64")
            turns.next = [b.op("xor", left, this, "i64"), worst]
        return turns.values[1]

    def insert(self, lists: tuple[str, str], value: str, column: str) -> str:
        """Puts a value and a column of each lane into its list; gives the last values then."""
        b, (values, columns) = self.frame.b, lists
        rising, above, last = value, column, ""
        for k in range(self.count):
            at_value = b.address(values, str(k), b.type)
            at_column = b.address(columns, str(k), self.indices)
            held = b.load(at_value, b.type, how=WHOLE)
            number = b.load(at_column, self.indices, 4, how=WHOLE)
            # Of the value itself: what gave way goes before entries that are equal to it.
            later = b.compare("ogt", held, value)
            last = b.select(later, rising, held)
            b.store(last, at_value, b.type)
            b.store(b.select(later, above, number, self.indices), at_column, self.indices, 4)
            rising = b.select(later, held, rising)
            above = b.select(later, number, above, self.indices)
        return last

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        b, merged = self.frame.b, list(held)
        mine, others = self.sorted_in(self.frame.workspace()), self.sorted_in(workspace)
        for cell, (values, columns) in enumerate(others):
            with b.loop("0", str(self.count), carry=[(b.type, held[cell])], nonempty=True) as entry:
                value = b.load(b.address(values, entry.index, b.type), b.type)
                column = b.load(b.address(columns, entry.index, self.indices), self.indices, 4)
                entry.next = [self.insert(mine[cell], value, column)]
            merged[cell] = entry.values[0]
        return merged

    def across(self, carried: Sequence[str]) -> list[str]:
        raise AssertionError("lanes are rows")

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        """Copies the lists, now a list for each lane."""
        b, base = self.frame.b, self.frame.workspace(self.lists)
        each = b.width * self.length
        columns = b.address(base, str(self.cells * each))
        places = [
            (b.address(base, str(cell * each)), b.address(columns, str(cell * each), INDEX))
            for cell in range(self.cells)
        ]
        lanes, every = b.lane_numbers(), "splat (i1 true)"
        for (values, numbers), (to_values, to_numbers) in zip(
            self.sorted_in(self.frame.workspace()), places, strict=True
        ):
            with b.loop("0", str(self.count), nonempty=True) as entry:
                where = cells(b, lanes, self.length, 0, 1, entry.index)
                value = b.load(b.address(values, entry.index, b.type), b.type)
                b.scatter(value, b.addresses(to_values, where), every)
                number = b.load(b.address(numbers, entry.index, self.indices), self.indices, 4)
                b.scatter(number, b.addresses(to_numbers, where, INDEX), every, INDEX)
        count = len(self.values)
        return [
            Reduced({}, lists=places[r * count : (r + 1) * count], list_length=self.length)
            for r in range(len(rows))
        ]

    def sorted_in(self, workspace: str) -> list[tuple[str, str]]:
        """Where the entries of each list are, and their columns."""
        b = self.frame.b
        base = b.address(workspace, str(self.sorted), "i8")
        columns = b.address(base, str(self.cells * self.count), b.type)
        return [
            (
                b.address(base, str(cell * self.count), b.type),
                b.address(columns, str(cell * self.count), self.indices),
            )
            for cell in range(self.cells)
        ]
