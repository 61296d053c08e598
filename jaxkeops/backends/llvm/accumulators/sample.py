"""First bounds of lists that are to hold the K least values, from a sample of the columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....ir import Scalar
from ..builder import Builder
from ..evaluate import Known, evaluate
from ..frame import Frame
from .walk import Tile, over_columns

GROUP = 8  # columns, of whose least value bounds are made
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
LEAST = {"float32": 2.0**-126, "float64": 2.0**-1022}  # a normal number
GREATEST = {"float32": 2.0**127, "float64": 2.0**1023}


def first_bounds(
    frame: Frame, values: Sequence[Scalar], rows: Sequence[Known], count: int
) -> list[str]:
    """For each row and value what `count` columns at least are below: +inf if there are so few.

    Lists that start empty take in most of what comes first, one by one. The least of each of some
    groups is found much quicker, and of those the last that a list has room for. Groups are spread
    evenly over the first range, as columns may lie in an order.
    """
    b = frame.b
    start = b.load(frame.ranges, "i64", 8)
    stop = b.load(b.address(frame.ranges, "1", "i64"), "i64", 8)
    extent = b.op("sub", stop, start, "i64")
    apart = b.op("udiv", extent, str(frame.program.schedule.sample // GROUP), "i64")
    near = b.let(f"icmp slt i64 {apart}, {GROUP}")
    apart = b.let(f"select i1 {near}, i64 {GROUP}, i64 {apart}")
    cells = len(rows) * len(values)
    carry = [(b.type, b.const(math.inf))] * (cells * count)
    with b.loop(start, stop, apart, carry=carry, nonempty=True) as groups:
        last = b.op("add", groups.index, str(GROUP), "i64")
        inside = b.let(f"icmp slt i64 {last}, {stop}")
        last = b.let(f"select i1 {inside}, i64 {last}, i64 {stop}")
        for cell, name in enumerate(_least(frame, values, rows, Tile(groups.index, last))):
            rising = name
            for k in range(cell * count, (cell + 1) * count):
                held = groups.values[k]
                groups.next[k] = b.min(rising, held)
                rising = b.max(rising, held)
    return [_above(b, bound) for bound in groups.values[count - 1 :: count]]


def _least(frame: Frame, values: Sequence[Scalar], rows: Sequence[Known], tile: Tile) -> list[str]:
    b = frame.b

    def step(pairs: Sequence[Known], j: str, held: list[str]) -> list[str]:
        names = [value for known in pairs for value in evaluate(b, values, known)]
        return [b.min(value, old) for value, old in zip(names, held, strict=True)]

    infinite = [(b.type, b.const(math.inf))] * (len(rows) * len(values))
    return over_columns(frame, values, rows, tile, infinite, step)


def _above(b: Builder, bound: str) -> str:
    """A little more, so that a value that is the bound itself is below it."""
    eps, least = b.const(4 * EPS[b.dtype]), b.const(LEAST[b.dtype])
    bound = b.max(bound, b.const(-GREATEST[b.dtype]))  # of -inf, the sum would be no number
    return b.fma(b.abs(bound), eps, b.add(bound, least))
