"""Programs as text, for golden tests and for eyes."""

from __future__ import annotations

from collections.abc import Iterable

from .program import (
    Accumulator,
    Extremum,
    ListOutput,
    Lowest,
    Program,
    ShiftedExp,
    Total,
    roots,
)
from .scalar import (
    COMPONENT,
    PAIR,
    PARAMETER,
    RATE_NAMES,
    Apply,
    Centre,
    Column,
    Const,
    Each,
    Fold,
    Guard,
    Index,
    Load,
    Scalar,
    State,
    topological,
    width,
)


def show(program: Program) -> str:
    """The program by how often each line runs: parameters, columns, rows, pairs, outputs."""
    names: dict[Scalar, str] = {}
    stored = "" if program.stored == program.dtype else f" on {program.stored}"
    lines = [f"program {program.dtype}{stored}"]
    lines += [f"  v{slot}: {given.axis} {given.dim}" for slot, given in enumerate(program.inputs)]
    cut = program.schedule
    extra = f" columns={cut.columns}" if cut.columns > 1 else ""
    extra += f" components={cut.components}" if cut.components > 1 else ""
    extra += f" chunk={cut.chunk}" if cut.chunk else ""
    lines.append(f"schedule row_vectors={cut.row_vectors} tile={cut.tile}{extra}")
    sections: dict[int, list[str]] = {rate: [] for rate in range(len(RATE_NAMES))}
    ends = program.given
    _statements([*program.columns, *roots(program.accumulator)], names, sections)
    stored, place = [], 0
    for root in program.columns:
        name = f"c[{_place(place, 1)}]" if isinstance(root, Each) else f"c{place}"
        stored.append(f"column {name} = {names[root]}")
        place += width(root)
    outputs: dict[int, list[str]] = {rate: [] for rate in range(len(RATE_NAMES))}
    _statements(ends, names, outputs, prefix="o")
    sections[PARAMETER] += outputs[PARAMETER]
    for rate, heading in ((0, "once"), (2, "for each column"), (1, "for each row")):
        body = sections[rate] + (stored if rate == 2 else [])
        if body:
            lines += [f"{heading}:", *(f"  {line}" for line in body)]
    lines += ["for each pair:", *(f"  {line}" for line in sections[3])]
    lines.append(f"  {_accumulate(program.accumulator, names)}")
    if program.distance:
        lines.append(f"  passed over by integers of {program.distance.count} coordinates")
    lines += ["at the end of each row:", *(f"  {line}" for line in outputs[1])]
    for k, output in enumerate(program.outputs):
        over = ""
        if isinstance(output, ListOutput):
            values = "list of columns" if output.indices else "list of values"
        else:
            values = ", ".join(names[value] for value in output.values)
            over = ", summed over rows," if output.over_rows else ""
        lines.append(f"  output {k} {output.dtype}{over} = {values} (empty {output.empty})")
    return "\n".join(lines)


def _statements(
    ends: Iterable[Scalar], names: dict[Scalar, str], sections: dict[int, list[str]], prefix="t"
) -> None:
    """Names what `ends` are made of, with a line each in the section of its rate.

    What is inside of a loop over components is an indented line before the line of the loop.
    """
    for scalar in topological(ends):
        if scalar in names:
            continue
        lines = sections[scalar.rate & PAIR]
        fresh = f"{prefix}{sum(map(len, sections.values()))}"
        indent = "  " if scalar.rate & COMPONENT else ""
        match scalar:
            case Const(value=value):
                names[scalar] = repr(value)
            case Load(slot=slot, k=k, stride=stride):
                names[scalar] = f"v{slot}[{_place(k, stride)}]"
            case Centre(slot=slot, k=k, stride=stride):
                names[scalar] = f"centre of v{slot}[{_place(k, stride)}]"
            case Column(k=k, stride=stride):
                names[scalar] = f"c[{_place(k, stride)}]" if stride else f"c{k}"
            case State(k=k, stride=stride):
                names[scalar] = f"state[{_place(k, stride)}]" if stride else f"state{k}"
            case Index(k=k):
                names[scalar] = f"index{k}"
            case Apply(instr=instr, operands=operands):
                names[scalar] = fresh
                inside = ", ".join(names[operand] for operand in operands)
                lines.append(f"{indent}{fresh} = {instr.name}({inside})")
            case Fold(body=body, count=count):
                names[scalar] = fresh
                lines.append(f"{fresh} = sum of {names[body]} over k < {count}")
            case Guard(fast=fast, exact=exact, bound=bound):
                names[scalar] = fresh
                lines.append(
                    f"{fresh} = {names[fast]} if it is at least {names[bound]}, else {names[exact]}"
                )
            case Each(body=body, count=count):
                names[scalar] = f"{names[body]} for k < {count}"


def _place(k: int, stride: int) -> str:
    if not stride:
        return str(k)
    step = "k" if stride == 1 else f"{stride} k"
    return f"{k} + {step}" if k else step


def _accumulate(accumulator: Accumulator, names: dict[Scalar, str]) -> str:
    inside = ", ".join(names[root] for root in roots(accumulator))
    match accumulator:
        case Total():
            return f"total({inside})"
        case ShiftedExp(exponents, weights, exact):
            exponents = ", ".join(names[x] for x in exponents)
            weights = ", ".join(names[x] for x in weights)
            return f"shifted_exp({exponents}; {weights}{'; exact' if exact else ''})"
        case Lowest(count=count):
            return f"lowest {count}({inside})"
        case Extremum(sense=sense):
            return f"{sense}imum({inside})"
