"""Sums of exponentials against a reference that is only moved when it must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .... import ir
from ....ir import Const, Scalar
from ..frame import Frame, Known, evaluate, merged
from ..math import SPELLING
from .totals import Totals
from .walk import Reduced, Tile, at_pair, tiles

# A reference holds until a sum passes this: far from the overflow of float32 even after a tile
# of 256 such terms, and far above what a reference within a few units gives.
SAFE_SUM = 2.0**60
FINITE = {"float32": 3e38, "float64": 1e308}


@dataclass(frozen=True)
class _Lane:
    """One exponent of one vector of rows: it has a reference of its own."""

    row: Known
    exponent: Scalar


def shifted_exp(frame: Frame, rows: Sequence[Known], accumulator: ir.ShiftedExp) -> list[Reduced]:
    """Sums of 2 ** (exponent - reference) * weight, the reference fixed while sums stay small.

    A tile that passes `SAFE_SUM` is done once more with its own greatest exponent as the
    reference. References are whole numbers, so that scaling a total by their difference is exact.
    """
    b, count = frame.b, len(accumulator.weights)
    lanes = [_Lane(row, exponent) for row in rows for exponent in accumulator.exponents]
    n = len(lanes)
    totals = Totals(b, n * count)
    lowest = b.const(-FINITE[b.dtype])
    # The references, the greatest exponents where they are asked for, the totals, a first turn.
    tops = n if accumulator.exact else 0
    minus_infinity = b.const(float("-inf"))
    carry = [(b.type, lowest)] * n + [(b.type, minus_infinity)] * tops + totals.start()
    with tiles(frame, [*carry, ("i1", "true")], frame.program.schedule.tile) as tile:
        *held, first = tile.arm.values
        references, greatest, sums = held[:n], held[n : n + tops], held[n + tops :]
        kept, added, top = _tile(
            frame, lanes, accumulator, totals, tile, [*references, *sums], first
        )
        better = [b.max(x, y) for x, y in zip(top, greatest, strict=True)]
        tile.arm.next = [*kept[:n], *better, *totals.add(kept[n:], added), "false"]
    *held, _ = tile.arm.values
    references, greatest = held[:n], held[n : n + tops]
    sums = totals.finish(held[n + tops :])
    if accumulator.exact:
        sums = [
            b.mul(x, _exp2(b, b.sub(references[k // count], greatest[k // count])))
            for k, x in enumerate(sums)
        ]
        references = greatest
    each = len(accumulator.exponents)
    result = []
    for r in range(len(rows)):
        states = []
        for lane in range(r * each, (r + 1) * each):
            states += [references[lane], *sums[lane * count : (lane + 1) * count]]
        result.append(Reduced(states, [], []))
    return result


def _tile(
    frame: Frame,
    lanes: Sequence[_Lane],
    accumulator: ir.ShiftedExp,
    totals: Totals,
    tile: Tile,
    carried: Sequence[str],
    first: str,
) -> tuple[list[str], list[str], list[str]]:
    """(references and totals, sums of this tile, greatest exponents of this tile if exact).

    Control goes from `attempt` to `done`, by `raise` first where there is no reference yet, and
    once back by `raise` where the sums grew too large.
    """
    b, n, count = frame.b, len(lanes), len(accumulator.weights)
    types = [b.type] * n + [type for type, _ in totals.start()]
    raise_, attempt, done = b.label("raise"), b.label("attempt"), b.label("done")
    before = b.block
    b.branch(first, raise_, attempt)

    b.place(raise_)
    low = [b.fresh("low") for _ in types]
    low_phis = len(b.body.lines)
    b.body.lines += [""] * len(types)
    tops = _greatest(frame, lanes, tile, low[:n])
    raised, factors = [], []
    finite, lowest = b.const(FINITE[b.dtype]), b.const(-FINITE[b.dtype])
    for top, old in zip(tops, low[:n], strict=True):
        new = b.max(b.min(b.rint(top), finite), lowest)
        raised.append(new)
        factors += [_exp2(b, b.sub(old, new))] * count
    raised += totals.scale(low[n:], factors)
    after_raise = b.block
    b.jump(attempt)

    b.place(attempt)
    kept = [
        b.phi(type, (value, before), (new, after_raise))
        for type, value, new in zip(types, carried, raised, strict=True)
    ]
    redone = b.phi("i1", ("false", before), ("true", after_raise))
    sums, greatest = _sums(frame, lanes, accumulator, tile, kept[:n])
    over = "false"
    for value in sums:
        large = b.any(b.compare("ogt", b.abs(value), b.const(SAFE_SUM)))
        over = b.let(f"or i1 {over}, {large}")
    again = b.let(f"and i1 {over}, {b.let(f'xor i1 {redone}, true')}")
    end_of_attempt = b.block
    b.branch(again, raise_, done, rare=True)
    for k, (name, type) in enumerate(zip(low, types, strict=True)):
        b.body.lines[low_phis + k] = (
            f"  {name} = phi {type} [ {carried[k]}, %{before} ], [ {kept[k]}, %{end_of_attempt} ]"
        )
    b.place(done)
    return kept, sums, greatest


def _sums(
    frame: Frame,
    lanes: Sequence[_Lane],
    accumulator: ir.ShiftedExp,
    tile: Tile,
    references: Sequence[str],
) -> tuple[list[str], list[str]]:
    b, n, count = frame.b, len(lanes), len(accumulator.weights)
    cells = n * count
    carry = [(b.type, b.const(0.0))] * cells
    if accumulator.exact:
        carry += [(b.type, b.const(float("-inf")))] * n
    with b.loop(tile.start, tile.end, carry=carry, nonempty=True) as pairs:
        column = at_pair(frame, ir.roots(accumulator), pairs.index)
        for lane, known in _at_rows(column, lanes):
            # Not an fma, though it would be one: the greatest exponent is rounded, and from
            # 2 ** 31 on, what the rounding took away would overflow the power or empty it.
            (value,) = evaluate(b, [lanes[lane].exponent], known)
            power = _exp2(b, b.sub(value, references[lane]))
            if accumulator.exact:
                pairs.next[cells + lane] = b.max(value, pairs.values[cells + lane])
            for k, weight in enumerate(accumulator.weights):
                cell = lane * count + k
                if isinstance(weight, Const) and weight.value == 1.0:
                    pairs.next[cell] = b.add(pairs.values[cell], power)
                else:
                    (factor,) = evaluate(b, [weight], known)
                    pairs.next[cell] = b.fma(power, factor, pairs.values[cell])
    return pairs.values[:cells], pairs.values[cells:]


def _greatest(frame: Frame, lanes: Sequence[_Lane], tile: Tile, least: Sequence[str]) -> list[str]:
    """The greatest exponent of a tile for each lane, and at least `least`."""
    b = frame.b
    carry = [(b.type, x) for x in least]
    with b.loop(tile.start, tile.end, carry=carry, nonempty=True) as pairs:
        column = at_pair(frame, [lane.exponent for lane in lanes], pairs.index)
        for lane, known in _at_rows(column, lanes):
            (value,) = evaluate(b, [lanes[lane].exponent], known)
            pairs.next[lane] = b.max(value, pairs.values[lane])
    return pairs.values


def _at_rows(column: Known, lanes: Sequence[_Lane]) -> Iterator[tuple[int, Known]]:
    """Each lane with what its pair knows: lanes of one vector of rows share it."""
    row, known = None, {}
    for number, lane in enumerate(lanes):
        if lane.row is not row:
            row, known = lane.row, merged(column, lane.row)
        yield number, known


_exp2 = SPELLING["exp2"]
