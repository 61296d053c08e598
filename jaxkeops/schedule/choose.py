"""Chooses how the loops of a program are cut, from what it does at each pair."""

from __future__ import annotations

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
EXTREMUM_TILE = 32  # columns: as few as a rescan should cost, as many as hide the bookkeeping


def choose_schedule(accumulator: ir.Accumulator, dtype: str, machine: Machine) -> ir.Schedule:
    """Row vectors enough that chains of dependent operations do not starve the machine.

    One row vector is best where a pair costs six operations or more: the machine then finds
    other pairs to work on by itself. Cheaper pairs need more; wide results leave no registers.
    """
    states = len(ir.roots(accumulator))
    if isinstance(accumulator, ir.ShiftedExp):
        states = len(accumulator.exponents) * (1 + len(accumulator.weights))
    cost = pair_cost(accumulator)
    vectors = 1 if cost >= 6 else 2 if cost >= 4 else 4
    while vectors > 1 and vectors * (states + 1) > machine.registers // 3:
        vectors //= 2
    tile = EXTREMUM_TILE if isinstance(accumulator, ir.Extremum | ir.Lowest) else SUM_TILE
    return ir.Schedule(row_vectors=vectors, tile=tile)


def pair_cost(accumulator: ir.Accumulator) -> float:
    """Vector instructions for one vector of pairs, in units of an fma."""
    roots = ir.roots(accumulator)
    cost = sum(
        COSTS.get(scalar.instr.name, 1.0)
        for scalar in ir.topological(roots)
        if isinstance(scalar, ir.Apply) and scalar.rate == ir.PAIR
    )
    cost += len(roots)
    if isinstance(accumulator, ir.ShiftedExp):
        cost += COSTS["exp2"] * len(accumulator.exponents)
    return cost


def nanoseconds_per_pair(program: ir.Program, machine: Machine) -> float:
    """About how long one pair takes on one core: what the launcher cuts work by."""
    lanes = machine.vector_bytes // FLOATS[program.dtype].bytes
    return pair_cost(program.accumulator) / lanes / 3.0
