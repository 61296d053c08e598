"""Coordinates in fixed point: integers of 16 bits times a step that a call has in common.

A column's record is a word for each two of its coordinates, and one that gauges begin with: half of
their squares, or 0 where differences are summed. The step is a power of two, so that nothing is
rounded but to whole steps. It is found from a sample of the columns: one that lies beyond has a
record that says so, and a row that does has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...ir import COLUMN, Distance, Each, Program, Scalar
from .builder import Builder, Module
from .evaluate import Known, component, evaluate, prepare
from .frame import Frame, leaves_at
from .spelling import vector

# Numbers in the sample, and powers of two of its columns, at least and at most. The reach of this
# many columns is at least what is taken: one far from all others would make steps of no use.
# How far beyond that others may lie: a column that does costs time.
SAMPLED = 2048
FEWEST, MOST = 2, 7
OUTLIERS = 4
ROOM = 1.5
# The step stays where its square is far from underflow and overflow of float32.
LEAST_STEP, GREATEST_STEP = 2.0**-40, 2.0**40
# What the gauges of a column begin with that is beyond: they are less than those of any other, so
# that no pair with it is passed over.
BEYOND = -(2**31) + 1


def most(distance: Distance) -> int:
    """The greatest integer of a coordinate: no gauge then overflows.

    Those by products are at most 3/2 of its square for each coordinate; some more are left for
    limits. Differences have 16 bits themselves.
    """
    if distance.metric == "manhattan":
        return 2**14 - 1
    count = distance.count
    return min(2**15 - 1, math.isqrt(2 * (2**31 - 2**10) // (3 * count)))


def emit_step(module: Module, program: Program) -> None:
    """The function `step(call)`: a float32, the step of all rows and columns of a call."""
    distance = program.distance
    assert distance is not None
    b = module.function("step", (("call", "ptr"),), "float").at(program.dtype)
    frame = Frame(b, program, distance.columns)
    leaves = leaves_at(COLUMN, distance.columns)
    bits = (SAMPLED // distance.count).bit_length() - 1
    size = 2 ** max(FEWEST, min(MOST, bits))
    zero = (b.type, b.const(0.0))
    with b.loop("0", str(size), carry=[zero] * OUTLIERS, nonempty=True) as sample:
        scaled = b.op("mul", sample.index, frame.N, "i64")
        column = b.op("udiv", scaled, str(size), "i64")
        (falling,) = over_coordinates(
            b,
            distance.columns,
            frame.at_one(leaves, column, COLUMN),
            [zero],
            lambda names, _, held: [b.max(b.abs(names[0]), held[0])],
            1,
        )
        for k, held in enumerate(sample.values):
            sample.next[k] = b.max(falling, held)
            falling = b.min(falling, held)
    single = b.at("float32", 1)
    reach = sample.values[-1]
    if program.dtype == "float64":
        reach = b.convert("fptrunc", reach, "double", "float")
    least = single.mul(reach, single.const(ROOM / most(distance)))
    least = single.max(least, single.const(LEAST_STEP))  # in this order, of NaN too
    least = single.min(least, single.const(GREATEST_STEP))
    # The power of two that is not below.
    above = single.op("add", single.bits(least), str(2**23 - 1))
    power = single.op("and", above, str(0x7F800000))
    b.ret(f"float {single.from_bits(power)}")


def reciprocal_of_step(b: Builder) -> str:
    """1 / `step(call)`, which is exact, in all lanes."""
    single = b.at("float32", 1)
    bits = single.bits(single.let("call float @step(ptr %call)"))
    name = single.from_bits(single.op("sub", str(254 << 23), bits))
    return b.splat(b.convert("fpext", name, "float", "double") if b.dtype == "float64" else name)


def over_coordinates(
    b: Builder,
    coordinates: Sequence[Scalar],
    known: Known,
    carry: Sequence[tuple[str, str]],
    step: Callable[[list[str], str, list[str]], list[str]],
    together: int = 2,
) -> list[str]:
    """Takes `step` at the coordinates, `together` at once, of which the last may be fewer.

    It gets their names, the number of the word they are, an i64, and what is carried, which it
    gives from there on.
    """
    held = [name for _, name in carry]
    if not isinstance(coordinates[0], Each):
        names = evaluate(b, coordinates, known)
        for first in range(0, len(names), together):
            held = step(names[first : first + together], str(first // together), held)
        return held
    (each,) = coordinates
    assert isinstance(each, Each)
    prepare(b, [each.body], known)

    def names_at(word: str, count: int) -> list[str]:
        first = b.op("mul", word, str(together), "i64") if together > 1 else word
        places = [b.op("add", first, str(k), "i64") if k else first for k in range(count)]
        return [component(b, each.body, known, place) for place in places]

    whole, left = divmod(each.count, together)
    carried = [(type, name) for (type, _), name in zip(carry, held, strict=True)]
    with b.loop("0", str(whole), carry=carried) as turns:
        turns.next = step(names_at(turns.index, together), turns.index, turns.values)
    held = turns.values
    return step(names_at(str(whole), left), str(whole), held) if left else held


def rounded(b: Builder, scaled: str, distance: Distance) -> tuple[str, str]:
    """(integers, mask of those in range) of coordinates in steps; others, NaN too, become 0."""
    inside = b.compare("ole", b.abs(scaled), b.const(float(most(distance))))
    kept = b.select(inside, b.rint(scaled), b.const(0.0))
    return b.convert("fptosi", kept, b.type, vector("i32", b.width)), inside


def word_of(b: Builder, integers: Sequence[str]) -> str:
    """One word for two integers, or for a last one and 0."""
    type = vector("i32", b.width)
    low = b.op("and", integers[0], b.splat(str(0xFFFF), "i32"), type)
    if len(integers) == 1:
        return low
    return b.op("or", low, b.op("shl", integers[1], b.splat("16", "i32"), type), type)


def squares_of(b: Builder, integers: Sequence[str], held: str) -> str:
    """held + the squares of integers."""
    type = vector("i32", b.width)
    for integer in integers:
        held = b.op("add", held, b.op("mul", integer, integer, type), type)
    return held


def add_products(b: Builder, total: str, row: str, column: str) -> str:
    """total + the products of both integers of words of a row and of a column."""
    type, bits = vector("i32", b.width), 32 * b.width
    if b.machine.vnni:
        name = f"llvm.x86.avx512.vpdpwssd.{bits}"
        return b.call(type, name, (type, total), (type, row), (type, column))
    name = {128: "sse2.pmadd.wd", 256: "avx2.pmadd.wd", 512: "avx512.pmaddw.d.512"}[bits]
    halves = vector("i16", 2 * b.width)
    words = [(halves, b.convert("bitcast", word, type, halves)) for word in (row, column)]
    return b.op("add", total, b.call(type, f"llvm.x86.{name}", *words), type)


def add_differences(b: Builder, total: str, minus_row: str, column: str) -> str:
    """total + how far both integers of words are from each other."""
    type, halves = vector("i32", b.width), vector("i16", 2 * b.width)
    words = [b.convert("bitcast", word, type, halves) for word in (minus_row, column)]
    difference = b.op("add", *words, halves)
    name = f"llvm.abs.v{2 * b.width}i16"
    sizes = b.call(halves, name, (halves, difference), ("i1", "false"))
    ones = b.splat(str(1 << 16 | 1), "i32")
    return add_products(b, total, b.convert("bitcast", sizes, halves, type), ones)


def record_of(frame: Frame, j: str) -> str:
    """Where the record of column `j` is."""
    index = frame.scalar.op("mul", j, str(frame.program.column_width), "i64")
    column = frame.scalar.address(frame.columns, index)
    return frame.scalar.address(column, str(frame.program.record_place))
