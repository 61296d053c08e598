"""Which values a kernel keeps where: of parameters, of rows, of columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ... import ir
from ...ir import PAIR, Apply, Centre, Column, Const, Each, Load, Program, Scalar
from .body import Body, function, outside
from .planes import Planes

PARAMETERS = "const Real *p"
ROW_ARRAY = "const Real *u"
COLUMN_ARRAY = "const Real *v"


@dataclass(frozen=True)
class Values:
    """What pairs are computed from: arrays p, u and v of the kernel, in this order.

    Behind the values of columns, v has those of planes. kept: which of u blocks share.
    """

    parameters: tuple[Scalar, ...]
    rows: tuple[Scalar, ...]
    columns: tuple[Scalar, ...]
    kept: tuple[int, ...]
    planes: Planes

    def names(self) -> dict[Scalar, str]:
        """What a function that is given p, u and v calls them."""
        arrays = (("p", self.parameters), ("u", self.rows), ("v", self.columns))
        behind = len(self.columns)
        return {
            scalar: f"{array}[{k}]" for array, scalars in arrays for k, scalar in enumerate(scalars)
        } | {scalar: f"v[{behind + plane}]" for scalar, plane in self.planes.leaves.items()}


def values_of(program: Program, planes: Planes) -> Values:
    """The values below pair rate that pairs use as they are."""
    taken = (*planes.ends, *planes.tests) if planes.ends else ir.roots(program.accumulator)
    used: dict[Scalar, None] = dict.fromkeys(taken)
    for scalar in _at_pairs(taken):
        if isinstance(scalar, Apply):
            used.update(dict.fromkeys(scalar.operands))
    loops = (*(f for sweep in planes.swept for f in sweep.folds), *(p.root for p in planes.parts))
    for loop in loops:
        used.update(dict.fromkeys(s for s in outside(loop.body) if s.rate == ir.PARAMETER))
    used.update(dict.fromkeys(planes.kept))
    at: dict[int, list[Scalar]] = {rate: [] for rate in range(len(ir.RATE_NAMES))}
    for scalar in used:
        if not isinstance(scalar, Const):
            at[scalar.rate].append(scalar)
    kept = tuple(at[ir.ROW].index(scalar) for scalar in planes.kept)
    return Values(tuple(at[ir.PARAMETER]), tuple(at[ir.ROW]), tuple(at[ir.COLUMN]), kept, planes)


def _at_pairs(roots: Sequence[Scalar]) -> list[Scalar]:
    """What is computed at pairs for `roots`, operands first; loops and guards come from planes."""
    order: dict[Scalar, None] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        scalar, done = stack.pop()
        if scalar in order or scalar.rate != PAIR:
            continue
        if done or not isinstance(scalar, Apply):
            order[scalar] = None
        else:
            stack.append((scalar, True))
            stack.extend((operand, False) for operand in reversed(scalar.operands))
    return list(order)


def value_functions(program: Program, values: Values, scratch: bool) -> str:
    """The C++ functions that compute p once, u for a row, and v for a column.

    scratch: whether what the program computes once for each column lies in memory by then.
    """
    given = {scalar: f"p[{k}]" for k, scalar in enumerate(values.parameters)}
    columns = tuple(
        program.columns[scalar.k] if isinstance(scalar, Column) and not scratch else scalar
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
            assignments(program, array, scalars, known),
        )
        for name, arguments, array, scalars, known in parts
    )


def column_function(program: Program) -> str:
    """`store_column`: what the program computes once for a column goes to `out`."""
    body = Body(loads(program, program.columns))
    place = 0
    for root in program.columns:
        if isinstance(root, Each):
            body.each(root, lambda name, at=place: f"out[{at} + c] = {name};")
        else:
            body.lines.append(f"out[{place}] = {body.names([root])[0]};")
        place += ir.width(root)
    arguments = ["const Arrays &arrays", "Index column", "Real *out"]
    return function("void", "store_column", arguments, body.lines)


def loads(program: Program, roots: Iterable[Scalar]) -> dict[Scalar, str]:
    """How each leaf among `roots` is spelled where `arrays`, `row`, `column` and `c` are known."""
    return {
        leaf: _load(program, leaf)
        for leaf in ir.topological(roots)
        if isinstance(leaf, Load | Centre | Column)
    }


def _load(program: Program, leaf: Load | Centre | Column) -> str:
    component = f"{leaf.k} + c * {leaf.stride}" if leaf.stride else f"{leaf.k}"
    if isinstance(leaf, Column):
        return f"read_only(arrays.scratch + column * COLUMN_WIDTH + {component})"
    dim = program.inputs[leaf.slot].dim
    if isinstance(leaf, Centre):
        return f"centre_of(arrays.input[{leaf.slot}] + {component}, {dim}, arrays.columns)"
    axis = leaf.rate & PAIR
    start = {ir.PARAMETER: "", ir.ROW: f"row * {dim} + ", ir.COLUMN: f"column * {dim} + "}
    return f"Real(get(arrays.input[{leaf.slot}] + {start[axis]}{component}))"


def assignments(
    program: Program, array: str, scalars: Sequence[Scalar], known: dict[Scalar, str]
) -> list[str]:
    """Lines that put `scalars`, which are no loops, into an array; `known` are not computed."""
    body = Body(loads(program, scalars) | known)
    names = body.names(scalars)
    return [*body.lines, *(f"{array}[{k}] = {name};" for k, name in enumerate(names))]
