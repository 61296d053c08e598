"""The K least values of each row and their columns, any K: a filter, and a list for each lane."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ..builder import Builder
from ..evaluate import Known, at_pairs, evaluate
from ..frame import Frame
from ..layout import INDEX, Layout
from .walk import MASK_BITS, Reduced, Tile, over_blocks


class Lowest:
    """Lists of the `count` least of each value, one for each lane, each in its own memory.

    A block of columns whose least values beat no lane's worst is done with. Of the others, each
    value that beats its lane's worst is put into the list of that lane, in one pass over the
    registers that hold it. Equal values keep the order in which they came.
    """

    def __init__(self, frame: Frame, layout: Layout, accumulator: ir.Lowest, vectors: int) -> None:
        b = frame.b
        self.frame = frame
        self.values, self.count = accumulator.values, accumulator.count
        self.length = layout.list_length
        self.cells = vectors * len(self.values)
        # In the workspace, not on the stack: `count` may be as large as N.
        base = frame.workspace(layout.lists)
        each = b.width * self.length
        columns = b.address(base, str(self.cells * each))
        self.lists = [
            (b.address(base, str(cell * each)), b.address(columns, str(cell * each), INDEX))
            for cell in range(self.cells)
        ]

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        """Lists of +inf and 0; their last values are carried."""
        b = self.frame.b
        registers = f"<{b.width} x {INDEX}>"
        with b.loop("0", str(self.length), nonempty=True) as entry:
            for values, columns in self.lists:
                b.store(b.const(math.inf), b.address(values, entry.index, b.type), b.type)
                place = b.address(columns, entry.index, registers)
                b.store("zeroinitializer", place, registers, 4)
        return [(b.type, b.const(math.inf))] * self.cells

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b = self.frame.b

        def step(first: str, columns: Sequence[Sequence[Known]], bounds: list[str]) -> list[str]:
            found: list[list[str]] = [[] for _ in range(self.cells)]
            for knowns in columns:
                names = [value for known in knowns for value in evaluate(b, self.values, known)]
                for cell, name in enumerate(names):
                    found[cell].append(at_pairs(b, name, math.inf, knowns[0]))
            return [
                self._sieve(first, cell, found[cell], bounds[cell]) for cell in range(self.cells)
            ]

        carry = [(b.type, name) for name in carried]
        return over_blocks(self.frame, self.values, rows, tile, carry, step)

    def _sieve(self, first: str, cell: int, values: Sequence[str], bound: str) -> str:
        """Puts values that beat `bound` into the lists of their lanes; gives the new bound."""
        b = self.frame.b
        least = bound
        for value in values:
            least = b.min(value, least)  # in this order, NaN is passed over
        with b.when(b.any(b.compare("olt", least, bound)), [(b.type, bound)], rare=True) as arm:
            memory = b.slot(b.type, len(values))
            for q, value in enumerate(values):
                b.store(value, b.address(memory, str(q), b.type), b.type)
            at_once = MASK_BITS // b.width
            for start in range(0, len(values), at_once):
                bits = "0"
                for q, value in enumerate(values[start : start + at_once]):
                    found = b.mask_bits(b.compare("olt", value, arm.next[0]))
                    found = b.op("shl", found, str(q * b.width), "i64") if q else found
                    bits = b.op("or", bits, found, "i64") if q else found
                step = start * b.width if self.frame.lanes_are_columns else start
                column = b.op("add", first, str(step), "i64")
                place = b.address(memory, str(start), b.type)
                arm.next = [self._insert_bits(cell, bits, column, place, arm.next[0])]
        return arm.values[0]

    def _insert_bits(self, cell: int, bits: str, first: str, memory: str, bound: str) -> str:
        """Inserts what the bits name, as number column * lanes + lane from column `first` on."""
        b, scalar = self.frame.b, self.frame.scalar
        count = b.call("i64", "llvm.ctpop.i64", ("i64", bits))
        lane_bits = b.width.bit_length() - 1
        with b.loop("0", count, carry=[("i64", bits), (b.type, bound)]) as turns:
            left, worst = turns.values
            number = b.call("i64", "llvm.cttz.i64", ("i64", left), ("i1", "true"))
            lane = b.op("and", number, str(b.width - 1), "i64")
            step = number
            if not self.frame.lanes_are_columns:
                step = b.op("lshr", number, str(lane_bits), "i64")
            column = b.op("add", first, step, "i64")
            candidate = scalar.load(scalar.address(memory, number))
            column = b.convert("trunc", column, "i64", INDEX)
            worst = self._insert(cell, lane, candidate, column, worst)
            turns.next = [b.op("and", left, b.op("sub", left, "1", "i64"), "i64"), worst]
        return turns.values[1]

    def _insert(
        self,
        cell: int,
        lane: str,
        candidate: str,
        column: str,
        worst: str,
        in_order: bool = True,
    ) -> str:
        """Puts a candidate into the list of a lane if it beats the last; gives the worst then.

        in_order: whether columns come in their order, so that equal values do not compare them.
        """
        b, scalar = self.frame.b, self.frame.scalar
        values, columns = self.lists[cell]
        start = b.op("mul", lane, str(self.length), "i64")
        values = scalar.address(values, start)
        columns = scalar.address(columns, start, INDEX)
        last = scalar.address(values, str(self.count - 1))
        predicate = "olt" if in_order else "ole"
        beats = scalar.compare(predicate, candidate, scalar.load(last))
        with b.when(beats, [(b.type, worst)]) as arm:
            new = b.splat(candidate), b.splat(column, INDEX)
            _shift_in(b, *new, values, columns, self.length, in_order)
            type = f"<{b.width} x i64>"
            mine = b.compare_int("eq", b.lane_numbers(), b.splat(lane, "i64"), type)
            arm.next = [b.select(mine, b.min(b.splat(scalar.load(last)), worst), worst)]
        return arm.values[0]

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        b, merged = self.frame.b, list(held)
        mine = self.frame.workspace()
        for cell, (values, columns) in enumerate(self.lists):
            lists = []
            for pointer in (values, columns):
                offset = b.op("sub", _as_integer(b, pointer), _as_integer(b, mine), "i64")
                lists.append(b.address(workspace, offset, "i8"))
            all_lanes = str(b.width * self.length)
            merged[cell] = self._merge_lists(cell, lists, "0", all_lanes, merged[cell])
        return merged

    def across(self, carried: Sequence[str]) -> list[str]:
        """All lists in that of the first lane."""
        b = self.frame.b
        start, end = str(self.length), str(b.width * self.length)
        return [
            self._merge_lists(cell, lists, start, end, carried[cell], "0")
            for cell, lists in enumerate(self.lists)
        ]

    def _merge_lists(
        self, cell: int, lists: Sequence[str], start: str, end: str, worst: str, into: str = ""
    ) -> str:
        """Inserts entries of other lists, of the same lane if not `into` one; gives the worst."""
        b, scalar = self.frame.b, self.frame.scalar
        with b.loop(start, end, carry=[(b.type, worst)], nonempty=True) as turns:
            lane = into or b.op("udiv", turns.index, str(self.length), "i64")
            candidate = scalar.load(scalar.address(lists[0], turns.index))
            column = scalar.load(scalar.address(lists[1], turns.index, INDEX), INDEX, 4)
            turns.next = [
                self._insert(cell, lane, candidate, column, turns.values[0], in_order=False)
            ]
        return turns.values[0]

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        count = len(self.values)
        return [
            Reduced({}, lists=self.lists[r * count : (r + 1) * count], list_length=self.length)
            for r in range(len(rows))
        ]


def _as_integer(b: Builder, pointer: str) -> str:
    return b.convert("ptrtoint", pointer, "ptr", "i64")


def _shift_in(
    b: Builder,
    candidate: str,
    column: str,
    values: str,
    columns: str,
    length: int,
    in_order: bool,
) -> None:
    """Puts (candidate, column), the same in all lanes, in its place in a sorted list.

    Entries above it become the one before them, the first of these the candidate.
    """
    type = f"<{b.width} x {INDEX}>"
    shifted = [2 * b.width - 1, *range(b.width - 1)]
    carry = [(b.type, candidate), (type, column)]
    with b.loop("0", str(length // b.width), carry=carry, nonempty=True) as turns:
        at_values = b.address(values, turns.index, b.type)
        at_columns = b.address(columns, turns.index, type)
        entries, rows = b.load(at_values, b.type), b.load(at_columns, type, 4)
        above = b.compare("ogt", entries, candidate)
        if not in_order:
            equal = b.compare("oeq", entries, candidate)
            above = b.either(above, b.both(equal, b.compare_int("ugt", rows, column, type)))
        moving = b.select(above, entries, candidate)
        rows_moving = b.select(above, rows, column, type)
        moved = b.shuffle(moving, turns.values[0], shifted)
        rows_moved = b.shuffle(rows_moving, turns.values[1], shifted, type)
        b.store(b.select(above, moved, entries), at_values, b.type)
        b.store(b.select(above, rows_moved, rows, type), at_columns, type, 4)
        turns.next = [moving, rows_moving]
