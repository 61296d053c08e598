"""The K least distances: columns whose integers show that they are too far are passed over."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ..evaluate import Known, evaluate, merged, run_loops
from ..fixed_point import BEYOND
from ..fixed_rows import UNLIMITED, FixedRows
from ..frame import Frame, leaves_at
from ..layout import INDEX, INDEX_BYTES
from .sample import first_bounds
from .shortlist import Shortlist
from .walk import MASK_BITS, Reduced, Tile

GROUP = 8  # columns, whose sums of products do not wait for each other
PAIR_OF_GROUPS = 2 * GROUP
LEAST_SAMPLED = 4  # groups for an entry of a list
TOGETHER = 4  # columns, whose sums over components do not wait for each other


class Nearest:
    """Goes over a chunk of columns in fixed point, and gives to the list what may be below.

    Of short distances it keeps the least integers of groups of columns: a test for each column
    would take longer than the integers do. Where a distance is a loop, it keeps those of each
    column, and of the columns that pass, some are computed together. What passes goes into a queue
    first: how soon something does is not foreseen, and a jump for each would take longest.

    Lists that are empty have no bound: of the first chunk, the K least of the groups give one. If
    there are more, so does a sample of all columns before: they may lie in an order, in which the
    first chunk is the farthest.
    """

    def __init__(self, frame: Frame, shortlist: Shortlist, fixed: FixedRows) -> None:
        self.frame, self.shortlist, self.fixed = frame, shortlist, fixed
        (self.value,) = shortlist.values
        self.leaves = leaves_at(ir.COLUMN, [self.value])
        looped = any(isinstance(part, ir.Fold) for part in ir.topological([self.value]))
        self.together = TOGETHER if looped else 1
        cut = frame.program.schedule
        self.each = cut.group
        assert GROUP % self.each == 0
        assert cut.chunk % PAIR_OF_GROUPS == 0
        # On the stack, where it stays in a cache: each call fills it anew.
        self.kept = frame.b.slot(fixed.type, cut.chunk // self.each)
        self.queue, self.groups = (
            frame.b.slot(INDEX, size + TOGETHER) for size in (cut.chunk, cut.chunk // GROUP)
        )

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        b = self.frame.b
        self.shortlist.clear()
        with b.when(self._unusable(), [(b.type, b.const(math.inf))], rare=True) as arm:
            arm.next = first_bounds(self.frame, self.shortlist.values, rows, self.shortlist.count)
        return [(b.type, arm.values[0]), (self.fixed.type, self._limit_of_sample())]

    def _unusable(self) -> str:
        return self.frame.b.let(f"xor i1 {self.fixed.usable}, true")

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b = self.frame.b
        carry = [(b.type, carried[0])]
        with b.when(self._unusable(), carry, rare=True) as arm:
            with b.loop(tile.start, tile.end, str(MASK_BITS), carry, nonempty=True) as tiles:
                part = self._part(tiles.index, MASK_BITS, tile.end)
                tiles.next = self.shortlist.tile(rows, part, tiles.values)
            arm.next = tiles.values
        with b.when(self.fixed.usable, [(b.type, arm.values[0])]) as arm:
            arm.next = [self._filtered(rows[0], tile, arm.values[0], carried[1])]
        return [arm.values[0], carried[1]]

    def _part(self, start: str, size: int, end: str) -> Tile:
        b = self.frame.b
        last = b.op("add", start, str(size), "i64")
        return Tile(start, b.call("i64", "llvm.smin.i64", ("i64", last), ("i64", end)))

    def _limit_of_sample(self) -> str:
        """A limit from groups spread evenly over the first range, if it has several chunks."""
        b, fixed, cut = self.frame.b, self.fixed, self.frame.program.schedule
        start = b.load(self.frame.ranges, "i64", 8)
        stop = b.load(b.address(self.frame.ranges, "1", "i64"), "i64", 8)
        extent = b.op("sub", stop, start, "i64")
        longer = b.compare_int("sgt", extent, str(cut.chunk), "i64")
        unlimited = b.splat(str(UNLIMITED), "i32")
        with b.when(b.op("and", fixed.usable, longer, "i1"), [(fixed.type, unlimited)]) as arm:
            count = max(cut.sample // GROUP, LEAST_SAMPLED * self.shortlist.count)
            apart = b.op("udiv", extent, str(count), "i64")
            apart = b.call("i64", "llvm.smax.i64", ("i64", apart), ("i64", str(GROUP)))
            loaded = fixed.loaded()
            carry = [(fixed.type, unlimited)] * self.shortlist.count
            last = b.op("sub", stop, str(GROUP - 1), "i64")
            with b.loop(start, last, apart, carry=carry, nonempty=True) as group:
                lowest = self._least(fixed.gauges(loaded, group.index, GROUP))
                group.next = self._sorted_in(lowest, group.values)
            arm.next = [fixed.limit_of_least(group.values[-1])]
        return arm.values[0]

    def _filtered(self, row: Known, chunk: Tile, bound: str, limit_of_sample: str) -> str:
        b, fixed = self.frame.b, self.fixed
        extent = b.op("sub", chunk.end, chunk.start, "i64")
        groups = b.op("udiv", extent, str(GROUP), "i64")
        self._keep(chunk, groups)
        limit = fixed.least(fixed.limit(bound), limit_of_sample)
        empty = b.any(b.compare("oeq", bound, b.const(math.inf)))
        with b.when(empty, [(fixed.type, limit)], rare=True) as arm:
            arm.next = [fixed.least(fixed.limit_of_least(self._least_of_groups(groups)), limit)]
        limit = arm.values[0]
        kept = b.op("mul", groups, str(GROUP // self.each), "i64")
        if self.each == 1:
            count = self._queued(self.queue, kept, limit)
        else:
            count = self._queued(self.groups, kept, limit)
            count = self._columns_of_groups(chunk, count, limit)
        # What is left after whole groups is few: all of it is taken.
        whole = b.op("mul", groups, str(GROUP), "i64")
        with b.loop(whole, extent, carry=[("i64", count)]) as left:
            turn = b.op("add", left.values[0], "1", "i64")
            self._put(self.queue, left.values[0], left.index)
            left.next = [turn]
        return self._take(row, chunk, left.values[0], bound)

    def _keep(self, chunk: Tile, groups: str) -> None:
        """Stores the gauges of the columns of a chunk, or the least of each group."""
        b, fixed = self.frame.b, self.fixed
        loaded = fixed.loaded()
        with b.loop("0", groups) as group:
            place = b.op("mul", group.index, str(GROUP), "i64")
            gauges = fixed.gauges(loaded, b.op("add", chunk.start, place, "i64"), GROUP)
            kept = self._place(b.op("udiv", place, str(self.each), "i64"))
            for k in range(0, GROUP, self.each):
                lowest = self._least(gauges[k : k + self.each])
                b.store(lowest, b.address(kept, str(k // self.each), fixed.type), fixed.type)

    def _least(self, gauges: Sequence[str]) -> str:
        lowest = gauges[0]
        for gauge in gauges[1:]:
            lowest = self.fixed.least(gauge, lowest)
        return lowest

    def _place(self, number: str) -> str:
        return self.frame.b.address(self.kept, number, self.fixed.type)

    def _least_of_groups(self, groups: str) -> str:
        """What so many columns do not exceed as a list has entries, if there are so many groups.

        Two groups at a time: sorting takes as long as the integers of one do.
        """
        b, fixed = self.frame.b, self.fixed
        carry = [(fixed.type, b.splat(str(UNLIMITED), "i32"))] * self.shortlist.count
        pairs = b.op("udiv", groups, "2", "i64")
        with b.loop("0", pairs, carry=carry) as group:
            entries = PAIR_OF_GROUPS // self.each
            first = self._place(b.op("mul", group.index, str(entries), "i64"))
            rising = self._least(
                [b.load(b.address(first, str(k), fixed.type), fixed.type) for k in range(entries)]
            )
            group.next = self._sorted_in(rising, group.values)
        return group.values[-1]

    def _sorted_in(self, lowest: str, held: Sequence[str]) -> list[str]:
        """The least of groups in order, with that of one more, but if it has a column beyond."""
        b, fixed = self.frame.b, self.fixed
        known = b.compare_int("sgt", lowest, b.splat(str(BEYOND // 2), "i32"), fixed.type)
        rising = b.select(known, lowest, b.splat(str(UNLIMITED), "i32"), fixed.type)
        found = []
        for entry in held:
            found.append(fixed.least(rising, entry))
            above = b.compare_int("sgt", rising, entry, fixed.type)
            rising = b.select(above, rising, entry, fixed.type)
        return found

    def _put(self, queue: str, place: str, number: str) -> None:
        b = self.frame.b
        queued = b.convert("trunc", number, "i64", INDEX)
        b.store(queued, b.address(queue, place, INDEX), INDEX, INDEX_BYTES)

    def _got(self, queue: str, place: str) -> str:
        b = self.frame.b
        queued = b.load(b.address(queue, place, INDEX), INDEX, INDEX_BYTES)
        return b.convert("zext", queued, INDEX, "i64")

    def _next(self, place: str, gauge: str, limit: str) -> str:
        """The place after `place` of the queue if what is there passes, else `place`."""
        b = self.frame.b
        near = b.any(b.compare_int("sle", gauge, limit, self.fixed.type))
        return b.op("add", place, b.convert("zext", near, "i1", "i64"), "i64")

    def _queued(self, queue: str, kept: str, limit: str) -> str:
        """Puts the numbers of all that is kept, and passes, into a queue; gives how many do."""
        b, fixed = self.frame.b, self.fixed
        with b.loop("0", kept, carry=[("i64", "0")]) as turns:
            (place,) = turns.values
            self._put(queue, place, turns.index)
            gauge = b.load(self._place(turns.index), fixed.type)
            turns.next = [self._next(place, gauge, limit)]
        return turns.values[0]

    def _columns_of_groups(self, chunk: Tile, count: str, limit: str) -> str:
        """Queues the columns of queued groups that pass; gives how many do."""
        b, fixed = self.frame.b, self.fixed
        loaded = fixed.loaded()
        with b.loop("0", count, carry=[("i64", "0")]) as turns:
            (place,) = turns.values
            number = self._got(self.groups, turns.index)
            first = b.op("mul", number, str(self.each), "i64")
            gauges = fixed.gauges(loaded, b.op("add", chunk.start, first, "i64"), self.each)
            for k, gauge in enumerate(gauges):
                column = b.op("add", first, str(k), "i64") if k else first
                self._put(self.queue, place, column)
                place = self._next(place, gauge, limit)
            turns.next = [place]
        return turns.values[0]

    def _take(self, row: Known, chunk: Tile, count: str, bound: str) -> str:
        """Puts the columns of the queue in the list; gives the bound then."""
        b, shortlist = self.frame.b, self.shortlist
        (lists,) = shortlist.sorted_in(self.frame.workspace())
        with b.loop("0", count, str(self.together), carry=[(b.type, bound)]) as turns:
            (worst,) = turns.values
            found: list[tuple[str, str, Known]] = []
            for k in range(self.together):
                place = b.op("add", turns.index, str(k), "i64") if k else turns.index
                # After the last one, some column that no lane takes.
                some = b.compare_int("slt", place, count, "i64")
                number = b.let(f"select i1 {some}, i64 {self._got(self.queue, place)}, i64 0")
                column = b.op("add", chunk.start, number, "i64")
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
            turns.next = [worst]
        return turns.values[0]

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        return self.shortlist.merge(held, other, workspace)

    def across(self, carried: Sequence[str]) -> list[str]:
        raise AssertionError("lanes are rows")

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        return self.shortlist.finish(rows, carried)
