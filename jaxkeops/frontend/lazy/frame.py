"""The inputs of an expression, in their order, and what they agree on: rows, batch axes, dtype."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...errors import ArgumentError
from ...ir import Input
from ..shapes import Shape
from .leaf import Leaf

Slots = tuple[int, ...]


class Frame:
    """Leaves, of which number k is the input of slot k of a formula.

    M, N: the rows on axes "i" and "j"; None where no leaf says. batch: the common batch shape.
    dtype: None where no leaf says.
    """

    __slots__ = ("M", "N", "batch", "dtype", "keys", "kinds", "leaves", "symbolic")

    def __init__(
        self,
        leaves: tuple[Leaf, ...],
        kinds: tuple[str, ...],
        M: int | None,
        N: int | None,
        batch: Shape,
        dtype: str | None,
        symbolic: bool,
    ) -> None:
        self.leaves = leaves
        self.kinds = kinds
        self.M = M
        self.N = N
        self.batch = batch
        self.dtype = dtype
        self.symbolic = symbolic
        self.keys = tuple([leaf.key for leaf in leaves])

    def shape(self, dim: int) -> Shape:
        """(*batch, M, N, dim), with 1 for rows that there are not."""
        M, N = self.M, self.N
        return (*self.batch, 1 if M is None else M, 1 if N is None else N, dim)

    def joined(self, other: Frame) -> tuple[Frame, Slots]:
        """The leaves of both, those of `self` first; and the slots of those of `other` in it.

        Raises `ArgumentError` where the two do not agree, without saying whose they are.
        """
        slots, new = [], []
        mine, count = self.keys, len(self.keys)
        for leaf in other.leaves:
            if leaf.key in mine:
                slots.append(mine.index(leaf.key))
            else:
                slots.append(count + len(new))
                new.append(leaf)
        if not new:
            return self, tuple(slots)
        M = self.M if other.M is None else other.M
        N = self.N if other.N is None else other.N
        if self.M is not None and M != self.M:
            raise _unequal_rows("i", self.M, M)
        if self.N is not None and N != self.N:
            raise _unequal_rows("j", self.N, N)
        batch = self.batch
        if other.batch != batch:
            batch = _common_batch(batch, other.batch)
        dtype = self.dtype or other.dtype
        if other.dtype is not None and other.dtype != dtype:
            raise ArgumentError(
                f"their dtypes differ, {dtype} and {other.dtype}. Convert one of the arrays."
            )
        symbolic = self.symbolic or other.symbolic
        if symbolic:
            _check_arguments((*self.leaves, *new))
        joined = Frame(
            (*self.leaves, *new),
            (*self.kinds, *[leaf.kind for leaf in new]),
            M,
            N,
            batch,
            dtype,
            symbolic,
        )
        return joined, tuple(slots)

    def arguments(self) -> list[Leaf]:
        """The leaves that a call gives, in the order of the call."""
        return sorted((e for e in self.leaves if e.index is not None), key=lambda e: e.index or 0)

    def has_rows(self) -> bool:
        """Whether an array, known or still to come, is on an axis of rows."""
        return any(leaf.axis != "p" for leaf in self.leaves)

    def data_rank(self) -> int:
        """The number of batch axes that arrays of rows have, at most."""
        return max([0, *(len(leaf.batch) for leaf in self.leaves if leaf.axis != "p")])


EMPTY = Frame((), (), None, None, (), None, False)


def frame_of(leaf: Leaf) -> Frame:
    """The frame of one leaf."""
    M = leaf.rows if leaf.axis == "i" else None
    N = leaf.rows if leaf.axis == "j" else None
    return Frame((leaf,), (leaf.kind,), M, N, leaf.batch, leaf.dtype, leaf.index is not None)


def frame_of_all(leaves: Sequence[Leaf]) -> Frame:
    """The frame of leaves in this order, each of its own slot. Raises `ArgumentError`."""
    frame = EMPTY
    for leaf in leaves:
        frame, _ = frame.joined(frame_of(leaf))
    assert len(frame.leaves) == len(leaves), frame.kinds
    return frame


@lru_cache(maxsize=4096)
def inputs_of(kinds: tuple[str, ...]) -> tuple[Input, ...]:
    """The inputs of a formula whose leaves are of these kinds: "i3" is three coordinates of i."""
    return tuple(Input(kind[0], int(kind[1:])) for kind in kinds)


def _unequal_rows(axis: str, left: int, right: int) -> ArgumentError:
    return ArgumentError(
        f"axis {axis} has {left} rows in one and {right} in the other. All arrays on one axis "
        "have one number of rows."
    )


def _common_batch(one: Shape, other: Shape) -> Shape:
    rank = max(len(one), len(other))
    pairs = zip((1,) * (rank - len(one)) + one, (1,) * (rank - len(other)) + other, strict=True)
    batch = []
    for a, b in pairs:
        if a != b and 1 not in (a, b):
            raise ArgumentError(
                f"their batch axes are {one} and {other}: extents must be equal, or 1."
            )
        batch.append(b if a == 1 else a)
    return tuple(batch)


def _check_arguments(leaves: Sequence[Leaf]) -> None:
    kinds: dict[int, str] = {}
    for leaf in leaves:
        if leaf.index is not None and kinds.setdefault(leaf.index, leaf.kind) != leaf.kind:
            raise ArgumentError(
                f"argument {leaf.index} is declared twice, as {spelled_kind(kinds[leaf.index])} "
                f"and as {spelled_kind(leaf.kind)}. Give each argument an index of its own."
            )


def spelled_kind(kind: str) -> str:
    """As a declaration writes it: "Vi(3)"."""
    return f"{ {'i': 'Vi', 'j': 'Vj', 'p': 'Pm'}[kind[0]] }({kind[1:]})"
