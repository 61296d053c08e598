"""What is written of a row once all columns are in: the end of the program as C++ functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ... import ir
from ...ir import Each, Index, ListOutput, Output, Program, State
from .body import Body, function
from .cut import Cut
from .spelling import TYPES, number
from .values import loads

CALL = "const Call &call"
ELEMENT = "Index element"


def total_widths(program: Program) -> list[tuple[int, Output]]:
    """(number, output) of those that are summed over the rows."""
    return [
        (number, output)
        for number, output in enumerate(program.outputs)
        if isinstance(output, Output) and output.over_rows
    ]


def output_functions(program: Program, cut: Cut, in_memory: bool) -> str:
    """`finish` for a row and its state, `finish_total`, and the fillers of empty reductions.

    in_memory: whether states are in the workspace.
    """
    row = [CALL, "const Arrays &arrays", ELEMENT, "Index row", "const State &state", "double *over"]
    total = [CALL, ELEMENT, "int k", "double sum"]
    return "\n".join(
        (
            function("void", "finish", row, _finish(program, cut, in_memory)),
            function("void", "finish_total", total, _finish_total(program)),
            function("void", "fill_row", [CALL, ELEMENT, "Index row"], _fill_row(program)),
            function("void", "fill_totals", [CALL, ELEMENT], _fill_totals(program)),
        )
    )


def _finish(program: Program, cut: Cut, in_memory: bool) -> list[str]:
    leaves = ir.topological(program.given)
    known = {leaf: _state(leaf, in_memory) for leaf in leaves if isinstance(leaf, State)}
    body = Body(known | loads(program, program.given))
    stores, totals = [], 0
    for slot, output in enumerate(program.outputs):
        if isinstance(output, ListOutput):
            array = "position" if output.indices else "value"
            if not cut.register_lists:
                stores += _stored_list(slot, output, array)
                continue
            names = [f"state.{array}[{k}]" for k in range(output.width)]
        else:
            if any(isinstance(value, Each) for value in output.values):
                _store_all(body, slot, output)
                continue
            names = [
                f"state.position[{value.k}]" if isinstance(value, Index) else body.names([value])[0]
                for value in output.values
            ]
        if isinstance(output, Output) and output.over_rows:
            stores += [f"over[{totals + k}] += {name};" for k, name in enumerate(names)]
            totals += output.width
        else:
            stores += _stores(slot, output, "element * call.M + row", names)
    return [*body.lines, *stores]


def _state(leaf: State, in_memory: bool) -> str:
    place = f"{leaf.k} + c * {leaf.stride}" if leaf.stride else f"{leaf.k}"
    return f"value_at(call, state, {place})" if in_memory else f"state.value[{place}]"


def _store_all(body: Body, slot: int, output: Output) -> None:
    """Stores values of which many differ by their component alone: loops."""
    body.lines += _stores(slot, output, "element * call.M + row", [])
    place = 0
    for value in output.values:
        if isinstance(value, Each):
            body.each(value, lambda name, at=place: f"put(out{slot} + {at} + c, {name});")
        else:
            body.lines.append(f"put(out{slot} + {place}, {body.names([value])[0]});")
        place += ir.width(value)


def _stored_list(slot: int, output: ListOutput, array: str) -> Iterator[str]:
    """Stores from the lists in the workspace, which are long: a loop."""
    yield from _stores(slot, output, "element * call.M + row", [])
    store = f"put(out{slot} + k, {array}_at(call, state, k));"
    yield f"for (int k = 0; k < {output.width}; ++k) {store}"


def _stores(
    slot: int, output: Output | ListOutput, where: str, names: Sequence[str]
) -> Iterator[str]:
    if output.width:
        type = TYPES[output.dtype]
        start = f"({type} *)call.outputs[{slot}] + ({where}) * {output.width}"
        yield f"{type} *const out{slot} = {start};"
    for k, name in enumerate(names):
        yield f"put(out{slot} + {k}, {name});"


def _finish_total(program: Program) -> Iterator[str]:
    """Number k of all sums over rows goes to its output."""
    begin = 0
    for slot, output in total_widths(program):
        type, end = TYPES[output.dtype], begin + output.width
        place = f"({type} *)call.outputs[{slot}] + element * {output.width} + (k - {begin})"
        yield f"if ({begin} <= k && k < {end}) put({place}, Real(sum));"
        begin = end


def _fill_row(program: Program) -> Iterator[str]:
    for slot, output in enumerate(program.outputs):
        if isinstance(output, ListOutput) or not output.over_rows:
            yield from _filled(slot, output, "element * call.M + row")


def _fill_totals(program: Program) -> Iterator[str]:
    for slot, output in total_widths(program):
        yield from _filled(slot, output, "element")


def _filled(slot: int, output: Output | ListOutput, where: str) -> Iterator[str]:
    empty = output.empty if isinstance(output.empty, tuple) else (output.empty,)
    integers = output.dtype in ("int32", "int64")
    names = [f"Index({int(value)})" if integers else number(value) for value in empty]
    if isinstance(output.empty, tuple):
        yield from _stores(slot, output, where, names)
    else:
        yield from _stores(slot, output, where, [])
        yield f"for (int k = 0; k < {output.width}; ++k) put(out{slot} + k, {names[0]});"
