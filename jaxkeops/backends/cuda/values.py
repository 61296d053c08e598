"""Which values a kernel keeps where: of parameters, of rows, of columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ... import ir
from ...ir import Apply, Column, Const, Load, Program, Scalar
from .body import Body, function

PARAMETERS = "const Real *p"
ROW_ARRAY = "const Real *u"
COLUMN_ARRAY = "const Real *v"


@dataclass(frozen=True)
class Values:
    """What pairs are computed from: arrays p, u and v of the kernel, in this order."""

    parameters: tuple[Scalar, ...]
    rows: tuple[Scalar, ...]
    columns: tuple[Scalar, ...]

    def names(self) -> dict[Scalar, str]:
        """What a function that is given p, u and v calls them."""
        arrays = (("p", self.parameters), ("u", self.rows), ("v", self.columns))
        return {
            scalar: f"{array}[{k}]" for array, scalars in arrays for k, scalar in enumerate(scalars)
        }


def values_of(program: Program) -> Values:
    """The values below pair rate that pairs use as they are."""
    taken = ir.roots(program.accumulator)
    used: dict[Scalar, None] = dict.fromkeys(taken)
    for scalar in ir.topological(taken):
        if isinstance(scalar, Apply) and scalar.rate == ir.PAIR:
            used.update(dict.fromkeys(scalar.operands))
    at: dict[int, list[Scalar]] = {rate: [] for rate in range(len(ir.RATE_NAMES))}
    for scalar in used:
        if not isinstance(scalar, Const):
            at[scalar.rate].append(scalar)
    return Values(tuple(at[ir.PARAMETER]), tuple(at[ir.ROW]), tuple(at[ir.COLUMN]))


def value_functions(program: Program, values: Values) -> str:
    """The C++ functions that compute p once, u for a row, and v for a column."""
    given = {scalar: f"p[{k}]" for k, scalar in enumerate(values.parameters)}
    columns = tuple(
        program.columns[scalar.k] if isinstance(scalar, Column) else scalar
        for scalar in values.columns
    )
    parts = (
        ("parameter_values", ["const Arrays &arrays"], "p", values.parameters, {}),
        ("row_values", ["const Arrays &arrays", "Index row", PARAMETERS], "u", values.rows, given),
        (
            "column_values",
            ["const Arrays &arrays", "Index column", PARAMETERS],
            "v",
            columns,
            given,
        ),
    )
    return "\n".join(
        function(
            "void",
            name,
            [*arguments, f"Real *{array}"],
            _assignments(program, array, scalars, known),
        )
        for name, arguments, array, scalars, known in parts
    )


def loads(program: Program, roots: Iterable[Scalar]) -> dict[Scalar, str]:
    """How each load among `roots` is spelled where `arrays`, `row` and `column` are known."""
    return {leaf: _load(program, leaf) for leaf in ir.topological(roots) if isinstance(leaf, Load)}


def _load(program: Program, leaf: Load) -> str:
    dim = program.inputs[leaf.slot].dim
    start = {ir.PARAMETER: "", ir.ROW: f"row * {dim} + ", ir.COLUMN: f"column * {dim} + "}
    return f"Real(get(arrays.input[{leaf.slot}] + {start[leaf.rate]}{leaf.k}))"


def _assignments(
    program: Program, array: str, scalars: Sequence[Scalar], known: dict[Scalar, str]
) -> list[str]:
    body = Body(loads(program, scalars) | known)
    names = body.names(scalars)
    return [*body.lines, *(f"{array}[{k}] = {name};" for k, name in enumerate(names))]
