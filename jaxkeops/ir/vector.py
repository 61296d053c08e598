"""Vectors of scalars: coordinates one by one where they are few, one expression where many.

A formula's op is written once, on scalars; here it is applied to whole vectors, and a thousand
coordinates that differ by their number alone stay one expression, so that they become a loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import overload

from .instr import add, mul
from .scalar import (
    COMPONENT,
    Apply,
    Centre,
    Column,
    Each,
    Fold,
    Guard,
    Load,
    Scalar,
    State,
    const,
    load,
    topological,
    width,
)

# Coordinates: up to here they are written out. Loops cost more than they save on fewer.
FEW = 8


class Vector(Sequence[Scalar]):
    """Coordinates, in `parts`: scalars, and `Each` for those that share an expression."""

    __slots__ = ("_size", "parts")

    def __init__(self, parts: Iterable[Scalar]) -> None:
        self.parts = tuple(parts)
        self._size = sum(map(width, self.parts))

    @staticmethod
    def loads(slot: int, dim: int, axis: str) -> Vector:
        """All coordinates of an input."""
        if dim <= FEW:
            return Vector(load(slot, k, axis) for k in range(dim))
        return Vector([_each(load(slot, 0, axis, stride=1), dim)])

    @staticmethod
    def states(count: int, rate: int, start: int = 0) -> Vector:
        """States start, ..., start + count - 1."""
        if count <= FEW:
            return Vector(State(rate, start + k) for k in range(count))
        return Vector([_each(State(rate | COMPONENT, start, 1), count)])

    @staticmethod
    def repeated(scalar: Scalar, count: int) -> Vector:
        """`count` coordinates that are all `scalar`."""
        return Vector([scalar] * count if count <= FEW else [_each(scalar, count)])

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> Scalar: ...
    @overload
    def __getitem__(self, place: slice) -> Vector: ...
    def __getitem__(self, place: int | slice) -> Scalar | Vector:
        if isinstance(place, slice):
            start, stop, step = place.indices(self._size)
            return self.strided(start, step, len(range(start, stop, step)))
        if not -self._size <= place < self._size:
            raise IndexError(place)
        place %= self._size
        for first, part in self._placed():
            if place < first + width(part):
                return at(part.body, place - first) if isinstance(part, Each) else part
        raise AssertionError(place)

    def __iter__(self) -> Iterator[Scalar]:
        for part in self.parts:
            if isinstance(part, Each):
                yield from (at(part.body, c) for c in range(part.count))
            else:
                yield part

    def __add__(self, other: Sequence[Scalar]) -> Vector:
        return Vector([*self.parts, *parts(other)])

    def strided(self, start: int, stride: int, count: int) -> Vector:
        """Coordinates start, start + stride, ...: `count` of them."""
        if count > FEW and stride == 1:
            found = []
            for first, part in self._placed():
                low, high = max(start, first), min(start + count, first + width(part))
                if low < high:
                    found.append(_cut(part, low - first, 1, high - low))
            return Vector([piece for pieces in found for piece in pieces])
        if count > FEW:
            last = start + (count - 1) * stride
            for first, part in self._placed():
                if first <= min(start, last) and max(start, last) < first + width(part):
                    return Vector(_cut(part, start - first, stride, count))
        return Vector(self[start + n * stride] for n in range(count))

    def _placed(self) -> Iterator[tuple[int, Scalar]]:
        """Each part, after the number of its first coordinate."""
        first = 0
        for part in self.parts:
            yield first, part
            first += width(part)


def parts(coords: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """The parts of coordinates, in a vector or one by one."""
    return coords.parts if isinstance(coords, Vector) else tuple(coords)


def elementwise(function: Callable[..., Scalar], *args: Sequence[Scalar]) -> Vector:
    """function(arg[k], ...) for each k; an arg of one coordinate is used for every k."""
    size = max(map(len, args))
    vectors = [arg if isinstance(arg, Vector) else Vector(arg) for arg in args]
    edges = {0, size}
    for vector in vectors:
        if len(vector) == size:
            edges.update(first for first, _ in vector._placed())
    places = sorted(edges)
    found: list[Scalar] = []
    for start, stop in itertools.pairwise(places):
        pieces = [v[0:1] if len(v) == 1 else v[start:stop] for v in vectors]
        if all(len(piece.parts) == 1 for piece in pieces):
            bodies = [p.body if isinstance(p, Each) else p for (p,) in (v.parts for v in pieces)]
            found += _several(function(*bodies), stop - start)
        else:
            found += [
                function(*(piece[k % len(piece)] for piece in pieces)) for k in range(stop - start)
            ]
    return Vector(found)


def total(vector: Sequence[Scalar]) -> Scalar:
    """The sum of all coordinates."""
    return reduce(
        add,
        (fold(part.body, part.count) if isinstance(part, Each) else part for part in parts(vector)),
    )


def fold(body: Scalar, count: int) -> Scalar:
    """The sum of `body` over `count` components."""
    if not body.rate & COMPONENT:
        return mul(const(count), body)
    return Fold(body.rate & ~COMPONENT, body, count)


def at(body: Scalar, c: int) -> Scalar:
    """`body` at component `c`."""
    return _moved(body, c, 0)


def unrolled(root: Scalar) -> tuple[Scalar, ...]:
    """The numbers that a root stands for, one by one."""
    return tuple(Vector([root]))


def written_out(ends: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """The same numbers without loops over components."""
    ends = list(ends)
    new: dict[Scalar, Scalar] = {}
    for scalar in topological(ends):
        match scalar:
            case Apply(instr=instr, operands=operands):
                new[scalar] = instr(*(new[operand] for operand in operands))
            case Fold(body=body, count=count):
                new[scalar] = reduce(add, [at(new[body], c) for c in range(count)])
            case Guard(rate=rate, fast=fast, exact=exact, bound=bound):
                new[scalar] = Guard(rate, new[fast], new[exact], new[bound])
            case Each(rate=rate, body=body, count=count):
                new[scalar] = Each(rate, new[body], count)
            case _:
                new[scalar] = scalar
    found: list[Scalar] = []
    for end in ends:
        root = new[end]
        each = isinstance(root, Each)
        found += [at(root.body, c) for c in range(root.count)] if each else [root]
    return tuple(found)


def loop_counts(roots: Iterable[Scalar]) -> dict[Scalar, int]:
    """Over how many components the loops go that an expression with a component is inside of."""
    counts: dict[Scalar, int] = {}
    for loop in topological(roots):
        if isinstance(loop, Fold | Each):
            for part in _of_components(loop.body):
                counts[part] = max(counts.get(part, 0), loop.count)
    return counts


def _of_components(body: Scalar) -> list[Scalar]:
    """What changes from component to component of a loop: not what other loops inside are of."""
    found: dict[Scalar, None] = {}
    stack = [body]
    while stack:
        scalar = stack.pop()
        if scalar.rate & COMPONENT and scalar not in found:
            found[scalar] = None
            stack.extend(scalar.inside)
    return list(found)


def _each(body: Scalar, count: int) -> Each:
    return Each(body.rate & ~COMPONENT, body, count)


def _several(body: Scalar, count: int) -> tuple[Scalar, ...]:
    if count == 1:
        return (at(body, 0),)
    return (_each(body, count),) if count > FEW else unrolled(_each(body, count))


def _cut(part: Scalar, start: int, stride: int, count: int) -> tuple[Scalar, ...]:
    """Components start, start + stride, ... of a part."""
    if not isinstance(part, Each):
        return (part,)
    return _several(_moved(part.body, start, stride), count)


def _moved(body: Scalar, start: int, stride: int) -> Scalar:
    """`body` with component c standing where start + stride c stood."""
    new: dict[Scalar, Scalar] = {body: body}
    for scalar in topological([body]) if body.rate & COMPONENT else ():
        new[scalar] = scalar
        if not scalar.rate & COMPONENT:
            continue
        rate = scalar.rate if stride else scalar.rate & ~COMPONENT
        match scalar:
            case Load(slot=slot, k=k, stride=each):
                new[scalar] = Load(rate, slot, k + each * start, each * stride)
            case Centre(slot=slot, k=k, stride=each):
                new[scalar] = Centre(rate, slot, k + each * start, each * stride)
            case Column(k=k, stride=each):
                new[scalar] = Column(rate, k + each * start, each * stride)
            case State(k=k, stride=each):
                new[scalar] = State(rate, k + each * start, each * stride)
            case Apply(instr=instr, operands=operands):
                new[scalar] = instr(*(new[operand] for operand in operands))
            case _:
                raise AssertionError(scalar)
    return new[body]
