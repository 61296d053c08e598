"""Scalar expressions: the leaves of a program, and its one inner node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# How often a value changes: bits, so that the rate of a result is the union of its operands'.
PARAMETER, ROW, COLUMN, PAIR = 0, 1, 2, 3
RATE_OF_AXIS = {"p": PARAMETER, "i": ROW, "j": COLUMN}
RATE_NAMES = ("parameter", "row", "column", "pair")


@dataclass(frozen=True, eq=False, slots=True)
class Scalar:
    """One number, computed once for each parameter set, row, column or pair: its `rate`.

    Two scalars are equal if they are the same object; `ir.share` makes equal ones the same.
    """

    rate: int


@dataclass(frozen=True, eq=False, slots=True)
class Const(Scalar):
    value: float


@dataclass(frozen=True, eq=False, slots=True)
class Load(Scalar):
    """Coordinate `k` of input number `slot`, at the row or column that the loops are at."""

    slot: int
    k: int


@dataclass(frozen=True, eq=False, slots=True)
class Column(Scalar):
    """Number `k` of the values that the program computes once for each column."""

    k: int


@dataclass(frozen=True, eq=False, slots=True)
class State(Scalar):
    """Number `k` of what the accumulator holds for a row, once all columns are in."""

    k: int


@dataclass(frozen=True, eq=False, slots=True)
class Index(Scalar):
    """The column at which extremum number `k` was found: an integer, only ever an output."""

    k: int


@dataclass(frozen=True, eq=False, slots=True)
class Apply(Scalar):
    instr: Instr
    operands: tuple[Scalar, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Instr:
    """A scalar instruction; `evaluate` is its meaning in NumPy, and backends must agree."""

    name: str
    arity: int
    evaluate: Callable[..., Any]

    def __call__(self, *operands: Scalar) -> Scalar:
        assert len(operands) == self.arity, (self.name, operands)
        rate = 0
        for operand in operands:
            rate |= operand.rate
        return Apply(rate, self, operands)


def const(value: float) -> Const:
    return Const(PARAMETER, float(value))


def load(slot: int, k: int, axis: str) -> Load:
    return Load(RATE_OF_AXIS[axis], slot, k)


def topological(roots: Iterable[Scalar]) -> list[Scalar]:
    """All sub-expressions of `roots`, operands first, each one once.

    A stack, not recursion: chains of thousands of operations are ordinary.
    """
    order: dict[Scalar, None] = {}
    stack: list[tuple[Scalar, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        scalar, operands_done = stack.pop()
        if scalar in order:
            continue
        if operands_done or not isinstance(scalar, Apply):
            order[scalar] = None
        else:
            stack.append((scalar, True))
            stack.extend((operand, False) for operand in reversed(scalar.operands))
    return list(order)
