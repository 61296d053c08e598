"""Least and greatest values, and the columns that have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ....ir import Scalar
from ..builder import Builder
from ..evaluate import Known, evaluate, merged
from ..frame import Frame, leaves_at
from ..spelling import vector
from .walk import Reduced, Tile, over_columns


class Extremum:
    """The best value in the loop over pairs, and of the index only the tile that has it.

    Blending an index in at each pair would be one more operation for each; finding it in one tile
    at the end costs that tile. The tile is computed by the same instructions, so the value is
    found again. Where a pair is a loop over components, it is the other way round.
    """

    def __init__(
        self, frame: Frame, accumulator: ir.Extremum, vectors: int, with_index: bool
    ) -> None:
        b = frame.b
        self.frame = frame
        self.values = accumulator.values
        self.least = accumulator.sense == "min"
        self.cells = vectors * len(self.values)
        self.with_index = with_index
        self.worst = b.const(math.inf if self.least else -math.inf)
        self.wide = f"<{b.width} x i64>"
        folds = [s for s in ir.topological(self.values) if isinstance(s, ir.Fold)]
        long = any(fold.rate == ir.PAIR for fold in folds)
        self.by_pair = long and not frame.lanes_are_columns

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        carry = [(self.frame.b.type, self.worst)] * self.cells
        if self.with_index:
            carry += [(self.wide, "zeroinitializer")] * self.cells
        return carry

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b = self.frame.b
        held, starts = list(carried[: self.cells]), list(carried[self.cells :])

        blended = self.with_index and self.by_pair
        last = b.splat("0", "i32")
        place = vector("i32", b.width)

        def step(pairs: Sequence[Known], j: str, carried: list[str]) -> list[str]:
            better = b.min if self.least else b.max
            found = [value for known in pairs for value in evaluate(b, self.values, known)]
            best, places = carried[: self.cells], carried[self.cells :]
            if blended:
                here = b.convert("trunc", b.op("sub", j, tile.start, "i64"), "i64", "i32")
                wins = [self._wins(value, old) for value, old in zip(found, best, strict=True)]
                places = [
                    b.select(mask, b.splat(here, "i32"), old, place)
                    for mask, old in zip(wins, places, strict=True)
                ]
            return [better(value, old) for value, old in zip(found, best, strict=True)] + places

        fresh = [(b.type, self.worst)] * self.cells
        fresh += [(place, last)] * (self.cells if blended else 0)
        here = b.splat(tile.start, "i64")
        best = over_columns(self.frame, self.values, rows, tile, fresh, step)
        for cell, value in enumerate(best[: self.cells]):
            wins = self._wins(value, held[cell])
            held[cell] = b.select(wins, value, held[cell])
            if self.with_index:
                index = here
                if blended:
                    steps = b.convert("zext", best[self.cells + cell], place, self.wide)
                    index = b.let(f"add {self.wide} {here}, {steps}")
                starts[cell] = b.select(wins, index, starts[cell], self.wide)
        return held + starts

    def _wins(self, value: str, held: str) -> str:
        return self.frame.b.compare("olt" if self.least else "ogt", value, held)

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        b, merged = self.frame.b, list(held)
        for cell in range(self.cells):
            wins = self._wins(other[cell], held[cell])
            merged[cell] = b.select(wins, other[cell], held[cell])
            if self.with_index:
                n = self.cells + cell
                merged[n] = b.select(wins, other[n], held[n], self.wide)
        return merged

    def across(self, carried: Sequence[str]) -> list[str]:
        b, result = self.frame.b, list(carried)
        better = Builder.min if self.least else Builder.max
        for cell in range(self.cells):
            best = b.splat(b.fold(carried[cell], better))
            result[cell] = best
            if self.with_index:
                n = self.cells + cell
                wins = b.compare("oeq", carried[cell], best)
                last = b.splat(str(2**63 - 1), "i64")
                starts = b.let(
                    f"select {b.mask} {wins}, {self.wide} {carried[n]}, {self.wide} {last}"
                )
                first = b.call("i64", f"llvm.vector.reduce.umin.v{b.width}i64", (self.wide, starts))
                result[n] = b.splat(first, "i64")
        return result

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        count = len(self.values)
        result = []
        for r, row in enumerate(rows):
            best = carried[r * count : (r + 1) * count]
            indices = carried[self.cells + r * count : self.cells + (r + 1) * count]
            if not self.by_pair:
                indices = [
                    self._find(row, value, best[k], first)
                    for (k, value), first in zip(enumerate(self.values), indices, strict=False)
                ]
            result.append(Reduced(dict(enumerate(best)), indices))
        return result

    def _find(self, row: Known, value: Scalar, best: str, first: str) -> str:
        """The first column, from each lane's `first` on, whose value is `best`; 0 if none is."""
        frame, b = self.frame, self.frame.b
        wide = f"<{b.width} x i64>"
        last = b.splat(b.op("sub", frame.N, "1", "i64"), "i64")
        leaves = leaves_at(ir.COLUMN, [value])
        carry = [(wide, "zeroinitializer"), (b.mask, b.compare("oeq", best, self.worst))]
        size = str(frame.program.schedule.tile)
        with b.loop("0", size, carry=carry, nonempty=True) as turns:
            index, found = turns.values
            j = b.let(f"add {wide} {first}, {b.splat(turns.index, 'i64')}")
            inside = b.compare_int("slt", j, last, wide)
            read = b.let(f"select {b.mask} {inside}, {wide} {j}, {wide} {last}")
            known = merged(frame.at_lanes(leaves, read, "splat (i1 true)", ir.COLUMN), row)
            (again,) = evaluate(b, [value], known)
            hit = b.both(b.compare("oeq", again, best), b.opposite(found))
            turns.next = [b.select(hit, j, index, wide), b.either(found, hit)]
        return turns.values[0]
