"""Columns split over several calls: what each carries is kept, and merged by another call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .accumulators import Accumulation, over_tiles
from .evaluate import Known
from .frame import Frame
from .layout import Layout
from .spelling import type_bytes


def carry_columns(
    frame: Frame, layout: Layout, made: Accumulation, rows: Sequence[Known]
) -> list[str]:
    """What is carried once the columns of a call are in, or the parts that other calls kept.

    A call that writes no output keeps what it carries in its workspace; one that resumes starts
    from that.
    """
    b = frame.b
    walk, merge, after = b.label("walk"), b.label("merge"), b.label("carried")
    keep, done = b.label("keep"), b.label("kept")
    carry = _first_carry(frame, layout, made, rows)
    types = [type for type, _ in carry]
    b.branch(b.compare_int("sgt", frame.parts, "0", "i64"), merge, walk)

    b.place(walk)
    cut = frame.program.schedule
    walked = over_tiles(
        frame,
        carry,
        cut.tile if frame.lanes_are_columns else cut.chunk or cut.tile,
        lambda tile, held: made.tile(rows, tile, held),
    )
    b.branch(frame.writes, after, keep)
    walked_to = b.block

    b.place(keep)
    for type, name, place in _places(frame, layout, types, walked, frame.workspace()):
        b.store(name, place, type, 8)
    b.jump(done)

    b.place(merge)
    merged = _merge(frame, layout, made, carry)
    merged_to = b.block
    b.jump(after)

    b.place(done)
    b.ret()
    b.place(after)
    return [
        b.phi(type, (x, walked_to), (y, merged_to))
        for type, x, y in zip(types, walked, merged, strict=True)
    ]


def _first_carry(
    frame: Frame, layout: Layout, made: Accumulation, rows: Sequence[Known]
) -> list[tuple[str, str]]:
    """What is carried at first: nothing yet, or what the workspace keeps, of the first part too."""
    b = frame.b
    fresh, kept, go = b.label("fresh"), b.label("held"), b.label("go")
    # Modes 0 and -1 start anew: see `struct Call`.
    again = b.compare_int("ugt", b.op("add", frame.parts, "1", "i64"), "1", "i64")
    b.branch(again, kept, fresh)
    b.place(fresh)
    carry = made.start(rows)
    types = [type for type, _ in carry]
    started = b.block
    b.jump(go)
    b.place(kept)
    held = _load(frame, layout, types, frame.workspace())
    b.jump(go)
    b.place(go)
    return [
        (type, b.phi(type, (first, started), (name, kept)))
        for (type, first), name in zip(carry, held, strict=True)
    ]


def _merge(
    frame: Frame, layout: Layout, made: Accumulation, carry: Sequence[tuple[str, str]]
) -> list[str]:
    """The first part, which is carried, with all others."""
    b, first = frame.b, frame.workspace()
    types = [type for type, _ in carry]
    with b.loop("1", frame.parts, carry=carry) as parts:
        offset = b.op("mul", parts.index, str(layout.bytes), "i64")
        other = b.address(first, offset, "i8")
        parts.next = made.merge(parts.values, _load(frame, layout, types, other), other)
    return parts.values


def _load(frame: Frame, layout: Layout, types: Sequence[str], workspace: str) -> list[str]:
    """What one part kept; it is past its first tile, which is all that flags say."""
    names = ["false"] * len(types)
    found = {
        position: frame.b.load(place, type, 8)
        for type, position, place in _places(frame, layout, types, range(len(types)), workspace)
    }
    return [found.get(position, name) for position, name in enumerate(names)]


def _places(
    frame: Frame, layout: Layout, types: Sequence[str], names: Sequence[Any], workspace: str
) -> Iterator[tuple[str, Any, str]]:
    offset = layout.carried
    for type, name in zip(types, names, strict=True):
        if type == "i1":
            continue
        yield type, name, frame.b.address(workspace, str(offset), "i8")
        offset += type_bytes(type)
    assert offset <= layout.bytes, (types, layout.carried)
