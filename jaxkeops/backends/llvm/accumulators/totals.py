"""Running totals that lose nothing: tiles are summed in the dtype of the data, totals above it.

A million float32 terms of one sign keep all their digits this way (a test holds it), where one
running float32 total loses four; a total is touched once a tile, so it costs little.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..builder import Builder


class Totals:
    """`count` totals of view `b`: float64 halves for float32, a compensated pair for float64.

    The compensated pair is Kahan's; Higham 2002, Accuracy and Stability, algorithm 4.2.
    Values are carried through loops as flat lists, in the order of `start`.
    """

    def __init__(self, b: Builder, count: int) -> None:
        self.b = b
        self.count = count
        single = b.dtype == "float32"
        self.view = b.wide if single else b
        self.parts = (b.width // self.view.width) if single else 2

    def start(self) -> list[tuple[str, str]]:
        """(type, first value) of all that a loop must carry."""
        return [(self.view.type, self.view.const(0.0))] * (self.count * self.parts)

    def add(self, carried: Sequence[str], tiles: Sequence[str]) -> list[str]:
        """The totals with the sum of one more tile in each."""
        view, result = self.view, []
        for k, tile in enumerate(tiles):
            held = carried[k * self.parts : (k + 1) * self.parts]
            if self.b.dtype == "float32":
                wide = self.b.widen(tile)
                result += [view.add(a, x) for a, x in zip(held, wide, strict=True)]
            else:
                total, lost = held
                corrected = view.sub(tile, lost)
                larger = view.add(total, corrected)
                # An infinite total has nothing to correct, and inf - inf would make it NaN.
                rest = view.sub(view.sub(larger, total), corrected)
                finite = view.compare("ord", rest, rest)
                result += [larger, view.select(finite, rest, view.const(0.0))]
        return result

    def merge(self, carried: Sequence[str], other: Sequence[str]) -> list[str]:
        """The sums of two runs: of a compensated pair by Knuth's two-sum, TAOCP 2, 4.2.2."""
        view = self.view
        if self.b.dtype == "float32":
            return [view.add(a, x) for a, x in zip(carried, other, strict=True)]
        result = []
        for k in range(0, len(carried), 2):
            (a, a_lost), (x, x_lost) = carried[k : k + 2], other[k : k + 2]
            whole = view.add(a, x)
            part = view.sub(whole, a)
            error = view.add(view.sub(a, view.sub(whole, part)), view.sub(x, part))
            rest = view.sub(view.add(a_lost, x_lost), error)
            finite = view.compare("ord", rest, rest)
            result += [whole, view.select(finite, rest, view.const(0.0))]
        return result

    def scale(self, carried: Sequence[str], factors: Sequence[str]) -> list[str]:
        """The totals times powers of two, one factor for each."""
        view, result = self.view, []
        for k, factor in enumerate(factors):
            held = carried[k * self.parts : (k + 1) * self.parts]
            wide = self.b.widen(factor) if self.b.dtype == "float32" else [factor] * 2
            result += [view.mul(a, x) for a, x in zip(held, wide, strict=True)]
        return result

    def finish(self, carried: Sequence[str]) -> list[str]:
        """The totals in the dtype of the data."""
        return [
            self.finish_one(carried[k * self.parts : (k + 1) * self.parts])
            for k in range(self.count)
        ]

    def finish_one(self, held: Sequence[str]) -> str:
        """One total in the dtype of the data."""
        return self.b.narrow(held) if self.b.dtype == "float32" else held[0]

    def across(self, carried: Sequence[str]) -> list[str]:
        """The totals with the sum over all lanes in each lane."""
        zero, result = self.view.const(0.0), []
        for total in self.over_lanes(carried):
            whole = self.view.splat(total)
            result += [whole] * self.parts if self.b.dtype == "float32" else [whole, zero]
        return result

    def over_lanes(self, carried: Sequence[str]) -> list[str]:
        """Each total summed over its lanes: a double."""
        result = []
        for k in range(self.count):
            held = carried[k * self.parts : (k + 1) * self.parts]
            if self.b.dtype == "float32":
                whole = held[0] if self.parts == 1 else self.view.add(held[0], held[1])
            else:
                whole = self.view.sub(held[0], held[1])
            result.append(self.view.fold(whole, lambda view, a, b: view.add(a, b)))
        return result
