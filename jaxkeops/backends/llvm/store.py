"""What becomes of a vector of rows once all columns are in: outputs, written row by row."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...ir import Index, ListOutput, Scalar, State
from .accumulators import Reduced
from .builder import Builder
from .frame import Frame, Known, below, cells, evaluate, merged
from .storage import before_store, element as element_of


def store(frame: Frame, first: str, rows: str, known: Known, result: Reduced) -> list[str]:
    """Writes the outputs of one vector of rows, from number `first` on.

    Gives what goes into the sums over rows, 0 in the lanes beyond the last row.
    """
    b = frame.b
    mask = below(b, rows, "%end")
    known = merged(known)
    summed = []
    for number, output in enumerate(frame.program.outputs):
        if not isinstance(output, ListOutput):
            _know_states(known, output.values, result)
            if output.over_rows:
                names = evaluate(b, output.values, known)
                summed += [b.select(mask, name, b.const(0.0)) for name in names]
                continue
        pointer = b.load(b.address(frame.outputs, str(number), "ptr"), "ptr", 8)
        element = element_of(output.dtype)
        if isinstance(output, ListOutput):
            _store_lists(frame, pointer, element, rows, mask, output, result)
            continue
        for k, value in enumerate(output.values):
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
    return summed


def _know_states(known: Known, values: Sequence[Scalar], result: Reduced) -> None:
    for leaf in ir.topological(values):
        if isinstance(leaf, State):
            known[leaf] = result.states[leaf.k]


def _store_lists(
    frame: Frame,
    pointer: str,
    element: str,
    rows: str,
    mask: str,
    output: ListOutput,
    result: Reduced,
) -> None:
    b = frame.b
    each = len(result.lists)
    type = f"<{b.width} x i64>"
    with b.loop("0", str(output.width // each), nonempty=True) as entry:
        for k, (values, columns) in enumerate(result.lists):
            if output.indices:
                name = b.load(b.address(columns, entry.index, type), type, 8)
                name = _as_index(b, name, element)
            else:
                name = b.load(b.address(values, entry.index, b.type), b.type)
                name = before_store(b, name, output.dtype)
            column = b.op("mul", entry.index, str(each), "i64")
            where = b.let(f"add {type} {cells(b, rows, output.width, k)}, {b.splat(column, 'i64')}")
            b.scatter(name, b.addresses(pointer, where, element), mask, element)


def _as_index(b: Builder, name: str, element: str) -> str:
    """An i64 of each lane as the integer of an output."""
    if element == "i64":
        return name
    return b.convert("trunc", name, f"<{b.width} x i64>", f"<{b.width} x {element}>")
