"""Chooses how the loops of a program are cut, from what it does at each pair."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..dtypes import FLOATS
from ..ir.machine import Machine

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

SUM_TILE = 256  # columns: few enough for the digits of float32, many enough to hide the total
TILES = {
    ir.Extremum: 32,  # columns: as few as a rescan should cost, as many as hide the bookkeeping
    ir.Lowest: 8,  # columns that one test against the worst of the lists serves
}


def choose_schedule(accumulator: ir.Accumulator, dtype: str, machine: Machine) -> ir.Schedule:
    """Row vectors enough that chains of dependent operations do not starve the machine.

    One row vector is best where a pair costs six operations or more: the machine then finds
    other pairs to work on by itself. Cheaper pairs need more; wide results leave no registers.
    """
    roots = ir.roots(accumulator)
    tile = TILES.get(type(accumulator), SUM_TILE)
    order = ir.topological(roots)
    wide = any(isinstance(root, ir.Each) for root in roots)
    folds = [s for s in order if isinstance(s, ir.Fold) and s.rate == ir.PAIR]
    if folds or wide:
        return _blocks(folds, roots, tile, machine)
    states = len(roots)
    if isinstance(accumulator, ir.ShiftedExp):
        states = len(accumulator.exponents) * (1 + len(accumulator.weights))
    cost = pair_cost(accumulator)
    vectors = 1 if cost >= 6 else 2 if cost >= 4 else 4
    while vectors > 1 and vectors * (states + 1) > machine.registers // 3:
        vectors //= 2
    return ir.Schedule(row_vectors=vectors, tile=tile)


def _blocks(
    folds: Sequence[ir.Fold], roots: Sequence[ir.Scalar], tile: int, machine: Machine
) -> ir.Schedule:
    """A block of pairs that fills the registers: each number loaded serves a row or a column."""
    wide = any(isinstance(root, ir.Each) for root in roots)
    vectors = 2 if wide else 4
    columns = 1
    if folds:
        columns = max(1, (machine.registers - 4 - vectors) // (vectors * len(folds)))
    components = max(1, (machine.registers - 6) // vectors) if wide else 1
    tile = max(tile // 2 if wide else tile, columns)
    return ir.Schedule(vectors, tile - tile % columns, columns, components)


def pair_cost(accumulator: ir.Accumulator) -> float:
    """Vector instructions for one vector of pairs, in units of an fma."""
    roots = ir.roots(accumulator)
    counts = ir.loop_counts(roots)
    cost = sum(
        COSTS.get(scalar.instr.name, 1.0) * counts.get(scalar, 1)
        for scalar in ir.topological(roots)
        if isinstance(scalar, ir.Apply) and scalar.rate & ir.PAIR == ir.PAIR
    )
    cost += sum(map(ir.width, roots))
    if isinstance(accumulator, ir.ShiftedExp):
        cost += COSTS["exp2"] * len(accumulator.exponents)
    return cost


def nanoseconds_per_pair(program: ir.Program, machine: Machine) -> float:
    """About how long one pair takes on one core: what the launcher cuts work by."""
    lanes = machine.vector_bytes // FLOATS[program.dtype].bytes
    return pair_cost(program.accumulator) / lanes / 3.0
