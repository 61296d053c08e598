"""What a block of rows knows before its columns: its numbers, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ... import ir
from ...ir import COMPONENT, ROW, Apply, Fold, Guard, Index, Load, Scalar, State
from .builder import Builder
from .evaluate import Component, Known, component, evaluate, prepare
from .frame import FEW, Frame, lane_rows, leaves_at
from .layout import Layout
from .spelling import item_bytes, vector
from .storage import after_load, element
from .transpose import piece_lanes, to_lanes

# Where vector r of the rows has number k + stride c: (c, stride, k, r) -> an address.
Place = Callable[[str, int, int, int], str]


class Rows:
    """The vectors of a block of rows.

    firsts: the first row of each vector; numbers: the row of each lane, i64s; known: by vector.
    """

    def __init__(
        self,
        frame: Frame,
        layout: Layout,
        first: str,
        end: str,
        count: int,
        roots: Sequence[Scalar],
    ) -> None:
        """`count` vectors of rows from `first` on, of which those from `end` on are not there.

        Lanes beyond the last row repeat it, so that no lane computes what no row asked for.
        """
        b = frame.b
        self.firsts = [b.op("add", first, str(r * b.width), "i64") for r in range(count)]
        self.numbers = [lane_rows(b, first) for first in self.firsts]
        self.known: list[Known] = []
        last = b.op("sub", end, "1", "i64")
        # One row in all lanes is read as it lies.
        slots = {} if frame.lanes_are_columns else layout.turned
        turned = {slot: _vectors(frame, at, count) for slot, at in slots.items()}
        leaves = leaves_at(ROW, roots)
        for r, (first, numbers) in enumerate(zip(self.firsts, self.numbers, strict=True)):
            read = numbers if frame.lanes_are_columns else _at_most(b, numbers, last)
            for slot, place in turned.items():
                _turn(frame, slot, place, r, first, read, last)
            self.known.append(_numbers(frame, leaves, turned, r, first, read, last))
        # Sums over components of the rows may then take what is packed.
        early = [scalar for scalar in layout.packed if not _takes_sums(scalar)]
        _pack(frame, layout, early, self.known)
        for known in self.known:
            evaluate(b, _before_columns(roots), known)
        _pack(frame, layout, [s for s in layout.packed if s not in early], self.known)


def _before_columns(roots: Sequence[Scalar]) -> list[Scalar]:
    """What is computed of rows alone, but for what needs the sums over columns."""
    order = ir.topological(roots)
    later = {scalar for scalar in order if isinstance(scalar, State | Index)}
    for scalar in order:
        if any(part in later for part in scalar.inside):
            later.add(scalar)
    return [
        s for s in order if isinstance(s, Apply | Fold | Guard) and s.rate == ROW and s not in later
    ]


def _numbers(
    frame: Frame,
    leaves: Sequence[Scalar],
    turned: Mapping[int, Place],
    r: int,
    first: str,
    read: str,
    last: str,
) -> Known:
    """The numbers of a vector of rows: from where they are turned, or from the input."""
    b = frame.b
    if frame.lanes_are_columns:
        return frame.at_one(leaves, first, ROW)
    short = [leaf for leaf in leaves if _is_short(frame, leaf)]
    found = _side_by_side(frame, short, first, read, last)

    def number(leaf: Scalar, c: str = "") -> str:
        assert isinstance(leaf, Load), leaf
        if leaf in found:
            return found[leaf]
        if leaf.slot in turned:
            return b.load(turned[leaf.slot](c, leaf.stride, leaf.k, r), b.type)
        return frame.at_lane(leaf, c, read, "splat (i1 true)")

    return frame.with_leaves(leaves, ROW, number)


def _at_most(b: Builder, rows: str, last: str) -> str:
    type, end = f"<{b.width} x i64>", b.splat(last, "i64")
    inside = b.compare_int("sle", rows, end, type)
    return b.let(f"select {b.mask} {inside}, {type} {rows}, {type} {end}")


def _is_short(frame: Frame, leaf: Scalar) -> bool:
    assert isinstance(leaf, Load), leaf
    return not leaf.stride and frame.program.inputs[leaf.slot].dim <= FEW


def _side_by_side(
    frame: Frame, leaves: Sequence[Scalar], first: str, read: str, last: str
) -> dict[Scalar, str]:
    """Numbers of short rows: loaded whole where all lanes have a row, else gathered."""
    b = frame.b
    if not leaves:
        return {}
    beyond = b.op("add", first, str(b.width), "i64")
    end = b.op("add", last, "1", "i64")
    some = b.compare_int("sgt", beyond, end, "i64")
    with b.when(some, carry=[(b.type, "poison")] * len(leaves)) as apart:
        known = frame.at_lanes(leaves, read, "splat (i1 true)", ROW)
        apart.next = [known[leaf] for leaf in leaves]
    every = b.compare_int("sle", beyond, end, "i64")
    with b.when(every, carry=[(b.type, name) for name in apart.values]) as beside:
        known = frame.at_neighbours(leaves, first, ROW)
        beside.next = [known[leaf] for leaf in leaves]
    return dict(zip(leaves, beside.values, strict=True))


def _vectors(frame: Frame, offset: int, count: int) -> Place:
    """Where numbers are in the workspace from byte `offset` on: `count` vectors side by side."""
    b, memory = frame.b, frame.workspace(offset)

    def place(c: str, stride: int, k: int, r: int) -> str:
        if isinstance(c, Component):
            c, k = c.base, k + stride * c.offset
        start = memory
        if stride:
            start = b.address(memory, b.op("mul", c, str(stride * count), "i64"), b.type)
        return b.address(start, str(k * count + r), b.type)

    return place


def _turn(frame: Frame, slot: int, place: Place, r: int, first: str, read: str, last: str) -> None:
    """Copies rows of an input so that the numbers of vector `r` of the rows lie side by side.

    Pieces of rows are turned where all lanes have a row: their addresses are one register and
    constants. Else the numbers are gathered, one component after the other.
    """
    b, stored = frame.b, frame.program.stored
    dim, type = frame.program.inputs[slot].dim, element(stored)
    count = piece_lanes(b)
    piece = b.at(width=count)
    begin = frame.input_row(slot, first)
    every = b.compare_int("sle", b.op("add", first, str(b.width - 1), "i64"), last, "i64")
    whole = b.let(f"select i1 {every}, i64 {dim}, i64 0")
    apart = b.let(f"select i1 {every}, i64 0, i64 {dim}")
    with b.loop("0", whole, str(count)) as turns:
        start = turns.index
        if dim % count:
            # Whole pieces to the end: the last one overlaps the one before.
            inside = b.compare_int("slt", start, str(dim - count), "i64")
            start = b.let(f"select i1 {inside}, i64 {start}, i64 {dim - count}")
        near = b.address(begin, start, type)
        loaded = [
            piece.load(
                b.address(near, str(lane * dim), type), vector(type, count), item_bytes(type)
            )
            for lane in range(b.width)
        ]
        turned = to_lanes(b, [after_load(piece, name, stored) for name in loaded])
        for number, name in enumerate(turned):
            b.store(name, place(start, 1, number, r), b.type)
    with b.loop("0", apart) as turns:
        leaf = Load(ROW | COMPONENT, slot, 0, 1)
        name = frame.at_lane(leaf, turns.index, read, "splat (i1 true)")
        b.store(name, place(turns.index, 1, 0, r), b.type)


def _takes_sums(scalar: Scalar) -> bool:
    return any(isinstance(part, Fold | Guard) for part in ir.topological([scalar]))


def _pack(frame: Frame, layout: Layout, scalars: Sequence[Scalar], rows: Sequence[Known]) -> None:
    """Keeps what loops over components take of the rows and is more than a number of them."""
    b = frame.b
    counts = ir.loop_counts(ir.roots(frame.program.accumulator))
    for scalar in scalars:
        place = _vectors(frame, layout.packed[scalar], len(rows))
        for known in rows:
            prepare(b, [scalar], known)
        with b.loop("0", str(counts[scalar]), nonempty=True) as turns:
            for r, known in enumerate(rows):
                b.store(
                    component(b, scalar, known, turns.index), place(turns.index, 1, 0, r), b.type
                )
        for r, known in enumerate(rows):
            _read_packed(b, known, scalar, lambda c, r=r, place=place: place(c, 1, 0, r))


def _read_packed(b: Builder, known: Known, scalar: Scalar, place: Callable[[str], str]) -> None:
    """Makes `scalar` come from memory where rows are asked for it at a component."""
    others = known.sources[ROW]
    names: dict[str, str] = {}

    def source(asked: Scalar, c: str) -> str:
        if asked is not scalar:
            return others(asked, c)
        if c not in names:
            names[c] = b.load(place(c), b.type)
        return names[c]

    known.sources[ROW] = source
