"""Scalar expressions: the leaves of a program, and its one inner node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# How often a value changes: bits, so that the rate of a result is the union of its operands'.
# COMPONENT joins the others inside a loop over components, of a `Fold` or an `Each`.
PARAMETER, ROW, COLUMN, PAIR, COMPONENT = 0, 1, 2, 3, 4
RATE_OF_AXIS = {"p": PARAMETER, "i": ROW, "j": COLUMN}
RATE_NAMES = ("parameter", "row", "column", "pair")


@dataclass(frozen=True, eq=False, slots=True)
class Scalar:
    """One number, computed once for each parameter set, row, column or pair: its `rate`.

    Two scalars are equal if they are the same object.
    """

    rate: int

    @property
    def inside(self) -> tuple[Scalar, ...]:
        """The expressions that this one is made of."""
        return ()


@dataclass(frozen=True, eq=False, slots=True)
class Const(Scalar):
    value: float


@dataclass(frozen=True, eq=False, slots=True)
class Load(Scalar):
    """Coordinate `k` of input number `slot`, at the row or column that the loops are at.

    stride: at component c of a loop it is coordinate k + c stride; so for all leaves that have one.
    """

    slot: int
    k: int
    stride: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Centre(Scalar):
    """Coordinate `k` of about the middle of the columns of an input, the same for all pairs.

    The mean of four of its rows, spread evenly: numbers 0, N / 4, N / 2 and 3 N / 4, rounded down.
    """

    slot: int
    k: int
    stride: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Column(Scalar):
    """Number `k` of the values that the program computes once for each column."""

    k: int
    stride: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class State(Scalar):
    """Number `k` of what the accumulator holds for a row, once all columns are in."""

    k: int
    stride: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Index(Scalar):
    """The column at which extremum number `k` was found: an integer, only ever an output."""

    k: int


@dataclass(frozen=True, eq=False, slots=True)
class Apply(Scalar):
    instr: Instr
    operands: tuple[Scalar, ...]

    @property
    def inside(self) -> tuple[Scalar, ...]:
        return self.operands


@dataclass(frozen=True, eq=False, slots=True)
class Fold(Scalar):
    """The sum of `body` at components 0, ..., count - 1: a loop, however many they are."""

    body: Scalar
    count: int

    @property
    def inside(self) -> tuple[Scalar, ...]:
        return (self.body,)


@dataclass(frozen=True, eq=False, slots=True)
class Each(Scalar):
    """Not one number but `count`: `body` at each component. Only a root, never an operand."""

    body: Scalar
    count: int

    @property
    def inside(self) -> tuple[Scalar, ...]:
        return (self.body,)


@dataclass(frozen=True, eq=False, slots=True)
class Guard(Scalar):
    """`fast` where it is at least `bound`, else `exact`: one number, up to roundings, computed
    in two ways, of which the first loses digits where it is small.
    """

    fast: Scalar
    exact: Scalar
    bound: Scalar

    @property
    def inside(self) -> tuple[Scalar, ...]:
        return (self.fast, self.exact, self.bound)


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


def load(slot: int, k: int, axis: str, stride: int = 0) -> Load:
    return Load(RATE_OF_AXIS[axis] | (COMPONENT if stride else 0), slot, k, stride)


def width(root: Scalar) -> int:
    """How many numbers a root of a program stands for."""
    return root.count if isinstance(root, Each) else 1


def topological(roots: Iterable[Scalar]) -> list[Scalar]:
    """All sub-expressions of `roots`, operands first, each one once.

    A stack, not recursion: chains of thousands of operations are ordinary.
    """
    order: dict[Scalar, None] = {}
    stack: list[tuple[Scalar, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        scalar, inside_done = stack.pop()
        if scalar in order:
            continue
        inside = scalar.inside
        if inside_done or not inside:
            order[scalar] = None
        else:
            stack.append((scalar, True))
            stack.extend((part, False) for part in reversed(inside))
    return list(order)
