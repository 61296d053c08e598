"""The walk over columns that all accumulators share: tile by tile, and pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .... import ir
from ....ir import Apply, Scalar
from ..builder import Builder
from ..evaluate import Known, evaluate, evaluate_by_turns, merged, run_loops
from ..frame import Frame, lane_rows, leaves_at

# What one column gives to what is carried: what its pairs know, for each vector of rows, its
# number, and the names carried so far -> the names from there on.
Step = Callable[[Sequence[Known], str, list[str]], list[str]]
# The same for several columns beside each other: the first of them, and what pairs know of each.
BlockStep = Callable[[str, Sequence[Sequence[Known]], list[str]], list[str]]


MASK_BITS = 64  # candidates for lists are bits of one integer


@dataclass(frozen=True)
class Reduced:
    """What the walk leaves for one vector of rows: states by number, names, and indices, i64s.

    lists: pointers to the lists of each value, and to those of their columns, if it is one: a
           list for each lane, one after the other, of `list_length` entries.
    stored: what gives a state by its number, a name, where states are in memory.
    """

    states: dict[int, str]
    indices: list[str] = field(default_factory=list)
    lists: list[tuple[str, str]] = field(default_factory=list)
    list_length: int = 0
    stored: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Tile:
    """Columns [start, end), of which there is at least one."""

    start: str
    end: str


def over_tiles(
    frame: Frame,
    carry: Sequence[tuple[str, str]],
    size: int,
    step: Callable[[Tile, list[str]], list[str]],
) -> list[str]:
    """Takes `step` at tiles of at most `size` columns, through all ranges of columns of the call.

    It gets the tile and the names carried so far, and gives those from there on.
    """
    b = frame.b
    with b.loop("0", frame.range_count, carry=carry, nonempty=True) as ranges:
        first = b.op("mul", ranges.index, "2", "i64")
        pair = b.address(frame.ranges, first, "i64")
        start = b.load(pair, "i64", 8)
        stop = b.load(b.address(pair, "1", "i64"), "i64", 8)
        held = [(type, value) for (type, _), value in zip(carry, ranges.values, strict=True)]
        with b.loop(start, stop, str(size), carry=held, nonempty=True) as arm:
            end = b.op("add", arm.index, str(size), "i64")
            inside = b.let(f"icmp slt i64 {end}, {stop}")
            end = b.let(f"select i1 {inside}, i64 {end}, i64 {stop}")
            arm.next = step(Tile(arm.index, end), arm.values)
        ranges.next = arm.values
    return ranges.values


def over_columns(
    frame: Frame,
    roots: Sequence[Scalar],
    rows: Sequence[Known],
    tile: Tile,
    carry: Sequence[tuple[str, str]],
    step: Step,
) -> list[str]:
    """Takes `step` at each column of a tile, in order; gives what is carried at the end.

    roots: what the step evaluates at pairs.
    """
    b = frame.b

    def block(first: str, columns: Sequence[Sequence[Known]], held: list[str]) -> list[str]:
        evaluate_by_turns(b, roots, [known for knowns in columns for known in knowns])
        for q, knowns in enumerate(columns):
            held = step(knowns, b.op("add", first, str(q), "i64"), held)
        return held

    masked = frame.program.schedule.masked and not frame.lanes_are_columns
    over = _over_masked if masked else over_blocks
    return over(frame, roots, rows, tile, carry, block)


def _over_masked(
    frame: Frame,
    roots: Sequence[Scalar],
    rows: Sequence[Known],
    tile: Tile,
    carry: Sequence[tuple[str, str]],
    step: BlockStep,
) -> list[str]:
    """`over_blocks`, but columns beyond the last repeat it, in pairs whose mask is not set."""
    b, count = frame.b, frame.program.schedule.columns
    leaves = leaves_at(ir.COLUMN, roots)
    last = b.op("sub", tile.end, "1", "i64")
    with b.loop(tile.start, tile.end, str(count), carry=carry, nonempty=True) as blocks:
        places = []
        for q in range(count):
            j, mask = b.op("add", blocks.index, str(q), "i64"), ""
            if q:
                inside = b.compare_int("sle", j, last, "i64")
                j, mask = b.let(f"select i1 {inside}, i64 {j}, i64 {last}"), b.splat(inside, "i1")
            column = frame.at_one(leaves, j, ir.COLUMN)
            column.mask = mask
            places.append([merged(column, row) for row in rows])
        blocks.next = step(blocks.index, places, blocks.values)
    return blocks.values


def over_blocks(
    frame: Frame,
    roots: Sequence[Scalar],
    rows: Sequence[Known],
    tile: Tile,
    carry: Sequence[tuple[str, str]],
    step: BlockStep,
) -> list[str]:
    """Takes `step` at blocks of as many columns of a tile as the schedule says, then at the rest.

    The sums over components in `roots` are computed for all columns of a block and all vectors of
    rows at once: each number that a loop over components loads then serves many pairs.
    """
    b, count = frame.b, frame.program.schedule.columns
    leaves = leaves_at(ir.COLUMN, roots)
    if frame.lanes_are_columns:
        return _over_vectors(frame, leaves, rows, tile, carry, step)

    def block(first: str, columns: int, held: list[str]) -> list[str]:
        found = frame.at_next(leaves, first, columns, ir.COLUMN)
        places = [[merged(column, row) for row in rows] for column in found]
        run_loops(b, roots, [known for knowns in places for known in knowns])
        return step(first, places, held)

    if count == 1:
        with b.loop(tile.start, tile.end, carry=carry, nonempty=True) as pairs:
            pairs.next = block(pairs.index, 1, pairs.values)
        return pairs.values
    extent = b.op("sub", tile.end, tile.start, "i64")
    rest = b.op("urem", extent, str(count), "i64")
    whole = b.op("sub", tile.end, rest, "i64")
    with b.loop(tile.start, whole, str(count), carry=carry) as blocks:
        blocks.next = block(blocks.index, count, blocks.values)
    left = [(type, value) for (type, _), value in zip(carry, blocks.values, strict=True)]
    with b.loop(whole, tile.end, carry=left) as pairs:
        pairs.next = block(pairs.index, 1, pairs.values)
    return pairs.values


def _over_vectors(
    frame: Frame,
    leaves: Sequence[Scalar],
    rows: Sequence[Known],
    tile: Tile,
    carry: Sequence[tuple[str, str]],
    step: BlockStep,
) -> list[str]:
    """`over_blocks` for lanes that are columns: whole vectors of them, then what is left."""
    b, count = frame.b, frame.program.schedule.columns
    extent = b.op("sub", tile.end, tile.start, "i64")
    size = count * b.width
    rest = b.op("urem", extent, str(size), "i64")
    whole = b.op("sub", tile.end, rest, "i64")
    with b.loop(tile.start, whole, str(size), carry=carry) as blocks:
        places = []
        for q in range(count):
            first = b.op("add", blocks.index, str(q * b.width), "i64") if q else blocks.index
            column = frame.at_neighbours(leaves, first, ir.COLUMN)
            places.append([merged(column, row) for row in rows])
        blocks.next = step(blocks.index, places, blocks.values)
    left = [(type, value) for (type, _), value in zip(carry, blocks.values, strict=True)]
    wide = f"<{b.width} x i64>"
    last = b.splat(b.op("sub", tile.end, "1", "i64"), "i64")
    with b.loop(whole, tile.end, str(b.width), carry=left) as vectors:
        lanes = lane_rows(b, vectors.index)
        inside = b.compare_int("sle", lanes, last, wide)
        read = b.let(f"select {b.mask} {inside}, {wide} {lanes}, {wide} {last}")
        column = frame.at_lanes(leaves, read, "splat (i1 true)", ir.COLUMN)
        column.mask = inside
        vectors.next = step(vectors.index, [[merged(column, row) for row in rows]], vectors.values)
    return vectors.values


def add_term(b: Builder, total: str, term: Scalar, known: Known) -> str:
    """total + term where there is a pair, in one instruction if the term is a product."""
    if isinstance(term, Apply) and term.instr.name == "mul" and term not in known:
        new = b.fma(*evaluate(b, term.inside, known), total)
    else:
        new = b.add(total, *evaluate(b, [term], known))
    return b.select(known.mask, new, total) if known.mask else new
