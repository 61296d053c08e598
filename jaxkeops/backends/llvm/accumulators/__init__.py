"""The loop over columns, one file for each accumulator.

Each takes the rows of a block, one vector of them after the other, and gives for each vector
the names of the accumulator's states, and of its indices where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence

from .... import ir
from ..frame import Frame, Known
from .extremum import extremum
from .lowest import list_bytes as list_bytes, lowest
from .shifted_exp import shifted_exp
from .total import total
from .totals import Totals as Totals
from .walk import Reduced as Reduced


def accumulate(frame: Frame, rows: Sequence[Known], with_index: bool) -> list[Reduced]:
    """Emits the loops over all columns for row vectors whose row values are `rows`."""
    match frame.program.accumulator:
        case ir.Total() as sums:
            return total(frame, rows, sums)
        case ir.ShiftedExp() as sums:
            return shifted_exp(frame, rows, sums)
        case ir.Extremum() as extrema:
            return extremum(frame, rows, extrema, with_index)
        case ir.Lowest() as least:
            return lowest(frame, rows, least)
