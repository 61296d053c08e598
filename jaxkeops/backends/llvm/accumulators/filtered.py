"""Extrema of distances: tiles whose integers show that they have none are passed over."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluate import Known
from ..fixed_point import BEYOND
from ..fixed_rows import UNLIMITED, FixedRows
from ..frame import Frame
from .extremum import Extremum
from .walk import Reduced, Tile

TOGETHER = 8  # columns, whose sums of products do not wait for each other


class Filtered:
    """Goes over a chunk of columns in fixed point, then over those of its tiles that may matter.

    What does is known best once all of a chunk is in: of tiles that are taken as they come, one
    row of a vector in sixteen needs most.
    """

    def __init__(self, frame: Frame, extremum: Extremum, fixed: FixedRows) -> None:
        self.frame, self.extremum, self.fixed = frame, extremum, fixed
        cut = frame.program.schedule
        self.minima = frame.b.slot(fixed.type, cut.chunk // cut.tile)

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        return self.extremum.start(rows)

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b, fixed = self.frame.b, self.fixed
        size = str(self.frame.program.schedule.tile)
        types = [type for type, _ in self.extremum.start(rows)]
        unlimited = b.splat(str(UNLIMITED), "i32")
        with b.when(fixed.usable, [(fixed.type, unlimited)]) as arm:
            least = self._go_over(tile)
            mine, earlier = fixed.limit_of_least(least), fixed.limit(carried[0])
            arm.next = [fixed.least(mine, earlier)]
        (limit,) = arm.values
        carry = list(zip(types, carried, strict=True))
        with b.loop(tile.start, tile.end, size, carry=carry, nonempty=True) as tiles:
            lowest = b.load(self._minimum_of(tile, tiles.index), fixed.type)
            matters = b.any(b.compare_int("sle", lowest, limit, fixed.type))
            held = list(zip(types, tiles.values, strict=True))
            with b.when(matters, held) as arm:
                end = b.op("add", tiles.index, size, "i64")
                end = b.call("i64", "llvm.smin.i64", ("i64", end), ("i64", tile.end))
                arm.next = self.extremum.tile(rows, Tile(tiles.index, end), tiles.values)
            tiles.next = arm.values
        return tiles.values

    def _go_over(self, chunk: Tile) -> str:
        """Stores the least gauges of each tile; gives those of tiles without a column beyond."""
        b, fixed = self.frame.b, self.fixed
        size = self.frame.program.schedule.tile
        extent = b.op("sub", chunk.end, chunk.start, "i64")
        left = b.op("urem", extent, str(size), "i64")
        whole = b.op("sub", chunk.end, left, "i64")
        unlimited, beyond = b.splat(str(UNLIMITED), "i32"), b.splat(str(BEYOND // 2), "i32")
        loaded = fixed.loaded()
        with b.loop(chunk.start, whole, str(size), [(fixed.type, unlimited)]) as tiles:
            lowest = ""
            for k in range(0, size, TOGETHER):
                first = b.op("add", tiles.index, str(k), "i64") if k else tiles.index
                for gauge in fixed.gauges(loaded, first, min(TOGETHER, size - k)):
                    lowest = fixed.least(gauge, lowest) if lowest else gauge
            b.store(lowest, self._minimum_of(chunk, tiles.index), fixed.type)
            known = b.compare_int("sgt", lowest, beyond, fixed.type)
            tiles.next = [
                fixed.least(b.select(known, lowest, unlimited, fixed.type), tiles.values[0])
            ]
        # The last tile, if it is not whole, is taken as it is.
        with b.when(b.compare_int("sgt", left, "0", "i64")):
            b.store(b.splat(str(BEYOND), "i32"), self._minimum_of(chunk, whole), fixed.type)
        return tiles.values[0]

    def _minimum_of(self, chunk: Tile, start: str) -> str:
        b = self.frame.b
        place = b.op("sub", start, chunk.start, "i64")
        number = b.op("udiv", place, str(self.frame.program.schedule.tile), "i64")
        return b.address(self.minima, number, self.fixed.type)

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        return self.extremum.merge(held, other, workspace)

    def across(self, carried: Sequence[str]) -> list[str]:
        raise AssertionError("lanes are rows")

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        return self.extremum.finish(rows, carried)
