"""Fills the records of columns in fixed point."""

from __future__ import annotations

from ...ir import COLUMN, Each, Program
from .along import along
from .builder import Builder
from .fixed_point import (
    BEYOND,
    over_coordinates,
    reciprocal_of_step,
    record_of,
    rounded,
    squares_of,
    word_of,
)
from .frame import Frame, leaves_at
from .layout import WORD_BYTES
from .spelling import vector

NARROWEST = 4  # lanes


def fill_records(b: Builder, program: Program) -> None:
    """The records of columns [%begin, %end)."""
    distance = program.distance
    assert distance is not None
    each = distance.columns[0]
    beside = isinstance(each, Each)
    while beside and b.width > NARROWEST and distance.count <= b.width // 2:
        b = b.at(width=b.width // 2)
    b = b if beside else b.at(width=1)
    frame = Frame(b, program, distance.columns)
    reciprocal = reciprocal_of_step(b)
    words = distance.record_bytes // WORD_BYTES - 1
    with b.loop("%begin", "%end", nonempty=True) as columns:
        record = record_of(frame, columns.index)
        if isinstance(each, Each):
            squares, inside = _beside(frame, each, columns.index, record, reciprocal)
        else:
            squares, inside = _one_by_one(frame, columns.index, record, reciprocal)
        norm = b.address(record, str(words), "i32")
        first = "0" if distance.metric == "manhattan" else b.op("lshr", squares, "1", "i32")
        b.store(first, norm, "i32", WORD_BYTES)
        with b.when(b.let(f"xor i1 {inside}, true"), rare=True):
            with b.loop("0", str(words), nonempty=True) as turns:
                b.store("0", b.address(record, turns.index, "i32"), "i32", WORD_BYTES)
            b.store(str(BEYOND), norm, "i32", WORD_BYTES)


def _beside(frame: Frame, each: Each, j: str, record: str, reciprocal: str) -> tuple[str, str]:
    """Lanes are coordinates. Gives the squares, and an i1, whether all are in range."""
    b, distance = frame.b, frame.program.distance
    assert distance is not None
    type, short = vector("i32", b.width), vector("i16", b.width)
    whole, left = each.count // b.width * b.width, each.count % b.width
    tail, words = (_first_lanes(b, count) for count in (left, left + left % 2))

    def add(c: str, held: list[str], mask: str) -> list[str]:
        (name,) = along(frame, [each.body], j, c, mask)
        integers, inside = rounded(b, b.mul(name, reciprocal), distance)
        place = b.address(record, c, "i16")
        if mask:
            integers = b.select(mask, integers, "zeroinitializer", type)
            inside = b.either(inside, b.opposite(mask))
            # To the end of the last word: of an odd number of coordinates, 0 is one more.
            b.masked_store(b.convert("trunc", integers, type, short), place, words, "i16")
        else:
            b.store(b.convert("trunc", integers, type, short), place, short, 2)
        return [squares_of(b, [integers], held[0]), b.both(inside, held[1])]

    held = ["zeroinitializer", "splat (i1 true)"]
    if whole:
        carry = [(type, held[0]), (b.mask, held[1])]
        with b.loop("0", str(whole), str(b.width), carry=carry, nonempty=True) as turns:
            turns.next = add(turns.index, turns.values, "")
        held = turns.values
    if left:
        held = add(str(whole), held, tail)
    squares = b.call("i32", f"llvm.vector.reduce.add.v{b.width}i32", (type, held[0]))
    beyond = b.any(b.opposite(held[1]))
    return squares, b.let(f"xor i1 {beyond}, true")


def _first_lanes(b: Builder, count: int) -> str:
    return "<" + ", ".join(f"i1 {'true' if k < count else 'false'}" for k in range(b.width)) + ">"


def _one_by_one(frame: Frame, j: str, record: str, reciprocal: str) -> tuple[str, str]:
    """The same of coordinates that do not lie side by side."""
    b, distance = frame.b, frame.program.distance
    assert distance is not None

    def take(names: list[str], word: str, held: list[str]) -> list[str]:
        squares, inside = held
        integers = []
        for name in names:
            integer, mine = rounded(b, b.mul(name, reciprocal), distance)
            integers.append(integer)
            inside = b.both(inside, mine)
        b.store(word_of(b, integers), b.address(record, word, "i32"), "i32", WORD_BYTES)
        return [squares_of(b, integers, squares), inside]

    known = frame.at_one(leaves_at(COLUMN, distance.columns), j, COLUMN)
    carry = [("i32", "0"), ("i1", "true")]
    squares, inside = over_coordinates(b, distance.columns, known, carry, take)
    return squares, inside
