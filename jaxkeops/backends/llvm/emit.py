"""Renders a program as LLVM text: lanes are rows, columns are walked one by one.

Functions come out that are called through the interface of csrc/core/kernel.h: `rows` fills rows
of the outputs; `columns`, only there if the program has column values, fills rows of the scratch.
For few rows there is another `rows`, a text of its own: its lanes are columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import ir
from ...ir import Each, Index, Program, Scalar
from ...ir.machine import Machine
from .accumulators import Totals, accumulation
from .builder import Builder, Module
from .columns import emit_columns
from .fixed_point import emit_step, reciprocal_of_step
from .fixed_rows import fixed_rows
from .frame import Frame
from .layout import MOST_COLUMNS, Layout
from .parts import carry_columns
from .rows import Rows
from .store import store

ARGUMENTS = (("call", "ptr"), ("begin", "i64"), ("end", "i64"))


def emit(program: Program, machine: Machine) -> str:
    """LLVM text of `program` for a machine."""
    module = Module(machine)
    b = _view(module, "rows", program, machine)
    roots = _roots(program)
    coordinates = program.distance.rows if program.distance else ()
    frame = Frame(b, program, (*roots, *coordinates))
    _blocks(frame, roots, Layout(program, machine), program.schedule.row_vectors)
    if program.distance:
        emit_step(module, program)
    if program.column_width:
        emit_columns(_view(module, "columns", program, machine), program)
    return module.text()


def emit_few(program: Program, machine: Machine) -> str:
    """The same for few rows: one after the other, all lanes coming together at the end."""
    module = Module(machine)
    b = _view(module, "rows", program, machine)
    roots = _roots(program)
    frame = Frame(b, program, roots, lanes_are_columns=True)
    _blocks(frame, roots, Layout(program, machine), 1)
    return module.text()


def row_block(program: Program, machine: Machine) -> int:
    """How many rows one pass over the columns serves."""
    return program.schedule.row_vectors * machine.lanes(program.dtype)


def workspace_bytes(program: Program, machine: Machine) -> int:
    """How much memory of its own a call of `rows` needs."""
    return Layout(program, machine).bytes


def most_columns(program: Program) -> int:
    """How many columns a call of `rows` can number."""
    return MOST_COLUMNS if isinstance(program.accumulator, ir.Lowest) else 2**63 - 1


def _view(module: Module, name: str, program: Program, machine: Machine) -> Builder:
    return module.function(name, ARGUMENTS).at(program.dtype, machine.lanes(program.dtype))


def _roots(program: Program) -> tuple[Scalar, ...]:
    return (*ir.roots(program.accumulator), *program.given)


def _blocks(frame: Frame, roots: Sequence[Scalar], layout: Layout, count: int) -> None:
    """Emits the loop over blocks of `count` vectors of rows, or of one row in all lanes."""
    b, single = frame.b, frame.lanes_are_columns
    with_index = any(isinstance(value, Index) for value in frame.program.given)
    places = _start_partials(frame)
    totals = Totals(b, len(places))
    reciprocal = "" if single or not frame.program.schedule.chunk else _reciprocal(frame)
    step = "1" if single else str(count * b.width)
    with b.loop("%begin", "%end", step, carry=totals.start(), nonempty=True) as block:
        end = b.op("add", block.index, "1", "i64") if single else "%end"
        rows = Rows(frame, layout, block.index, end, count, roots)
        fixed = fixed_rows(frame, layout, rows.known[0], reciprocal) if reciprocal else None
        made = accumulation(frame, layout, rows.known, with_index, fixed)
        carried = carry_columns(frame, layout, made, rows.known)
        if single:
            carried = made.across(carried)
        held = block.values
        results = made.finish(rows.known, carried)
        for first, numbers, known, result in zip(
            rows.firsts, rows.numbers, rows.known, results, strict=True
        ):
            held = totals.add(held, store(frame, first, end, numbers, known, result))
        block.next = held
    for place, total in zip(places, totals.over_lanes(block.values), strict=True):
        double = b.at("float64", 1)
        double.store(total, double.address(frame.partials(), str(place)))
    b.ret()


def _reciprocal(frame: Frame) -> str:
    """That of the step of the fixed point, if columns have records in it."""
    b = frame.b
    some = b.let(f"icmp ne ptr {frame.columns}, null")
    with b.when(some, [(b.type, b.const(0.0))]) as arm:
        arm.next = [reciprocal_of_step(b)]
    return arm.values[0]


def _start_partials(frame: Frame) -> list[int]:
    """The numbers of the sums over rows that are carried; the others, in memory, become zero."""
    double = frame.b.at("float64", 1)
    carried, place = [], 0
    for output in frame.program.outputs:
        if not (isinstance(output, ir.Output) and output.over_rows):
            continue
        for value in output.values:
            if isinstance(value, Each):
                partials = double.address(frame.partials(), str(place))
                count = frame.b.let(f"select i1 {frame.writes}, i64 {value.count}, i64 0")
                with frame.b.loop("0", count) as turns:
                    double.store(double.const(0.0), double.address(partials, turns.index))
            else:
                carried.append(place)
            place += ir.width(value)
    return carried
