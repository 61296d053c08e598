"""Sums: tiles in the dtype of the data, totals above it."""

from __future__ import annotations

from collections.abc import Sequence

from .... import ir
from ....ir import Each
from ..evaluate import Known, evaluate
from ..frame import Frame
from ..layout import Layout
from .totals import Totals
from .walk import Reduced, Tile, add_term, over_columns
from .wide import Wide


class Total:
    """The sums of the values for some vectors of rows: few in registers, many in memory."""

    def __init__(self, frame: Frame, layout: Layout, accumulator: ir.Total, vectors: int) -> None:
        self.frame = frame
        self.vectors = vectors
        self.few, wide = split_roots(accumulator.values)
        self.shared = _shared(list(self.few.values()))
        self.totals = Totals(frame.b, vectors * len(self.few))
        self.wide = Wide(frame, layout, wide, layout.kept, vectors) if wide else None

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        if self.wide:
            self.wide.start()
        return self.totals.start()

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b, few, wide = self.frame.b, list(self.few.values()), self.wide
        kept = list(wide.kept) if wide else []

        def step(pairs: Sequence[Known], j: str, held: list[str]) -> list[str]:
            sums = []
            for r, known in enumerate(pairs):
                evaluate(b, self.shared, known)
                for k, value in enumerate(few):
                    sums.append(add_term(b, held[r * len(few) + k], value, known))
                if wide:
                    wide.keep(tile.start, j, r, evaluate(b, kept, known))
            return sums

        zeros = [(b.type, b.const(0.0))] * self.totals.count
        if few or kept:
            sums = over_columns(self.frame, [*few, *kept], rows, tile, zeros, step)
            carried = self.totals.add(carried, sums)
        if wide:
            wide.add_tile(rows, tile)
        return list(carried)

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        if self.wide:
            self.wide.merge(workspace)
        return self.totals.merge(held, other)

    def across(self, carried: Sequence[str]) -> list[str]:
        return self.totals.across(carried)

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        sums = self.totals.finish(carried)
        return [reduced(self.few, self.wide, sums, r, self.vectors) for r in range(self.vectors)]


def split_roots(
    roots: Sequence[ir.Scalar], first: int = 0
) -> tuple[dict[int, ir.Scalar], dict[int, Each]]:
    """Roots of one number, and those of several, by the number of their first state."""
    few, wide = {}, {}
    for root in roots:
        (wide if isinstance(root, Each) else few)[first] = root
        first += ir.width(root)
    return few, wide


def _shared(roots: Sequence[ir.Scalar]) -> list[ir.Scalar]:
    """The roots that others are made of: an fma that adds one would compute it a second time."""
    parts = {part for scalar in ir.topological(roots) for part in scalar.inside}
    return [root for root in roots if root in parts]


def reduced(
    few: dict[int, ir.Scalar], wide: Wide | None, sums: Sequence[str], vector: int, vectors: int
) -> Reduced:
    """The states of one vector of rows; `sums` has those in registers, vector after vector.

    Where others are in memory they go there as well: a loop over states may meet both.
    """
    mine = dict(zip(few, sums[vector * len(few) : (vector + 1) * len(few)], strict=True))
    if wide is None:
        return Reduced(mine)
    for number, name in mine.items():
        if number >= 0:
            wide.put(number, vector, name)
    return Reduced(mine, stored=lambda number: wide.state(number, vector))
