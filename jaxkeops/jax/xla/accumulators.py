"""How tiles are taken in, for each accumulator of programs."""

from __future__ import annotations

from typing import Any, Protocol

import jax

from ... import ir
from .extremum import Extremum
from .lowest import Lowest
from .shifted_exp import ShiftedExp
from .tile import Tile
from .total import Total


class Accumulating(Protocol):
    """pairs: the most numbers a pair that an array of a tile holds; kept: those kept for a row.

    What is kept is a tree of arrays whose last axis are rows. `finish` gives the states of the
    rows, (states, rows), and what their `Index` leaves are, or None.
    """

    @property
    def pairs(self) -> int: ...
    @property
    def kept(self) -> int: ...
    def start(self, rows: int, dtype: str, index_dtype: str) -> Any: ...
    def take(self, kept: Any, tile: Tile) -> Any: ...
    def finish(self, kept: Any) -> tuple[jax.Array, jax.Array | None]: ...


ACCUMULATORS = {
    ir.Total: Total,
    ir.ShiftedExp: ShiftedExp,
    ir.Extremum: Extremum,
    ir.Lowest: Lowest,
}


def accumulating(accumulator: ir.Accumulator) -> Accumulating:
    """How tiles are taken in by `accumulator`."""
    return ACCUMULATORS[type(accumulator)](accumulator)
