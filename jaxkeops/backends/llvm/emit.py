"""Renders a program as LLVM text: lanes are rows, columns are walked one by one.

Two functions come out, called through the interface of csrc/core/kernel.h: `rows` fills rows of
the outputs; `columns`, only there if the program has column values, fills rows of the scratch.
"""

from __future__ import annotations

from ... import ir
from ...ir import Index, ListOutput, Program, State
from ...ir.machine import Machine
from .accumulators import Totals, accumulate, list_bytes
from .builder import Builder, Module
from .frame import Frame, Known, below, cells, evaluate, lane_rows, leaves_at, merged
from .store import store

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


def workspace_bytes(program: Program, machine: Machine) -> int:
    """How much memory of its own a call of `rows` needs."""
    lanes = machine.lanes(program.dtype)
    return list_bytes(program, lanes, machine.vector_bytes // lanes)


def _view(module: Module, name: str, program: Program, machine: Machine) -> Builder:
    return module.function(name, ARGUMENTS).at(program.dtype, machine.lanes(program.dtype))


def _rows(module: Module, program: Program, machine: Machine) -> None:
    b = _view(module, "rows", program, machine)
    taken = ir.roots(program.accumulator)
    frame = Frame(b, program, (*taken, *program.given))
    with_index = any(isinstance(value, Index) for value in program.given)
    summed = [
        output.width
        for output in program.outputs
        if not isinstance(output, ListOutput) and output.over_rows
    ]
    totals = Totals(b, sum(summed))
    block_rows = str(row_block(program, machine))
    with b.loop("%begin", "%end", block_rows, carry=totals.start(), nonempty=True) as block:
        vectors = []
        for r in range(program.schedule.row_vectors):
            first = b.op("add", block.index, str(r * b.width), "i64")
            vectors.append(_row_values(frame, first, (*taken, *program.given)))
        reduced = accumulate(frame, [known for _, _, known in vectors], with_index)
        held = block.values
        for (first, rows, known), result in zip(vectors, reduced, strict=True):
            held = totals.add(held, store(frame, first, rows, known, result))
        block.next = held
    for k, total in enumerate(totals.over_lanes(block.values)):
        double = b.at("float64", 1)
        double.store(total, double.address(frame.partials(), str(k)))
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
