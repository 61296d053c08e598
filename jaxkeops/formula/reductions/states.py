"""Names of what an accumulator holds, for the rules of reductions."""

from __future__ import annotations

from ... import ir


def states(count: int, start: int = 0) -> ir.Vector:
    """States start, ..., start + count - 1."""
    return ir.Vector.states(count, ir.ROW, start)


def indices(count: int) -> ir.Vector:
    """Indices 0, ..., count - 1."""
    return ir.Vector(ir.Index(ir.ROW, k) for k in range(count))
