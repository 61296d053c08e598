"""The loop over columns, one file for each accumulator.

Each takes the rows of a block, one vector of them after the other, tile by tile of columns, and
gives for each vector the names of the accumulator's states, and of its indices where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .... import ir
from ..evaluate import Known
from ..fixed_rows import FixedRows
from ..frame import Frame
from ..layout import Layout
from .extremum import Extremum
from .filtered import Filtered
from .lowest import Lowest
from .nearest import Nearest
from .shifted_exp import ShiftedExp
from .shortlist import Shortlist
from .total import Total
from .totals import Totals as Totals
from .walk import Reduced as Reduced, Tile as Tile, over_tiles as over_tiles


class Accumulation(Protocol):
    """What one accumulator does with columns, for some vectors of rows."""

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        """(type, first value) of all that is carried from tile to tile."""
        ...

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        """What is carried once the columns of a tile are in; `rows` is what rows know."""
        ...

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        """What is carried of two runs of columns, `other` the later: of what is in memory, its
        own is at the same place of `workspace`, and is gone afterwards.
        """
        ...

    def across(self, carried: Sequence[str]) -> list[str]:
        """The same with what all lanes carry in each: where lanes are columns of one row."""
        ...

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        """What became of each vector of rows."""
        ...


def accumulation(
    frame: Frame, layout: Layout, rows: Sequence[Known], with_index: bool, fixed: FixedRows | None
) -> Accumulation:
    """What the accumulator of a program does, for some vectors of rows.

    fixed: the rows in fixed point, if columns may be passed over by that.
    """
    vectors = len(rows)
    match frame.program.accumulator:
        case ir.Total() as sums:
            return Total(frame, layout, sums, vectors)
        case ir.ShiftedExp() as sums:
            return ShiftedExp(frame, layout, sums, vectors)
        case ir.Extremum() as extrema:
            extremum = Extremum(frame, extrema, vectors, with_index)
            return Filtered(frame, extremum, fixed) if fixed else extremum
        case ir.Lowest() as least if frame.program.schedule.sample and not frame.lanes_are_columns:
            shortlist = Shortlist(frame, layout, least, vectors)
            return Nearest(frame, shortlist, fixed) if fixed else shortlist
        case ir.Lowest() as least:
            return Lowest(frame, layout, least, vectors)
