"""Chooses how the loops of a program are cut, from what it does at each pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from .. import ir
from ..dtypes import FLOATS
from ..ir.machine import LONG_SUM, Machine

# What one vector instruction of each kind costs, in units of an fma (Zen 4, 512 bits; the
# transcendental ones are the lengths of their polynomials).
COSTS = {
    "div": 6.0,
    "sqrt": 10.0,
    "rsqrt": 16.0,
    "floor": 1.0,
    "round": 5.0,
    "exp": 10.0,
    "exp2": 8.0,
    "log": 22.0,
    "sin": 20.0,
    "cos": 20.0,
    "asin": 18.0,
    "acos": 18.0,
    "atan": 22.0,
    "atan2": 30.0,
    "pow": 80.0,
    "tanh": 24.0,
}

SUM_TILE = 64  # columns: few enough for the digits of float32, many enough to hide the total
# Not computed by turns: rare ways of sin and cos are jumps, and pow fills the registers by itself.
ALONE = {"sin", "cos", "pow"}
SHORT_BLOCK = 2  # columns that are computed by turns, where a pair has no loop
LONGEST_BLOCK = 1000  # operations at a pair: beyond, columns by turns take seconds to compile
LONG = 200  # operations at a pair: from there on, a second way to compute them takes too long
MASKED = 150  # operations at a pair: from there on, masks cost less than code for one column
SHORTEST_PANEL = 512  # columns: a multiple of every tile, and what a row does first is little
PANEL_BYTES = 2**19
ROW_LOAD_NS = 1.0  # for a number of a row, with what follows from it
LIST_ENTRY_NS = 150.0  # lists that start anew take in many that end in none, and are merged
FILTERED = 8  # columns that one test against the worst of the lists serves
# What an entry of a list costs that is taken in and pushed out again, in vector instructions; and
# lists longer than this sort a sample too slowly.
INSERTION, MOST_SAMPLED = 64.0, 20
WIDE_TILE = 128  # columns: what is kept of them, and their numbers, fit in the first cache
# Rows and columns from which on records pay, and columns for each entry of a list.
RECORD_ROWS, RECORD_COLUMNS, LISTED_COLUMNS = 128, 1024, 64
# Columns of a chunk, of a chunk that keeps the integers of each of them, and of a group.
CHUNK, LONG_CHUNK, GROUP = 4096, 512, 8
GROUPED = 24  # coordinates: of more, finding the integers of a group again takes too long
TILES = {
    ir.Extremum: 16,  # columns: as few as a rescan should cost, as many as hide the bookkeeping
}


def choose_schedule(
    accumulator: ir.Accumulator,
    dtype: str,
    machine: Machine,
    distance: ir.Distance | None = None,
) -> ir.Schedule:
    """Row vectors enough that chains of dependent operations do not starve the machine.

    One row vector is best where a pair costs six operations or more: two columns of it at a time
    let the machine find enough to do. Cheaper pairs need more; wide results leave no registers.
    """
    roots = ir.roots(accumulator)
    folds = [s for s in usual(roots) if isinstance(s, ir.Fold) and s.rate == ir.PAIR]
    tile = TILES.get(type(accumulator), SUM_TILE)
    if distance and folds and isinstance(accumulator, ir.Extremum):
        tile //= 2  # computing one without need takes long
    wide = [root for root in roots if isinstance(root, ir.Each)]
    cost = pair_cost(accumulator)
    chunk, group = _chunk(accumulator, tile, distance.count) if distance else (0, 0)
    if folds or wide:
        cut = _blocks(folds, wide, tile, machine)
        sample = _sample(accumulator, cost, machine.lanes(dtype))
        return replace(cut, sample=sample, chunk=chunk, group=group)
    # A vector of rows takes as long with one row as with all.
    few = machine.lanes(dtype) // 2 if cost < LONG else 0
    if isinstance(accumulator, ir.Lowest):
        columns = max(1, FILTERED // len(roots))
        sample = _sample(accumulator, cost, machine.lanes(dtype))
        cut = ir.Schedule(1, tile, columns, few_rows=few, sample=sample)
        return replace(cut, chunk=chunk, group=group)
    states = len(roots)
    if isinstance(accumulator, ir.ShiftedExp):
        states = len(accumulator.exponents) * (1 + len(accumulator.weights))
    vectors = 1 if cost >= 6 or distance else 2 if cost >= 4 else 4
    while vectors > 1 and vectors * (states + 1) > machine.registers // 3:
        vectors //= 2
    names = {s.instr.name for s in usual(roots) if isinstance(s, ir.Apply) and s.rate == ir.PAIR}
    columns = SHORT_BLOCK if cost < LONGEST_BLOCK and not names & ALONE else 1
    masked = columns > 1 and cost >= MASKED
    cut = ir.Schedule(vectors, tile, columns, few_rows=few, masked=masked)
    return replace(cut, chunk=chunk, group=group)


def _chunk(accumulator: ir.Accumulator, tile: int, count: int) -> tuple[int, int]:
    """Columns of a chunk, of which the integers that are kept fit in the first cache; of a group.

    The longer a chunk, the fewer columns are computed that later ones beat. Of groups that pass,
    the integers are found again.
    """
    if isinstance(accumulator, ir.Extremum):
        return CHUNK, tile
    return (CHUNK, GROUP) if count <= GROUPED else (LONG_CHUNK, 1)


def _sample(accumulator: ir.Accumulator, cost: float, lanes: int) -> int:
    """Columns of which the first bounds of lists are best made: a power of two.

    Lists of K that start with a bound from n columns take in K log(N / n) later ones in each lane,
    and the n columns are computed once more, and sorted by twice K operations for 8 of them.
    """
    if not isinstance(accumulator, ir.Lowest) or accumulator.count > MOST_SAMPLED:
        return 0
    best = INSERTION * accumulator.count * lanes / (cost + accumulator.count / 4)
    return 2 ** max(7, min(12, round(math.log2(best))))


def usual(roots: Sequence[ir.Scalar]) -> list[ir.Scalar]:
    """All that is computed at pairs where no guard goes the exact way."""
    found: dict[ir.Scalar, None] = {}
    stack = list(roots)
    while stack:
        scalar = stack.pop()
        if scalar not in found:
            found[scalar] = None
            guard = isinstance(scalar, ir.Guard)
            stack.extend((scalar.fast, scalar.bound) if guard else scalar.inside)
    return list(found)


def _blocks(
    folds: Sequence[ir.Fold], wide: Sequence[ir.Each], tile: int, machine: Machine
) -> ir.Schedule:
    """One vector of rows, and as many sums beside each other as hide how long an fma takes.

    More vectors of rows would load each column less often; measured, they gain nothing, and cost
    registers. Short sums need fewer: what follows them fills the time.
    """
    columns, components = 1, 1
    if folds:
        count = folds[0].count
        sums = 8 if count >= LONG_SUM else 4
        columns = max(1, sums // machine.ways(count) // len(folds))
    if wide:
        tile = WIDE_TILE
        held = [s for s in ir.topological(wide) if s.rate in (ir.ROW | ir.COMPONENT, ir.COMPONENT)]
        components = max(1, machine.registers // 2 // (1 + len(held)))
    return ir.Schedule(1, max(tile - tile % columns, columns), columns, components)


def pair_cost(accumulator: ir.Accumulator) -> float:
    """Vector instructions for one vector of pairs, in units of an fma."""
    roots = ir.roots(accumulator)
    counts = ir.loop_counts(roots)
    cost = sum(
        COSTS.get(scalar.instr.name, 1.0) * counts.get(scalar, 1)
        for scalar in usual(roots)
        if isinstance(scalar, ir.Apply) and scalar.rate & ir.PAIR == ir.PAIR
    )
    cost += sum(map(ir.width, roots))
    if isinstance(accumulator, ir.ShiftedExp):
        cost += COSTS["exp2"] * len(accumulator.exponents)
    return cost


def panel_columns(
    inputs: Sequence[ir.Input],
    columns: Sequence[ir.Scalar],
    distance: ir.Distance | None,
    stored: str,
    computing: str,
) -> int:
    """So many columns that half of a cache of 1 MiB holds them, but enough to be worth it."""
    if distance is not None:
        size = distance.record_bytes  # of the numbers themselves, few are needed
    else:
        numbers = sum(given.dim for given in inputs if given.axis == "j")
        size = numbers * FLOATS[stored].bytes
        size += sum(map(ir.width, columns)) * FLOATS[computing].bytes
    return max(SHORTEST_PANEL, PANEL_BYTES // max(size, 1) // SHORTEST_PANEL * SHORTEST_PANEL)


def least_for_records(program: ir.Program) -> tuple[int, int]:
    """(rows, columns): of fewer, filling the records of columns takes longer than they save."""
    if program.distance is None or program.columns:
        return 0, 0
    if isinstance(program.accumulator, ir.Lowest):
        # The first entries of each list are taken in anyway.
        return RECORD_ROWS, LISTED_COLUMNS * program.accumulator.count
    return RECORD_ROWS, RECORD_COLUMNS


def nanoseconds_per_part(program: ir.Program, machine: Machine) -> float:
    """About what a call for some columns costs beside its pairs: its rows, and its lists."""
    lanes = machine.lanes(program.dtype)
    rows = sum(given.dim for given in program.inputs if given.axis == "i") * lanes
    accumulator = program.accumulator
    entries = 0
    if isinstance(accumulator, ir.Lowest):
        entries = accumulator.count * len(accumulator.values) * lanes
    return ROW_LOAD_NS * rows + LIST_ENTRY_NS * entries


def nanoseconds_per_pair(program: ir.Program, machine: Machine) -> float:
    """About how long one pair takes on one core: what the launcher cuts work by."""
    lanes = machine.vector_bytes // FLOATS[program.dtype].bytes
    cost = pair_cost(program.accumulator)
    if program.distance is not None:
        cost = min(cost, 2 + program.distance.count / 2)
    return cost / lanes / 3.0
