"""The loop over columns, one way for each accumulator: sums, shifted exponentials, extrema.

Each takes the rows of a block, one vector of them after the other, and gives for each vector
the names of the accumulator's states, and of its indices where there are any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ... import ir
from ...ir import Apply, Const, Scalar
from .builder import Builder
from .frame import Frame, Known, evaluate, leaves_at, merged
from .math import SPELLING
from .totals import Totals

# An optimistic reference holds until a sum passes this: far from the overflow of float32 even
# after a tile of 256 such terms, and far above what a reference within a few units gives.
SAFE_SUM = 2.0**60
FINITE = {"float32": 3e38, "float64": 1e308}


@dataclass(frozen=True)
class Reduced:
    """What the loop over columns leaves for one vector of rows."""

    states: list[str]
    indices: list[str]


def accumulate(frame: Frame, rows: Sequence[Known], with_index: bool) -> list[Reduced]:
    """Emits the loops over all columns for row vectors whose row values are `rows`.

    The states of `Extremum` come with indices, i64s, if `with_index`.
    """
    match frame.program.accumulator:
        case ir.Total(values):
            return _total(frame, rows, values)
        case ir.ShiftedExp(exponent, weights):
            return _shifted_exp(frame, rows, exponent, weights)
        case ir.Extremum(values, sense):
            return _extremum(frame, rows, values, sense, with_index)


def _tile_end(frame: Frame, start: str) -> str:
    b = frame.b
    end = b.op("add", start, str(frame.program.schedule.tile), "i64")
    inside = b.let(f"icmp slt i64 {end}, {frame.N}")
    return b.let(f"select i1 {inside}, i64 {end}, i64 {frame.N}")


def _at_pair(frame: Frame, roots: Sequence[Scalar], j: str) -> Known:
    return merged(frame.parameters, frame.at_columns(leaves_at(ir.COLUMN, roots), j))


def _add_term(b: Builder, total: str, term: Scalar, known: Known) -> str:
    """total + term, in one instruction if the term is a product."""
    if isinstance(term, Apply) and term.instr.name == "mul" and term not in known:
        return b.fma(*evaluate(b, term.operands, known), total)
    return b.add(total, *evaluate(b, [term], known))


def _total(frame: Frame, rows: Sequence[Known], values: Sequence[Scalar]) -> list[Reduced]:
    b, count = frame.b, len(values)
    totals = Totals(b, len(rows) * count)
    tile = str(frame.program.schedule.tile)
    with b.loop("0", frame.N, tile, carry=totals.start(), nonempty=True) as tiles:
        zeros = [(b.type, b.const(0.0))] * totals.count
        end = _tile_end(frame, tiles.index)
        with b.loop(tiles.index, end, carry=zeros, nonempty=True) as pairs:
            column = _at_pair(frame, values, pairs.index)
            for r, row in enumerate(rows):
                known = merged(column, row)
                for k, value in enumerate(values):
                    cell = r * count + k
                    pairs.next[cell] = _add_term(b, pairs.values[cell], value, known)
        tiles.next = totals.add(tiles.values, pairs.values)
    sums = totals.finish(tiles.values)
    return [Reduced(sums[r * count : (r + 1) * count], []) for r in range(len(rows))]


def _shifted_exp(
    frame: Frame, rows: Sequence[Known], exponent: Scalar, weights: Sequence[Scalar]
) -> list[Reduced]:
    """Sums of 2 ** (exponent - reference), the reference fixed while sums stay small.

    A tile that passes `SAFE_SUM` is done once more with its own greatest exponent as the
    reference. References are whole numbers, so that scaling a total by their difference is exact.
    """
    b, count = frame.b, len(weights)
    totals = Totals(b, len(rows) * count)
    lowest = b.const(-FINITE[b.dtype])
    references = [(b.type, lowest)] * len(rows)
    tile = str(frame.program.schedule.tile)
    with b.loop("0", frame.N, tile, carry=[*references, *totals.start()], nonempty=True) as tiles:
        end = _tile_end(frame, tiles.index)
        raise_, attempt, done = b.label("raise"), b.label("attempt"), b.label("done")
        types = [type for type, _ in [*references, *totals.start()]]
        before = b.block
        b.branch(b.let(f"icmp eq i64 {tiles.index}, 0"), raise_, attempt)

        b.place(raise_)
        low = [b.fresh("low") for _ in types]
        low_phis = len(b.body.lines)
        b.body.lines += [""] * len(types)
        tops = _greatest(frame, rows, exponent, tiles.index, end, low[: len(rows)])
        factors, raised = [], []
        for top, old in zip(tops, low, strict=False):
            new = b.max(b.min(b.rint(top), b.const(FINITE[b.dtype])), lowest)
            raised.append(new)
            factors += [SPELLING["exp2"](b, b.sub(old, new))] * count
        raised += totals.scale(low[len(rows) :], factors)
        after_raise = b.block
        b.jump(attempt)

        b.place(attempt)
        held = [
            b.phi(type, (value, before), (new, after_raise))
            for type, value, new in zip(types, tiles.values, raised, strict=True)
        ]
        redone = b.phi("i1", ("false", before), ("true", after_raise))
        zeros = [(b.type, b.const(0.0))] * totals.count
        with b.loop(tiles.index, end, carry=zeros, nonempty=True) as pairs:
            column = _at_pair(frame, (exponent, *weights), pairs.index)
            for r, row in enumerate(rows):
                known = merged(column, row)
                # Not an fma, though it would be one: the greatest exponent is rounded, and from
                # 2 ** 31 on, what the rounding took away would overflow the power or empty it.
                (value,) = evaluate(b, [exponent], known)
                power = SPELLING["exp2"](b, b.sub(value, held[r]))
                for k, weight in enumerate(weights):
                    cell = r * count + k
                    if isinstance(weight, Const) and weight.value == 1.0:
                        pairs.next[cell] = b.add(pairs.values[cell], power)
                    else:
                        (factor,) = evaluate(b, [weight], known)
                        pairs.next[cell] = b.fma(power, factor, pairs.values[cell])
        over = "false"
        for total in pairs.values:
            large = b.any(b.compare("ogt", b.abs(total), b.const(SAFE_SUM)))
            over = b.let(f"or i1 {over}, {large}")
        again = b.let(f"and i1 {over}, {b.let(f'xor i1 {redone}, true')}")
        end_of_attempt = b.block
        b.branch(again, raise_, done, rare=True)
        for k, (name, type) in enumerate(zip(low, types, strict=True)):
            b.body.lines[low_phis + k] = (
                f"  {name} = phi {type} [ {tiles.values[k]}, %{before} ], "
                f"[ {held[k]}, %{end_of_attempt} ]"
            )
        b.place(done)
        tiles.next = held[: len(rows)] + totals.add(held[len(rows) :], pairs.values)
    sums = totals.finish(tiles.values[len(rows) :])
    return [
        Reduced([tiles.values[r], *sums[r * count : (r + 1) * count]], [])
        for r in range(len(rows))
    ]


def _greatest(
    frame: Frame, rows: Sequence[Known], exponent: Scalar, start: str, end: str, least: list[str]
) -> list[str]:
    """The greatest exponent of a tile for each row vector, and at least `least`."""
    b = frame.b
    with b.loop(start, end, carry=[(b.type, x) for x in least], nonempty=True) as pairs:
        column = _at_pair(frame, [exponent], pairs.index)
        for r, row in enumerate(rows):
            (value,) = evaluate(b, [exponent], merged(column, row))
            pairs.next[r] = b.max(value, pairs.values[r])
    return pairs.values


def _extremum(
    frame: Frame, rows: Sequence[Known], values: Sequence[Scalar], sense: str, with_index: bool
) -> list[Reduced]:
    """The best value in the loop over pairs, and of the index only the tile that has it.

    Blending an index at each pair costs a third of the speed; finding it in one tile at the end
    costs one tile. The tile is computed by the same instructions, so the value is found again.
    """
    b, count = frame.b, len(values)
    better = b.min if sense == "min" else b.max
    start = b.const(math.inf if sense == "min" else -math.inf)
    cells = len(rows) * count
    tile = frame.program.schedule.tile
    carry = [(b.type, start)] * cells
    if with_index:
        carry += [(b.int_type, b.int_const(0))] * cells
    with b.loop("0", frame.N, str(tile), carry=carry, nonempty=True) as tiles:
        end = _tile_end(frame, tiles.index)
        starts = [(b.type, start)] * cells
        with b.loop(tiles.index, end, carry=starts, nonempty=True) as pairs:
            column = _at_pair(frame, values, pairs.index)
            for r, row in enumerate(rows):
                known = merged(column, row)
                for k, value in enumerate(evaluate(b, values, known)):
                    cell = r * count + k
                    pairs.next[cell] = better(value, pairs.values[cell])
        number = ""
        if with_index:
            number = b.op("sdiv", tiles.index, str(tile), "i64")
            if b.int_element != "i64":
                number = b.convert("trunc", number, "i64", b.int_element)
            number = b.splat(number, b.int_element)
        for cell in range(cells):
            best = pairs.values[cell]
            wins = b.compare("olt" if sense == "min" else "ogt", best, tiles.values[cell])
            tiles.next[cell] = b.select(wins, best, tiles.values[cell])
            if with_index:
                held = tiles.values[cells + cell]
                tiles.next[cells + cell] = b.select(wins, number, held, b.int_type)
    result = []
    for r, row in enumerate(rows):
        span = range(r * count, (r + 1) * count)
        best = [tiles.values[cell] for cell in span]
        indices = [
            _find(frame, row, value, best[k], start, tiles.values[cells + r * count + k])
            for k, value in enumerate(values)
            if with_index
        ]
        result.append(Reduced(best, indices))
    return result


def _find(frame: Frame, row: Known, value: Scalar, best: str, start: str, tile: str) -> str:
    """The first column of each lane's tile whose value is `best`; 0 if that is the start."""
    b = frame.b
    wide = f"<{b.width} x i64>"
    size = frame.program.schedule.tile
    if b.int_element != "i64":
        tile = b.convert("sext", tile, b.int_type, wide)
    first = b.let(f"mul {wide} {tile}, splat (i64 {size})")
    last = b.splat(b.op("sub", frame.N, "1", "i64"), "i64")
    leaves = leaves_at(ir.COLUMN, [value])
    everywhere = "splat (i1 true)"
    carry = [(wide, "zeroinitializer"), (b.mask, b.compare("oeq", best, start))]
    with b.loop("0", str(size), carry=carry, nonempty=True) as turns:
        index, found = turns.values
        j = b.let(f"add {wide} {first}, {b.splat(turns.index, 'i64')}")
        inside = b.compare_int("slt", j, last, wide)
        read = b.let(f"select {b.mask} {inside}, {wide} {j}, {wide} {last}")
        known = merged(frame.parameters, frame.at_lanes(leaves, read, everywhere), row)
        (again,) = evaluate(b, [value], known)
        hit = b.both(b.compare("oeq", again, best), b.opposite(found))
        turns.next = [
            b.select(hit, j, index, wide),
            b.either(found, hit),
        ]
    return turns.values[0]
