"""What becomes of a vector of rows once all columns are in: outputs, written row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ... import ir
from ...ir import ROW, Each, Index, ListOutput, Load, Output, Scalar, State
from .accumulators import Reduced, Totals
from .builder import Builder
from .evaluate import Known, component, evaluate, merged, prepare, with_components
from .frame import Frame, below, cells, lane_rows
from .layout import INDEX
from .spelling import item_bytes, vector
from .storage import before_store, element as element_of
from .transpose import from_lanes, piece_lanes


def store(
    frame: Frame, first: str, end: str, rows: str, known: Known, result: Reduced
) -> list[str]:
    """Writes the outputs of one vector of rows, from number `first` on, below `end`.

    Gives what goes into the sums over rows, 0 in the lanes beyond the last row, but for sums of
    many components: those grow in memory.
    """
    b = frame.b
    mask = below(b, rows, end)
    known = _with_states(b, known, frame.program.outputs, result)
    summed, partial = [], 0
    for number, output in enumerate(frame.program.outputs):
        if isinstance(output, Output) and output.over_rows:
            for value in output.values:
                if isinstance(value, Each):
                    _add_partials(frame, partial, value, known, mask)
                else:
                    (name,) = evaluate(b, [value], known)
                    summed.append(b.select(mask, name, b.const(0.0)))
                partial += ir.width(value)
            continue
        pointer = b.load(b.address(frame.outputs, str(number), "ptr"), "ptr", 8)
        element = element_of(output.dtype)
        if isinstance(output, ListOutput):
            _store_lists(frame, pointer, element, rows, mask, output, result)
            continue
        k = 0
        for value in output.values:
            if isinstance(value, Each):
                where = _Place(pointer, element, output, k)
                _store_each(b, where, first, end, rows, mask, value, known)
            else:
                if isinstance(value, Index):
                    name = _as_index(b, result.indices[value.k], element)
                else:
                    (name,) = evaluate(b, [value], known)
                    name = before_store(b, name, output.dtype)
                if output.width == 1:
                    b.masked_store(name, b.address(pointer, first, element), mask, element)
                else:
                    where = cells(b, rows, output.width, k)
                    b.scatter(name, b.addresses(pointer, where, element), mask, element)
            k += ir.width(value)
    return summed


def _with_states(
    b: Builder, known: Known, outputs: Sequence[Output | ListOutput], result: Reduced
) -> Known:
    """What a row knows once it is reduced."""
    values = [v for output in outputs if isinstance(output, Output) for v in output.values]
    rows, after = known.sources[ROW], merged(known)
    for leaf in ir.topological(values):
        if isinstance(leaf, State) and not leaf.stride:
            if leaf.k in result.states:
                after[leaf] = result.states[leaf.k]
            else:
                assert result.stored is not None, leaf
                after[leaf] = result.stored(str(leaf.k))

    def number(leaf: Scalar, c: str) -> str:
        if isinstance(leaf, Load):
            return rows(leaf, c)
        assert isinstance(leaf, State), leaf
        assert result.stored is not None, leaf
        place = c if leaf.stride == 1 else b.op("mul", c, str(leaf.stride), "i64")
        return result.stored(b.op("add", place, str(leaf.k), "i64") if leaf.k else place)

    names: dict[tuple[Scalar, str], str] = {}
    after.sources[ROW] = lambda scalar, c: with_components(b, [scalar], after, names, c, number)[0]
    return after


@dataclass(frozen=True)
class _Place:
    """Columns of an output from number `k` on; `pointer` is where its first row is."""

    pointer: str
    element: str
    output: Output
    k: int


def _store_each(
    b: Builder,
    place: _Place,
    first: str,
    end: str,
    rows: str,
    mask: str,
    value: Each,
    known: Known,
) -> None:
    """Writes all components: turned, row by row, where all lanes have a row; else lane by lane."""
    prepare(b, [value.body], known)
    dtype, width, count = place.output.dtype, place.output.width, value.count
    scattered, lanes = str(count), piece_lanes(b)
    if count >= lanes:
        beyond = b.compare_int("sgt", b.op("add", first, str(b.width), "i64"), end, "i64")
        scattered = b.let(f"select i1 {beyond}, i64 {count}, i64 0")
        whole = b.let(f"select i1 {beyond}, i64 0, i64 {count}")
        begin = b.op("mul", first, str(width), "i64")
        output = b.address(place.pointer, begin, place.element)
        piece, type = b.at(width=lanes), vector(place.element, lanes)
        with b.loop("0", whole, str(lanes)) as turns:
            # Whole pieces to the end: the last one overlaps the one before.
            inside = b.compare_int("slt", turns.index, str(count - lanes), "i64")
            start = b.let(f"select i1 {inside}, i64 {turns.index}, i64 {count - lanes}")
            names = [
                component(b, value.body, known, b.op("add", start, str(number), "i64"))
                for number in range(lanes)
            ]
            into = b.address(output, start, place.element)
            for lane, name in enumerate(from_lanes(b, names)):
                where = b.address(into, str(lane * width + place.k), place.element)
                stored = before_store(piece, name, dtype)
                b.store(stored, where, type, item_bytes(place.element))
    with b.loop("0", scattered) as turns:
        name = before_store(b, component(b, value.body, known, turns.index), dtype)
        where = cells(b, rows, width, place.k, 1, turns.index)
        addresses = b.addresses(place.pointer, where, place.element)
        b.scatter(name, addresses, mask, place.element)


def _add_partials(frame: Frame, first: int, value: Each, known: Known, mask: str) -> None:
    """Adds the rows of one vector to the sums over rows from number `first` on."""
    b = frame.b
    double, totals = b.at("float64", 1), Totals(b, 1)
    partials = frame.partials()
    prepare(b, [value.body], known)
    with b.loop("0", str(value.count), nonempty=True) as turns:
        name = component(b, value.body, known, turns.index)
        inside = b.select(mask, name, b.const(0.0))
        zeros = [zero for _, zero in totals.start()]
        (sum,) = totals.over_lanes(totals.add(zeros, [inside]))
        place = double.address(double.address(partials, turns.index), str(first))
        double.store(double.add(double.load(place), sum), place)


def _store_lists(
    frame: Frame,
    pointer: str,
    element: str,
    rows: str,
    mask: str,
    output: ListOutput,
    result: Reduced,
) -> None:
    """The lists of lanes that have a row, one after the other."""
    b = frame.b
    each = len(result.lists)
    count = output.width // each
    wide = f"<{b.width} x i64>"
    with b.loop("0", str(b.width), nonempty=True) as lanes:
        row = b.extract(rows, lanes.index, wide)
        there = b.let(f"extractelement {b.mask} {mask}, i64 {lanes.index}")
        # Entries beyond the last are below the end of no list, so nothing is written.
        entries = b.let(f"select i1 {there}, i64 {count}, i64 0")
        start = b.op("mul", lanes.index, str(result.list_length), "i64")
        first = b.op("mul", row, str(output.width), "i64")
        with b.loop("0", entries, str(b.width)) as turns:
            place = lane_rows(b, turns.index)
            inside = below(b, place, str(count))
            offset = b.op("add", start, turns.index, "i64")
            for k, (values, columns) in enumerate(result.lists):
                if output.indices:
                    type = f"<{b.width} x {INDEX}>"
                    name = b.load(b.address(columns, offset, INDEX), type, 4)
                    name = _as_index(b, b.convert("zext", name, type, wide), element)
                else:
                    name = b.load(b.address(values, offset), b.type)
                    name = before_store(b, name, output.dtype)
                begin = b.op("add", first, str(k), "i64")
                where = b.let(f"add {wide} {cells(b, place, each, 0)}, {b.splat(begin, 'i64')}")
                b.scatter(name, b.addresses(pointer, where, element), inside, element)


def _as_index(b: Builder, name: str, element: str) -> str:
    """An i64 of each lane as the integer of an output."""
    if element == "i64":
        return name
    return b.convert("trunc", name, f"<{b.width} x i64>", f"<{b.width} x {element}>")
