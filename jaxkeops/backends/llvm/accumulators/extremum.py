"""Least and greatest values, and the columns that have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .... import ir
from ....ir import Scalar
from ..frame import Frame, Known, evaluate, leaves_at, merged
from .walk import Reduced, at_pair, tiles


def extremum(
    frame: Frame, rows: Sequence[Known], accumulator: ir.Extremum, with_index: bool
) -> list[Reduced]:
    """The best value in the loop over pairs, and of the index only the tile that has it.

    Blending an index in at each pair would be one more operation for each; finding it in one tile
    at the end costs that tile. The tile is computed by the same instructions, so the value is
    found again.
    """
    b, values = frame.b, accumulator.values
    count, least = len(values), accumulator.sense == "min"
    start = b.const(math.inf if least else -math.inf)
    cells = len(rows) * count
    wide = f"<{b.width} x i64>"
    carry = [(b.type, start)] * cells
    if with_index:
        carry += [(wide, "zeroinitializer")] * cells
    with tiles(frame, carry, frame.program.schedule.tile) as tile:
        held, starts = tile.arm.values[:cells], tile.arm.values[cells:]
        fresh = [(b.type, start)] * cells
        with b.loop(tile.start, tile.end, carry=fresh, nonempty=True) as pairs:
            column = at_pair(frame, values, pairs.index)
            for r, row in enumerate(rows):
                for k, value in enumerate(evaluate(b, values, merged(column, row))):
                    cell = r * count + k
                    better = b.min if least else b.max
                    pairs.next[cell] = better(value, pairs.values[cell])
        here = b.splat(tile.start, "i64")
        for cell, best in enumerate(pairs.values):
            wins = b.compare("olt" if least else "ogt", best, held[cell])
            tile.arm.next[cell] = b.select(wins, best, held[cell])
            if with_index:
                tile.arm.next[cells + cell] = b.select(wins, here, starts[cell], wide)
    result = []
    for r, row in enumerate(rows):
        best = tile.arm.values[r * count : (r + 1) * count]
        indices = [
            _find(frame, row, value, best[k], start, tile.arm.values[cells + r * count + k])
            for k, value in enumerate(values)
            if with_index
        ]
        result.append(Reduced(best, indices, []))
    return result


def _find(frame: Frame, row: Known, value: Scalar, best: str, start: str, first: str) -> str:
    """The first column, from each lane's `first` on, whose value is `best`; 0 if it is `start`."""
    b = frame.b
    wide = f"<{b.width} x i64>"
    last = b.splat(b.op("sub", frame.N, "1", "i64"), "i64")
    leaves = leaves_at(ir.COLUMN, [value])
    carry = [(wide, "zeroinitializer"), (b.mask, b.compare("oeq", best, start))]
    size = str(frame.program.schedule.tile)
    with b.loop("0", size, carry=carry, nonempty=True) as turns:
        index, found = turns.values
        j = b.let(f"add {wide} {first}, {b.splat(turns.index, 'i64')}")
        inside = b.compare_int("slt", j, last, wide)
        read = b.let(f"select {b.mask} {inside}, {wide} {j}, {wide} {last}")
        known = merged(frame.parameters, frame.at_lanes(leaves, read, "splat (i1 true)"), row)
        (again,) = evaluate(b, [value], known)
        hit = b.both(b.compare("oeq", again, best), b.opposite(found))
        turns.next = [b.select(hit, j, index, wide), b.either(found, hit)]
    return turns.values[0]
