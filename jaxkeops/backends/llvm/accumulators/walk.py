"""The walk over columns that all accumulators share: tile by tile, and pair by pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .... import ir
from ....ir import Apply, Scalar
from ..builder import Builder
from ..flow import Arm
from ..frame import Frame, Known, evaluate, leaves_at, merged


@dataclass(frozen=True)
class Reduced:
    """What the walk leaves for one vector of rows: names of states, and of indices, i64s.

    lists: pointers to the list of each value, and to that of its columns, if it is one.
    """

    states: list[str]
    indices: list[str]
    lists: list[tuple[str, str]]


@dataclass(frozen=True)
class Tile:
    """Columns [start, end), and what the walk over tiles carries."""

    start: str
    end: str
    arm: Arm


@contextmanager
def tiles(frame: Frame, carry: Sequence[tuple[str, str]], size: int) -> Iterator[Tile]:
    """A loop over tiles of at most `size` columns, through all ranges of columns of the call.

    `carry` as in `Builder.loop`; after the loop `arm.values` are the last ones.
    """
    b = frame.b
    with b.loop("0", frame.range_count, carry=carry, nonempty=True) as ranges:
        first = b.op("mul", ranges.index, "2", "i64")
        pair = b.address(frame.ranges, first, "i64")
        start = b.load(pair, "i64", 8)
        stop = b.load(b.address(pair, "1", "i64"), "i64", 8)
        held = [(type, value) for (type, _), value in zip(carry, ranges.values, strict=True)]
        with b.loop(start, stop, str(size), carry=held, nonempty=True) as arm:
            end = b.op("add", arm.index, str(size), "i64")
            inside = b.let(f"icmp slt i64 {end}, {stop}")
            end = b.let(f"select i1 {inside}, i64 {end}, i64 {stop}")
            yield Tile(arm.index, end, arm)
        ranges.next = arm.values
    arm.values = ranges.values


def at_pair(frame: Frame, roots: Sequence[Scalar], j: str) -> Known:
    """What pairs know of column `j`, and of the parameters."""
    return merged(frame.parameters, frame.at_columns(leaves_at(ir.COLUMN, roots), j))


def add_term(b: Builder, total: str, term: Scalar, known: Known) -> str:
    """total + term, in one instruction if the term is a product."""
    if isinstance(term, Apply) and term.instr.name == "mul" and term not in known:
        return b.fma(*evaluate(b, term.operands, known), total)
    return b.add(total, *evaluate(b, [term], known))
