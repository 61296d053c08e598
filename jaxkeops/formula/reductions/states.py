"""Names of what an accumulator holds, for the rules of reductions."""

from __future__ import annotations

from ... import ir


def states(count: int, start: int = 0) -> tuple[ir.Scalar, ...]:
    """States start, ..., start + count - 1."""
    return tuple(ir.State(ir.ROW, start + k) for k in range(count))


def indices(count: int) -> tuple[ir.Scalar, ...]:
    """Indices 0, ..., count - 1."""
    return tuple(ir.Index(ir.ROW, k) for k in range(count))
