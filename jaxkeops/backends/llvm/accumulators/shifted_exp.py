"""Sums of exponentials against a reference that is only moved when it must be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .... import ir
from ....ir import Apply, Const, Each, Scalar
from ..builder import Builder
from ..evaluate import Known, at_pairs, evaluate
from ..frame import Frame
from ..layout import Layout
from ..math import SPELLING
from .total import reduced, split_roots
from .totals import Totals
from .walk import Reduced, Tile, over_columns
from .wide import Wide

# A reference holds until a sum passes this: far from the overflow of float32 even after a tile
# of 128 such terms, and far above what a reference within a few units gives.
SAFE_SUM = 2.0**60
# Where weights are many, their sums are not looked at: this leaves room for weights up to 1e31.
SAFE_MASS = 2.0**16
# Up to here a product and the reference are subtracted by one FMA.  The greatest exponent, which
# gave the reference, was rounded: what its rounding took away is at most 1/2 here, but from 2 ** 31
# on it would overflow the power or empty it.
FUSED_REFERENCE = 2.0**23
FINITE = {"float32": 3e38, "float64": 1e308}


@dataclass(frozen=True)
class _Lane:
    """One exponent of one vector of rows: it has a reference of its own."""

    vector: int
    exponent: Scalar


class ShiftedExp:
    """Sums of 2 ** (exponent - reference) * weight, the reference fixed while sums stay small.

    A tile that passes `SAFE_SUM` is done once more with its own greatest exponent as the
    reference. References are whole numbers, so that scaling a total by their difference is exact.

    Carried are the references, the greatest exponents where they are asked for, the totals, and
    whether this is the first tile. Sums of many weights are in memory; there is one exponent then.
    """

    def __init__(
        self, frame: Frame, layout: Layout, accumulator: ir.ShiftedExp, vectors: int
    ) -> None:
        self.frame = frame
        self.accumulator = accumulator
        self.vectors = vectors
        self.lanes = [_Lane(r, x) for r in range(vectors) for x in accumulator.exponents]
        few, wide = split_roots(accumulator.weights, 1)
        # What the powers themselves sum to is always there to be looked at.
        self.weights = few or {-1: ir.const(1.0)}
        self.safe = SAFE_MASS if wide else SAFE_SUM
        self.tops = len(self.lanes) if accumulator.exact else 0
        self.totals = Totals(frame.b, len(self.lanes) * len(self.weights))
        self.power = Scalar(ir.PAIR)
        times = {n: Each(w.rate, ir.mul(self.power, w.body), w.count) for n, w in wide.items()}
        kept = [self.power, *layout.kept]
        self.wide = Wide(frame, layout, times, kept, vectors) if wide else None

    def start(self, rows: Sequence[Known]) -> list[tuple[str, str]]:
        b = self.frame.b
        if self.wide:
            self.wide.start()
        references = [(b.type, b.const(-FINITE[b.dtype]))] * len(self.lanes)
        greatest = [(b.type, b.const(float("-inf")))] * self.tops
        return [*references, *greatest, *self.totals.start(), ("i1", "true")]

    def tile(self, rows: Sequence[Known], tile: Tile, carried: Sequence[str]) -> list[str]:
        b, n = self.frame.b, len(self.lanes)
        *held, first = carried
        references, greatest, sums = held[:n], held[n : n + self.tops], held[n + self.tops :]
        kept, added, top = self._attempts(rows, tile, [*references, *sums], first)
        if self.wide:
            self.wide.add_tile(rows, tile)
        better = [b.max(x, y) for x, y in zip(top, greatest, strict=True)]
        return [*kept[:n], *better, *self.totals.add(kept[n:], added), "false"]

    def merge(self, held: Sequence[str], other: Sequence[str], workspace: str) -> list[str]:
        b, n, count = self.frame.b, len(self.lanes), len(self.weights)
        references, factors = [], []
        for mine, theirs in zip(held[:n], other[:n], strict=True):
            references.append(b.max(mine, theirs))
            factors.append(tuple(_exp2(b, b.sub(x, references[-1])) for x in (mine, theirs)))
        tops = slice(n, n + self.tops)
        greatest = [b.max(x, y) for x, y in zip(held[tops], other[tops], strict=True)]
        sums = [
            self.totals.scale(
                run[n + self.tops : -1], [f[k] for f in factors for _ in range(count)]
            )
            for k, run in enumerate((held, other))
        ]
        if self.wide:
            self.wide.merge(workspace, factors)
        return [*references, *greatest, *self.totals.merge(*sums), "false"]

    def across(self, carried: Sequence[str]) -> list[str]:
        b, n, count = self.frame.b, len(self.lanes), len(self.weights)

        def greatest(name: str) -> str:
            return b.splat(b.fold(name, Builder.max))

        references = [greatest(name) for name in carried[:n]]
        factors = [
            _exp2(b, b.sub(name, top)) for name, top in zip(carried, references, strict=False)
        ]
        tops = [greatest(name) for name in carried[n : n + self.tops]]
        sums = self.totals.scale(
            carried[n + self.tops : -1], [f for f in factors for _ in range(count)]
        )
        return [*references, *tops, *self.totals.across(sums), "false"]

    def finish(self, rows: Sequence[Known], carried: Sequence[str]) -> list[Reduced]:
        b, n, count = self.frame.b, len(self.lanes), len(self.weights)
        *held, _ = carried
        references, greatest = list(held[:n]), list(held[n : n + self.tops])
        sums = self.totals.finish(held[n + self.tops :])
        if self.accumulator.exact:
            factors = [_exp2(b, b.sub(x, top)) for x, top in zip(references, greatest, strict=True)]
            sums = [b.mul(x, factors[k // count]) for k, x in enumerate(sums)]
            if self.wide:
                self.wide.scale(factors)
            references = greatest
        each = len(self.accumulator.exponents)
        if self.wide:
            results = [reduced(self.weights, self.wide, sums, r, n) for r in range(n)]
            for r, result in enumerate(results):
                result.states[0] = references[r]
            return results
        states = []
        for lane in range(n):
            states += [references[lane], *sums[lane * count : (lane + 1) * count]]
        size = each * (1 + count)
        return [
            Reduced(dict(enumerate(states[r * size : (r + 1) * size]))) for r in range(self.vectors)
        ]

    def _attempts(
        self, rows: Sequence[Known], tile: Tile, carried: Sequence[str], first: str
    ) -> tuple[list[str], list[str], list[str]]:
        """(references and totals, sums of this tile, greatest exponents of this tile if exact).

        Control goes from `attempt` to `done`, by `raise` first where there is no reference yet,
        and once back by `raise` where the sums grew too large.
        """
        b, n, count = self.frame.b, len(self.lanes), len(self.weights)
        types = [b.type] * n + [type for type, _ in self.totals.start()]
        raise_, attempt, done = b.label("raise"), b.label("attempt"), b.label("done")
        before = b.block
        b.branch(first, raise_, attempt)

        b.place(raise_)
        low = [b.fresh("low") for _ in types]
        low_phis = len(b.body.lines)
        b.body.lines += [""] * len(types)
        tops = self._greatest(rows, tile, low[:n])
        raised, factors = [], []
        finite, lowest = b.const(FINITE[b.dtype]), b.const(-FINITE[b.dtype])
        for top, old in zip(tops, low[:n], strict=True):
            new = b.max(b.min(b.rint(top), finite), lowest)
            raised.append(new)
            factors.append(_exp2(b, b.sub(old, new)))
        if self.wide:
            self.wide.scale(factors)
        raised += self.totals.scale(low[n:], [f for f in factors for _ in range(count)])
        after_raise = b.block
        b.jump(attempt)

        b.place(attempt)
        kept = [
            b.phi(type, (value, before), (new, after_raise))
            for type, value, new in zip(types, carried, raised, strict=True)
        ]
        redone = b.phi("i1", ("false", before), ("true", after_raise))
        sums, greatest = self._sums(rows, tile, kept[:n])
        over = "false"
        for value in sums:
            large = b.any(b.compare("ogt", b.abs(value), b.const(self.safe)))
            over = b.let(f"or i1 {over}, {large}")
        again = b.let(f"and i1 {over}, {b.let(f'xor i1 {redone}, true')}")
        end_of_attempt = b.block
        b.branch(again, raise_, done, rare=True)
        for k, (name, type) in enumerate(zip(low, types, strict=True)):
            b.body.lines[low_phis + k] = (
                f"  {name} = phi {type} "
                f"[ {carried[k]}, %{before} ], [ {kept[k]}, %{end_of_attempt} ]"
            )
        b.place(done)
        return kept, sums, greatest

    def _sums(
        self, rows: Sequence[Known], tile: Tile, references: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """(sums of this tile, greatest exponents of this tile if exact)."""
        b = self.frame.b
        products = any(_is_product(exponent) for exponent in self.accumulator.exponents)
        if self.tops or self.wide or not products or not b.machine.fma:
            return self._loop(rows, tile, references, fused=False)
        large = "false"
        for reference in references:
            beyond = b.any(b.compare("ogt", b.abs(reference), b.const(FUSED_REFERENCE)))
            large = b.let(f"or i1 {large}, {beyond}")
        zeros = [(b.type, b.const(0.0))] * self.totals.count
        with b.when(b.let(f"xor i1 {large}, true"), zeros) as usual:
            usual.next, _ = self._loop(rows, tile, references, fused=True)
        held = [(b.type, value) for value in usual.values]
        with b.when(large, held, rare=True) as unusual:
            unusual.next, _ = self._loop(rows, tile, references, fused=False)
        return unusual.values, []

    def _loop(
        self, rows: Sequence[Known], tile: Tile, references: Sequence[str], fused: bool
    ) -> tuple[list[str], list[str]]:
        b, n, wide = self.frame.b, len(self.lanes), self.wide
        weights = list(self.weights.values())
        cells = n * len(weights)

        def step(pairs: Sequence[Known], j: str, held: list[str]) -> list[str]:
            new = list(held)
            for lane, known in self._at_pairs(pairs):
                exponent = self.lanes[lane].exponent
                if fused and isinstance(exponent, Apply) and _is_product(exponent):
                    factors = evaluate(b, exponent.operands, known)
                    value = b.fma(*factors, b.neg(references[lane]))
                    power = _exp2(b, at_pairs(b, value, -math.inf, known))
                else:
                    value = self._exponent(lane, known)
                    power = _exp2(b, b.sub(value, references[lane]))
                    if self.tops:
                        new[cells + lane] = b.max(value, held[cells + lane])
                if wide:
                    known[self.power] = power
                    vector = self.lanes[lane].vector
                    wide.keep(tile.start, j, vector, evaluate(b, wide.kept, known))
                for k, weight in enumerate(weights):
                    cell = lane * len(weights) + k
                    if isinstance(weight, Const) and weight.value == 1.0:
                        new[cell] = b.add(held[cell], power)
                    else:
                        (factor,) = evaluate(b, [weight], known)
                        factor = at_pairs(b, factor, 0.0, known)
                        new[cell] = b.fma(power, factor, held[cell])
            return new

        carry = [(b.type, b.const(0.0))] * cells + [(b.type, b.const(float("-inf")))] * self.tops
        roots = [*self.accumulator.exponents, *weights]
        if wide:
            roots += wide.kept[1:]
        found = over_columns(self.frame, roots, rows, tile, carry, step)
        return found[:cells], found[cells:]

    def _greatest(self, rows: Sequence[Known], tile: Tile, least: Sequence[str]) -> list[str]:
        """The greatest exponent of a tile for each lane, and at least `least`."""
        b = self.frame.b

        def step(pairs: Sequence[Known], j: str, held: list[str]) -> list[str]:
            new = list(held)
            for lane, known in self._at_pairs(pairs):
                new[lane] = b.max(self._exponent(lane, known), held[lane])
            return new

        carry = [(b.type, x) for x in least]
        return over_columns(self.frame, self.accumulator.exponents, rows, tile, carry, step)

    def _exponent(self, lane: int, known: Known) -> str:
        (value,) = evaluate(self.frame.b, [self.lanes[lane].exponent], known)
        return at_pairs(self.frame.b, value, -math.inf, known)

    def _at_pairs(self, pairs: Sequence[Known]) -> Iterator[tuple[int, Known]]:
        """Each lane with what its pair knows: lanes of one vector of rows share it."""
        for number, lane in enumerate(self.lanes):
            yield number, pairs[lane.vector]


def _is_product(exponent: Scalar) -> bool:
    return isinstance(exponent, Apply) and exponent.instr.name == "mul"


_exp2 = SPELLING["exp2"]
