"""Renders a program as LLVM text: lanes are rows, columns are walked one by one.

Two functions come out, called through the interface of csrc/core/kernel.h: `rows` fills rows of
the outputs; `columns`, only there if the program has column values, fills rows of the scratch.
"""

from __future__ import annotations

from ... import ir
from ...ir import Index, ListOutput, Output, Program, State
from ...ir.machine import Machine
from .accumulators import Reduced, accumulate
from .builder import Builder, Module
from .frame import Frame, Known, below, cells, evaluate, lane_rows, leaves_at, merged

ARGUMENTS = (("call", "ptr"), ("begin", "i64"), ("end", "i64"))


def emit(program: Program, machine: Machine) -> str:
    """LLVM text of `program` for a machine."""
    module = Module(machine)
    _rows(module, program, machine)
    if program.columns:
        _columns(module, program, machine)
    return module.text()


def row_block(program: Program, machine: Machine) -> int:
    """How many rows one pass over the columns serves."""
    return program.schedule.row_vectors * machine.lanes(program.dtype)


def _view(module: Module, name: str, program: Program, machine: Machine) -> Builder:
    return module.function(name, ARGUMENTS).at(program.dtype, machine.lanes(program.dtype))


def _rows(module: Module, program: Program, machine: Machine) -> None:
    b = _view(module, "rows", program, machine)
    taken = ir.roots(program.accumulator)
    given = [v for output in program.outputs if isinstance(output, Output) for v in output.values]
    frame = Frame(b, program, (*taken, *given))
    with_index = any(isinstance(value, Index) for value in given)
    with b.loop("%begin", "%end", str(row_block(program, machine))) as block:
        vectors = []
        for r in range(program.schedule.row_vectors):
            first = b.op("add", block.index, str(r * b.width), "i64")
            vectors.append(_row_values(frame, first, (*taken, *given)))
        reduced = accumulate(frame, [known for _, _, known in vectors], with_index)
        for (first, rows, known), result in zip(vectors, reduced, strict=True):
            _store(frame, first, rows, known, result)
    b.ret()


def _row_values(frame: Frame, first: str, roots) -> tuple[str, str, Known]:
    """What one vector of rows knows before the columns: its loads and what follows from them.

    Lanes beyond the last row repeat it, so that no lane computes what no row asked for.
    """
    b = frame.b
    type = f"<{b.width} x i64>"
    rows = lane_rows(b, first)
    last = b.splat(b.op("sub", "%end", "1", "i64"), "i64")
    inside = b.compare_int("slt", rows, last, type)
    read = b.let(f"select {b.mask} {inside}, {type} {rows}, {type} {last}")
    loads = frame.at_lanes(leaves_at(ir.ROW, roots), read, "splat (i1 true)")
    known = merged(frame.parameters, loads)
    order = ir.topological(roots)
    states = {s for s in order if isinstance(s, State | Index)}
    for scalar in order:
        if isinstance(scalar, ir.Apply) and any(o in states for o in scalar.operands):
            states.add(scalar)
    hoisted = [s for s in order if isinstance(s, ir.Apply) and s.rate == ir.ROW and s not in states]
    evaluate(b, hoisted, known)
    return first, rows, known


def _store(frame: Frame, first: str, rows: str, known: Known, result: Reduced) -> None:
    b = frame.b
    mask = below(b, rows, "%end")
    known = merged(known)
    for number, output in enumerate(frame.program.outputs):
        pointer = b.load(b.address(frame.outputs, str(number), "ptr"), "ptr", 8)
        element = {"int32": "i32", "int64": "i64"}.get(output.dtype, b.element)
        if isinstance(output, ListOutput):
            _store_lists(frame, pointer, element, rows, mask, output, result)
            continue
        for leaf in ir.topological(output.values):
            if isinstance(leaf, State):
                known[leaf] = result.states[leaf.k]
        for k, value in enumerate(output.values):
            if isinstance(value, Index):
                name = _as_index(b, result.indices[value.k], element)
            else:
                (name,) = evaluate(b, [value], known)
            if output.width == 1:
                b.masked_store(name, b.address(pointer, first, element), mask, element)
            else:
                where = cells(b, rows, output.width, k)
                b.scatter(name, b.addresses(pointer, where, element), mask, element)


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
            column = b.op("mul", entry.index, str(each), "i64")
            where = b.let(f"add {type} {cells(b, rows, output.width, k)}, {b.splat(column, 'i64')}")
            b.scatter(name, b.addresses(pointer, where, element), mask, element)


def _as_index(b: Builder, name: str, element: str) -> str:
    """An i64 of each lane as the integer of an output."""
    if element == "i64":
        return name
    return b.convert("trunc", name, f"<{b.width} x i64>", f"<{b.width} x {element}>")


def _columns(module: Module, program: Program, machine: Machine) -> None:
    b = _view(module, "columns", program, machine)
    frame = Frame(b, program, program.columns)
    leaves = leaves_at(ir.COLUMN, program.columns)
    with b.loop("%begin", "%end", str(b.width)) as block:
        columns = lane_rows(b, block.index)
        mask = below(b, columns, "%end")
        known = merged(frame.parameters, frame.at_lanes(leaves, columns, mask))
        for k, name in enumerate(evaluate(b, program.columns, known)):
            where = cells(b, columns, len(program.columns), k)
            b.scatter(name, b.addresses(frame.columns, where), mask)
    b.ret()
