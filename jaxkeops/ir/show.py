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
    PARAMETER,
    RATE_NAMES,
    Apply,
    Column,
    Const,
    Index,
    Load,
    Scalar,
    State,
    topological,
)


def show(program: Program) -> str:
    """The program by how often each line runs: parameters, columns, rows, pairs, outputs."""
    names: dict[Scalar, str] = {}
    stored = "" if program.stored == program.dtype else f" on {program.stored}"
    lines = [f"program {program.dtype}{stored}"]
    lines += [f"  v{slot}: {given.axis} {given.dim}" for slot, given in enumerate(program.inputs)]
    cut = program.schedule
    lines.append(f"schedule row_vectors={cut.row_vectors} tile={cut.tile}")
    sections: dict[int, list[str]] = {rate: [] for rate in range(len(RATE_NAMES))}
    ends = program.given
    _statements([*program.columns, *roots(program.accumulator)], names, sections)
    stored = [f"column c{k} = {names[root]}" for k, root in enumerate(program.columns)]
    outputs: dict[int, list[str]] = {rate: [] for rate in range(len(RATE_NAMES))}
    _statements(ends, names, outputs, prefix="o")
    sections[PARAMETER] += outputs[PARAMETER]
    for rate, heading in ((0, "once"), (2, "for each column"), (1, "for each row")):
        body = sections[rate] + (stored if rate == 2 else [])
        if body:
            lines += [f"{heading}:", *(f"  {line}" for line in body)]
    lines += ["for each pair:", *(f"  {line}" for line in sections[3])]
    lines.append(f"  {_accumulate(program.accumulator, names)}")
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
    for scalar in topological(ends):
        if scalar in names:
            continue
        match scalar:
            case Const(value=value):
                names[scalar] = repr(value)
            case Load(slot=slot, k=k):
                names[scalar] = f"v{slot}[{k}]"
            case Column(k=k):
                names[scalar] = f"c{k}"
            case State(k=k):
                names[scalar] = f"state{k}"
            case Index(k=k):
                names[scalar] = f"index{k}"
            case Apply(instr=instr, operands=operands):
                names[scalar] = f"{prefix}{sum(map(len, sections.values()))}"
                inside = ", ".join(names[operand] for operand in operands)
                sections[scalar.rate].append(f"{names[scalar]} = {instr.name}({inside})")


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
