"""Sums: tiles in the dtype of the data, totals above it."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ir
from ..frame import Frame, Known, merged
from .totals import Totals
from .walk import Reduced, add_term, at_pair, tiles


def total(frame: Frame, rows: Sequence[Known], accumulator: ir.Total) -> list[Reduced]:
    """The sums of the values for each vector of rows."""
    b, values = frame.b, accumulator.values
    count = len(values)
    totals = Totals(b, len(rows) * count)
    with tiles(frame, totals.start(), frame.program.schedule.tile) as tile:
        zeros = [(b.type, b.const(0.0))] * totals.count
        with b.loop(tile.start, tile.end, carry=zeros, nonempty=True) as pairs:
            column = at_pair(frame, values, pairs.index)
            for r, row in enumerate(rows):
                known = merged(column, row)
                for k, value in enumerate(values):
                    cell = r * count + k
                    pairs.next[cell] = add_term(b, pairs.values[cell], value, known)
        tile.arm.next = totals.add(tile.arm.values, pairs.values)
    sums = totals.finish(tile.arm.values)
    return [Reduced(sums[r * count : (r + 1) * count], [], []) for r in range(len(rows))]
