"""Renders what is computed once for each column: the function that fills the scratch.

Lanes are columns. Where many components are computed of a column, and of nothing else of it, lanes
are components instead: these lie side by side, in the arrays and in the scratch.
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...ir import (
    COLUMN,
    COMPONENT,
    PARAMETER,
    Centre,
    Column,
    Each,
    Fold,
    Load,
    Program,
    Scalar,
)
from .along import along
from .builder import Builder
from .evaluate import component, evaluate, prepare
from .fixed_columns import fill_records
from .frame import Frame, below, cells, lane_rows, leaves_at


def emit_columns(b: Builder, program: Program) -> None:
    """The body of `columns(call, begin, end)`."""
    frame = Frame(b, program, program.columns)
    places, place = [], 0
    for value in program.columns:
        places.append((place, value))
        place += ir.width(value)
    side_by_side = [(k, value) for k, value in places if _runs_along(value)]
    across = [(k, value) for k, value in places if not _runs_along(value)]
    if across:
        _lanes_are_columns(frame, across)
    for count in dict.fromkeys(value.count for _, value in side_by_side):
        _lanes_are_components(
            frame, count, [part for part in side_by_side if part[1].count == count]
        )
    if program.distance:
        fill_records(b, program)
    b.ret()


def _lanes_are_columns(frame: Frame, values: Sequence[tuple[int, Scalar]]) -> None:
    b, width = frame.b, frame.program.column_width
    leaves = leaves_at(COLUMN, [value for _, value in values])
    with b.loop("%begin", "%end", str(b.width)) as block:
        columns = lane_rows(b, block.index)
        mask = below(b, columns, "%end")
        known = frame.at_lanes(leaves, columns, mask, COLUMN)
        for k, value in values:
            if isinstance(value, Each):
                prepare(b, [value.body], known)
                with b.loop("0", str(value.count), nonempty=True) as turns:
                    name = component(b, value.body, known, turns.index)
                    where = cells(b, columns, width, k, 1, turns.index)
                    b.scatter(name, b.addresses(frame.columns, where), mask)
            else:
                (name,) = evaluate(b, [value], known)
                where = cells(b, columns, width, k)
                b.scatter(name, b.addresses(frame.columns, where), mask)


def _runs_along(value: Scalar) -> bool:
    """Whether its loop takes neighbouring numbers of the column, and what all columns share."""
    if not isinstance(value, Each | Fold):
        return False
    return all(
        part.stride == 1 if part.rate & COMPONENT else part.rate == PARAMETER
        for part in ir.topological([value.body])
        if isinstance(part, Load | Centre | Column) or not part.rate & COMPONENT
    )


def _lanes_are_components(
    frame: Frame, count: int, values: Sequence[tuple[int, Each | Fold]]
) -> None:
    b, scalar = frame.b, frame.scalar
    whole = count // b.width * b.width
    sums = [value for _, value in values if isinstance(value, Fold)]
    with b.loop("%begin", "%end") as columns:
        j = columns.index
        index = b.op("mul", j, str(frame.program.column_width), "i64")
        row = b.address(frame.columns, index)
        totals = [b.const(0.0)] * len(sums)
        if whole:
            carry = [(b.type, name) for name in totals]
            with b.loop("0", str(whole), str(b.width), carry=carry, nonempty=True) as turns:
                turns.next = _add_components(frame, values, j, row, turns.index, turns.values, "")
            totals = turns.values
        if whole < count:
            left = ", ".join(
                f"i1 {'true' if lane < count - whole else 'false'}" for lane in range(b.width)
            )
            totals = _add_components(frame, values, j, row, str(whole), totals, f"<{left}>")
        found = iter(totals)
        for k, value in values:
            if isinstance(value, Fold):
                total = b.fold(next(found), Builder.add)
                scalar.store(total, scalar.address(row, str(k)))


def _add_components(
    frame: Frame,
    values: Sequence[tuple[int, Each | Fold]],
    j: str,
    row: str,
    c: str,
    totals: Sequence[str],
    mask: str,
) -> list[str]:
    """Stores components c, c + 1, ... of column `j`, and adds those that are summed to totals."""
    b = frame.b
    names = along(frame, [value.body for _, value in values], j, c, mask)
    held, result = iter(totals), []
    for (k, value), name in zip(values, names, strict=True):
        if isinstance(value, Fold):
            if mask:
                name = b.select(mask, name, b.const(0.0))
            result.append(b.add(next(held), name))
            continue
        place = b.address(b.address(row, c), str(k))
        if mask:
            b.masked_store(name, place, mask)
        else:
            b.store(name, place)
    return result
