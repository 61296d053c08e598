"""The K least distances: columns whose integers show that they are too far are passed over."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ..evaluate import Known, evaluate, merged, run_loops
from ..fixed_rows import FixedRows
from ..frame import Frame, leaves_at
from ..layout import INDEX
from .shortlist import Shortlist
from .walk import MASK_BITS, Reduced, Tile

GROUP = 8  # columns, whose sums of products do not wait for each other
TOGETHER = 4  # columns, whose sums over components do not


class Nearest:
    """Goes over a chunk of columns in fixed point, and gives to the list what may be below.

    Short distances are tested in groups of columns, of which the list then takes all: a test for
    each would take longer than the integers do. Where a distance is a loop, each column is tested,
    and of those that pass, some are computed together.
    """

    def __init__(self, frame: Frame, shortlist: Shortlist, fixed: FixedRows) -> None:
        self.frame, self.shortlist, self.fixed = frame, shortlist, fixed
        (self.value,) = shortlist.values
        self.leaves = leaves_at(ir.COLUMN, [self.value])

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        return self.shortlist.start(rows)

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b, usable = self.frame.b, self.fixed.usable
        carry = [(b.type, carried[0])]
        with b.when(b.let(f"xor i1 {usable}, true"), carry, rare=True) as arm:
            with b.loop(tile.start, tile.end, str(MASK_BITS), carry, nonempty=True) as tiles:
                part = self._part(tiles.index, MASK_BITS, tile.end)
                tiles.next = self.shortlist.tile(rows, part, tiles.values)
            arm.next = tiles.values
        with b.when(usable, [(b.type, arm.values[0])]) as arm:
            walk = self._by_columns if isinstance(self.value, ir.Fold) else self._by_groups
            arm.next = [walk(rows[0], tile, arm.values[0])]
        return arm.values

    def _part(self, start: str, size: int, end: str) -> Tile:
        b = self.frame.b
        last = b.op("add", start, str(size), "i64")
        return Tile(start, b.call("i64", "llvm.smin.i64", ("i64", last), ("i64", end)))

    def _by_groups(self, row: Known, chunk: Tile, bound: str) -> str:
        """A bit for each group; those of a chunk fit in one integer."""
        b, fixed = self.frame.b, self.fixed
        assert self.frame.program.schedule.chunk <= MASK_BITS * GROUP
        limit = fixed.limit(bound)
        extent = b.op("sub", chunk.end, chunk.start, "i64")
        left = b.op("urem", extent, str(GROUP), "i64")
        whole = b.op("sub", chunk.end, left, "i64")
        loaded = fixed.loaded()
        with b.loop(chunk.start, whole, str(GROUP), [("i64", "0")]) as groups:
            lowest = ""
            for half in fixed.halves(loaded, groups.index, GROUP):
                lowest = fixed.least(half, lowest) if lowest else half
            groups.next = [self._with_bit(groups.values[0], lowest, limit)]
        # The last group, if it is not whole, is taken as it is.
        some = b.compare_int("sgt", left, "0", "i64")
        last = b.convert("zext", some, "i1", "i64")
        bits = b.op("or", b.op("shl", groups.values[0], last, "i64"), last, "i64")
        count = b.call("i64", "llvm.ctpop.i64", ("i64", bits))
        groups_before = b.op("sub", b.op("udiv", extent, str(GROUP), "i64"), "1", "i64")
        number_of_last = b.op("add", groups_before, last, "i64")
        with b.loop("0", count, carry=[("i64", bits), (b.type, bound)]) as turns:
            bit, others = self._highest(turns.values[0])
            number = b.op("sub", number_of_last, bit, "i64")
            place = b.op("mul", number, str(GROUP), "i64")
            part = self._part(b.op("add", chunk.start, place, "i64"), GROUP, chunk.end)
            turns.next = [others, *self.shortlist.tile([row], part, turns.values[1:])]
        return turns.values[1]

    def _by_columns(self, row: Known, chunk: Tile, bound: str) -> str:
        """A bit for each column of a tile."""
        b, fixed = self.frame.b, self.fixed
        carry = [(b.type, bound), (fixed.type, fixed.limit(bound))]
        with b.loop(chunk.start, chunk.end, str(MASK_BITS), carry, nonempty=True) as tiles:
            worst, limit = tiles.values
            tile = self._part(tiles.index, MASK_BITS, chunk.end)
            bits = self._candidates(tile, limit)
            held = [(b.type, worst), (fixed.type, limit)]
            with b.when(b.compare_int("ne", bits, "0", "i64"), held) as arm:
                worst = self._take(row, tile, bits, worst)
                arm.next = [worst, fixed.limit(worst)]
            tiles.next = arm.values
        return tiles.values[0]

    def _candidates(self, tile: Tile, limit: str) -> str:
        """The columns in which a lane may have a value below its bound, the last one lowest."""
        b = self.frame.b
        extent = b.op("sub", tile.end, tile.start, "i64")
        left = b.op("urem", extent, str(GROUP), "i64")
        whole = b.op("sub", tile.end, left, "i64")
        loaded = self.fixed.loaded()
        with b.loop(tile.start, whole, str(GROUP), [("i64", "0")]) as columns:
            bits = columns.values[0]
            for half in self.fixed.halves(loaded, columns.index, GROUP):
                bits = self._with_bit(bits, half, limit)
            columns.next = [bits]
        # Those that are left are few: all are taken.
        every = b.op("sub", b.op("shl", "1", left, "i64"), "1", "i64")
        return b.op("or", b.op("shl", columns.values[0], left, "i64"), every, "i64")

    def _with_bit(self, bits: str, half: str, limit: str) -> str:
        b = self.frame.b
        near = b.any(b.compare_int("sle", half, limit, self.fixed.type))
        earlier = b.op("shl", bits, "1", "i64")
        return b.op("or", earlier, b.convert("zext", near, "i1", "i64"), "i64")

    def _highest(self, bits: str) -> tuple[str, str]:
        """The number of the highest bit, and the bits without it."""
        b = self.frame.b
        above = b.call("i64", "llvm.ctlz.i64", ("i64", bits), ("i1", "false"))
        bit = b.op("xor", above, str(MASK_BITS - 1), "i64")
        bit = b.op("and", bit, str(MASK_BITS - 1), "i64")  # of no bits, any number
        without = b.op("xor", b.op("shl", "1", bit, "i64"), "-1", "i64")
        return bit, b.op("and", bits, without, "i64")

    def _take(self, row: Known, tile: Tile, bits: str, bound: str) -> str:
        """Puts the columns that `bits` name in the list; gives the bound then."""
        b, shortlist = self.frame.b, self.shortlist
        (lists,) = shortlist.sorted_in(self.frame.workspace())
        last = b.op("sub", tile.end, "1", "i64")
        count = b.call("i64", "llvm.ctpop.i64", ("i64", bits))
        carry = [("i64", bits), (b.type, bound)]
        with b.loop("0", count, str(TOGETHER), carry=carry, nonempty=True) as turns:
            left, worst = turns.values
            found: list[tuple[str, str, Known]] = []
            for _ in range(TOGETHER):
                # After the last one, some column that no lane takes.
                some = b.compare_int("ne", left, "0", "i64")
                bit, left = self._highest(left)
                column = b.let(f"select i1 {some}, i64 {b.op('sub', last, bit, 'i64')}, i64 {last}")
                found.append((some, column, self.frame.at_one(self.leaves, column, ir.COLUMN)))
            places = [merged(known, row) for _, _, known in found]
            run_loops(b, [self.value], places)
            for (some, column, _), known in zip(found, places, strict=True):
                (value,) = evaluate(b, [self.value], known)
                beats = b.compare("olt", value, worst)
                with b.when(b.op("and", b.any(beats), some, "i1"), [(b.type, worst)]) as arm:
                    # Lanes that do not beat their bound, NaN too, change nothing.
                    value = b.select(beats, value, b.const(math.inf))
                    index = b.splat(b.convert("trunc", column, "i64", INDEX), INDEX)
                    arm.next = [b.min(shortlist.insert(lists, value, index), worst)]
                worst = arm.values[0]
            turns.next = [left, worst]
        return turns.values[1]

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        return self.shortlist.merge(held, other, workspace)

    def across(self, carried: Sequence[str]) -> list[str]:
        raise AssertionError("lanes are rows")

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        return self.shortlist.finish(rows, carried)
