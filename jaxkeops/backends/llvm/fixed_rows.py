"""Rows in fixed point, and what follows from their integers about distances.

For each row and column there is a gauge, an integer without error that grows with their distance.
That of their nearest integers is off by what each coordinate is, half a step for the row and half a
step for the column; so a distance has a limit that the gauge of no pair exceeds that is as near.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from .evaluate import Known
from .fixed_point import (
    add_differences,
    add_products,
    over_coordinates,
    record_of,
    rounded,
    squares_of,
    word_of,
)
from .frame import Frame
from .layout import WORD_BYTES, Layout
from .spelling import vector

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
# Coordinates are off by half a step, and by what moving them to the centre rounds: 2^-9 steps.
OFF = 1.01
# Integers become float32, and sums of them are rounded a few times.
ROUNDED = 2.0**-19
UNLIMITED = 2**31 - 1
LAST_LIMIT = 2147483520.0  # the greatest float32 below 2^31; no gauge is greater
WRITTEN_OUT = 8  # words: of more, there is a loop over them


def fixed_rows(frame: Frame, layout: Layout, known: Known, reciprocal: str) -> FixedRows:
    """The rows of one vector.

    reciprocal: of the step, in all lanes; of anything where columns have no records.
    """
    distance = frame.program.distance
    assert distance is not None
    kind = ByDifferences if distance.metric == "manhattan" else ByProducts
    return kind(frame, layout, known, reciprocal)


class FixedRows(ABC):
    """The rows of one vector. usable: an i1, whether all are in range and columns have records."""

    def __init__(self, frame: Frame, layout: Layout, known: Known, reciprocal: str) -> None:
        distance = frame.program.distance
        assert distance is not None
        b = frame.b
        self.frame, self.distance = frame, distance
        self.type = vector("i32", b.width)
        self.words = distance.record_bytes // WORD_BYTES - 1
        self.memory = frame.workspace(layout.words)
        self.reciprocal = reciprocal
        some = b.let(f"icmp ne ptr {frame.columns}, null")
        with b.when(some, [("i1", "false"), (b.type, b.const(0.0))]) as arm:
            squares, inside = self._words(known, b.neg(reciprocal))
            arm.next = [b.let(f"xor i1 {b.any(b.opposite(inside))}, true"), squares]
        self.usable, self.squares = arm.values

    def _words(self, known: Known, minus: str) -> tuple[str, str]:
        """Stores the negative of the rows in steps; gives their squares, and a mask of those in
        range.
        """
        b, distance = self.frame.b, self.distance

        def take(names: list[str], word: str, held: list[str]) -> list[str]:
            pairs = [rounded(b, b.mul(name, minus), distance) for name in names]
            integers, inside = [integer for integer, _ in pairs], held[1]
            for _, mine in pairs:
                inside = b.both(inside, mine)
            b.store(word_of(b, integers), b.address(self.memory, word, self.type), self.type)
            return [squares_of(b, integers, held[0]), inside]

        carry = [(self.type, "zeroinitializer"), (b.mask, "splat (i1 true)")]
        squares, inside = over_coordinates(b, distance.rows, known, carry, take)
        return b.convert("sitofp", squares, self.type, b.type), inside

    def loaded(self) -> list[str]:
        """What `gauges` takes of the rows in a loop, loaded before it."""
        return [self._row(str(k)) for k in range(self.words if self.words <= WRITTEN_OUT else 0)]

    def gauges(self, rows: Sequence[str], first: str, count: int) -> list[str]:
        """The gauges of `count` columns from `first` on."""
        b, width = self.frame.b, self.frame.program.column_width
        record = record_of(self.frame, first)
        records = [b.address(record, str(k * width)) for k in range(count)]
        totals = [self._splat(b.address(record, str(self.words), "i32")) for record in records]
        if self.words <= WRITTEN_OUT:
            for word, row in enumerate(rows):
                totals = self._add_word(row, records, str(word), totals)
            return totals
        carry = [(self.type, total) for total in totals]
        with b.loop("0", str(self.words), carry=carry, nonempty=True) as turns:
            row = self._row(turns.index)
            turns.next = self._add_word(row, records, turns.index, turns.values)
        return turns.values

    def _row(self, word: str) -> str:
        b = self.frame.b
        return b.load(b.address(self.memory, word, self.type), self.type)

    def _add_word(
        self, row: str, records: Sequence[str], word: str, totals: Sequence[str]
    ) -> list[str]:
        b = self.frame.b
        words = [self._splat(b.address(record, word, "i32")) for record in records]
        return [self._add(total, row, column) for total, column in zip(totals, words, strict=True)]

    def _splat(self, place: str) -> str:
        b = self.frame.b
        return b.splat(b.load(place, "i32", WORD_BYTES), "i32")

    def least(self, a: str, other: str) -> str:
        """The lesser one of integers."""
        b = self.frame.b
        return b.select(b.compare_int("slt", a, other, self.type), a, other, self.type)

    def _whole(self, limit: str) -> str:
        b = self.frame.b
        limit = b.min(limit, b.const(LAST_LIMIT))  # in this order, of NaN too
        return b.convert("fptosi", limit, b.type, self.type)

    @abstractmethod
    def _add(self, total: str, row: str, column: str) -> str:
        """total + what a word of a row and one of a column give to a gauge."""

    @abstractmethod
    def limit(self, bound: str) -> str:
        """What the gauge of no pair exceeds whose value is not above `bound`."""

    @abstractmethod
    def limit_of_least(self, gauge: str) -> str:
        """The same of the pair that has this gauge, of any column that is not beyond."""


class ByProducts(FixedRows):
    """Of integers p of a row and q of a column, |q|^2 / 2 - p.q, rounded down.

    That is half of |p - q|^2 - |p|^2, and | |x - y| - |p - q| | <= |x - p| + |y - q| <= sqrt(D).
    """

    def _add(self, total: str, row: str, column: str) -> str:
        return add_products(self.frame.b, total, row, column)

    def limit(self, bound: str) -> str:
        b = self.frame.b
        distance = bound if self.distance.metric == "euclidean" else b.sqrt(bound)
        return self._limit(b.mul(distance, self.reciprocal), 1)

    def limit_of_least(self, gauge: str) -> str:
        b = self.frame.b
        half = b.convert("sitofp", gauge, self.type, b.type)
        more = b.fma(self.squares, b.const(ROUNDED), b.const(2.0))
        squared = b.fma(half, b.const(2.0), b.add(self.squares, more))
        return self._limit(b.sqrt(b.max(squared, b.const(0.0))), 2)

    def _limit(self, distance: str, times: int) -> str:
        """Of a distance in steps, `times` of what integers are off added to it."""
        b = self.frame.b
        count = self.distance.count
        off = b.const(times * OFF * math.sqrt(count))
        most = b.fma(distance, b.const(1 + (count + 8) * EPS[b.dtype]), off)
        half = b.mul(b.mul(most, most), b.const(0.5 * (1 + ROUNDED)))
        rest = b.add(half, b.const(2.0))
        return self._whole(b.fma(self.squares, b.const(-0.5 * (1 - ROUNDED)), rest))


class ByDifferences(FixedRows):
    """The sum of |p - q| itself, which is off by D at most."""

    def _add(self, total: str, row: str, column: str) -> str:
        return add_differences(self.frame.b, total, row, column)

    def limit(self, bound: str) -> str:
        return self._limit(self.frame.b.mul(bound, self.reciprocal), 1)

    def limit_of_least(self, gauge: str) -> str:
        return self._limit(self.frame.b.convert("sitofp", gauge, self.type, self.frame.b.type), 2)

    def _limit(self, distance: str, times: int) -> str:
        b = self.frame.b
        count = self.distance.count
        grown = b.const(1 + ROUNDED + (count + 8) * EPS[b.dtype])
        return self._whole(b.fma(distance, grown, b.const(times * OFF * count + 2)))
