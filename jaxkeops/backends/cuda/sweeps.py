"""Loops over components of pairs as C++ types: what texts/planes.cuh and texts/parts.cuh walk."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import Program, Scalar, ShiftedExp
from .body import Body, factors, function
from .planes import Part, Sources, Sweep
from .values import PARAMETERS, ROW_ARRAY, Values, assignments, loads

ROW_PARTS = "const Real *x"
COLUMN_PARTS = "const Real *y"
SHARED = "const Real *w"


def sweep_types(program: Program, values: Values) -> str:
    """A type for each sweep and each check, and `sweep_tile`, which walks all of them."""
    planes = values.planes
    texts, calls = [], []
    for number, sweep in enumerate(planes.sweeps):
        texts.append(_sweep(program, values, sweep, f"Sweep{number}"))
        calls.append(f"sweep<Sweep{number}, false>(tile, count);")
    for number, check in enumerate(planes.checks):
        name = f"Exact{number}"
        texts.append(_sweep(program, values, check.exact, name))
        body = Body(values.names())
        fast, bound = body.names([check.guard.fast, check.guard.bound])
        test = function(
            "bool",
            "is_good",
            [PARAMETERS, ROW_ARRAY, "const Real *v", "Real &fast"],
            [*body.lines, f"fast = {fast};", f"return fast >= {bound};"],
        )
        constants = [f"constexpr static int PLANE = {check.plane};", f"typedef {name} Exact;"]
        texts.append(_type(f"Check{number}", constants, [test]))
        calls.append(f"check<Check{number}>(tile, p, u, count);")
    arguments = ["const Staging &tile", PARAMETERS, ROW_ARRAY, "int count"]
    return "\n".join([*texts, function("void", "sweep_tile", arguments, calls)])


def shared_values(values: Values) -> str:
    """`share_values`: what rows, and loops over components, have once goes to shared memory."""
    lines = [
        f"tile.kept[{number} * TILE_ROWS + threadIdx.x] = u[{place}];"
        for number, place in enumerate(values.kept)
    ]
    planes = values.planes
    names = [f"Sweep{number}" for number in range(len(planes.sweeps))]
    names += [f"Exact{number}" for number in range(len(planes.checks))]
    names += [f"Part{number}" for number in range(len(planes.parts))]
    lines += [
        f"share_common<{name}>(tile);"
        for name, (sources, _) in zip(names, planes.loops, strict=True)
        if sources.common
    ]
    return function("void", "share_values", ["const Staging &tile", ROW_ARRAY], lines)


def recomputed_planes(program: Program, values: Values) -> str:
    """`pair_planes`: the same numbers for one pair, from memory, by the same operations."""
    planes = values.planes
    known = values.names()
    for leaf in planes.leaves:
        known.pop(leaf)
    sums = [fold for sweep in planes.sweeps for fold in sweep.folds]
    body = Body(loads(program, [*sums, *(c.guard.exact for c in planes.checks)]) | known)
    lines: list[str] = []
    names = body.names(sums)
    lines += [
        f"v[{len(values.columns) + planes.leaves[f]}] = {n};"
        for f, n in zip(sums, names, strict=True)
    ]
    for check in planes.checks:
        fast, bound, exact = body.names([check.guard.fast, check.guard.bound, check.guard.exact])
        place = len(values.columns) + check.plane
        lines.append(f"v[{place}] = {fast} >= {bound} ? {fast} : {exact};")
    arguments = ["const Arrays &arrays", "Index row", "Index column", PARAMETERS, ROW_ARRAY]
    return function("void", "pair_planes", [*arguments, "Real *v"], [*body.lines, *lines])


def part_types(program: Program, values: Values) -> str:
    """A type for each root that is many sums, and `add_parts`, which walks all of them."""
    texts, calls = [], []
    for number, part in enumerate(values.planes.parts):
        texts.append(_part(program, values, part, f"Part{number}"))
        calls.append(f"held.template add_part<Part{number}>(tile, p, count, flush);")
    arguments = ["Held &held", "const Staging &tile", PARAMETERS, "int count", "bool flush"]
    walk = function("void", "add_parts", arguments, calls)
    return "\n".join([*texts, f"template <class Held>\n{walk}"])


def _sweep(program: Program, values: Values, sweep: Sweep, name: str) -> str:
    known = _known(values, sweep.sources)
    body = Body(known)
    added = [_added(body, fold.body, f"sum[{number}]") for number, fold in enumerate(sweep.folds)]
    step = function(
        "void",
        "step",
        [PARAMETERS, ROW_PARTS, COLUMN_PARTS, "Real *sum"],
        [*body.lines, *added],
    )
    constants = {"COUNT": sweep.count, "PLANE": sweep.plane, "SUMS": len(sweep.folds)}
    return _loop_type(program, values, sweep.sources, name, constants, step)


def _part(program: Program, values: Values, part: Part, name: str) -> str:
    known = _known(values, part.sources)
    known |= {scalar: f"w[{k}]" for k, scalar in enumerate(values.planes.shared)}
    body = Body(known)
    if isinstance(program.accumulator, ShiftedExp):
        (factor,) = body.names([part.root.body])
        added = f"sum = math::fma(w[0], {factor}, sum);"
    else:
        added = _added(body, part.root.body, "sum")
    step = function(
        "void",
        "step",
        [PARAMETERS, ROW_PARTS, COLUMN_PARTS, SHARED, "Real &sum"],
        [*body.lines, added],
    )
    constants = {"COUNT": part.root.count, "FIRST": part.first}
    return _loop_type(program, values, part.sources, name, constants, step)


def _added(body: Body, term: Scalar, total: str) -> str:
    product = factors(term)
    if product is None or body.knows(term):
        return f"{total} += {body.names([term])[0]};"
    a, b = body.names(product)
    return f"{total} = math::fma({a}, {b}, {total});"


def _known(values: Values, sources: Sources) -> dict[Scalar, str]:
    known = {scalar: f"p[{k}]" for k, scalar in enumerate(values.parameters)}
    for array, scalars in (("x", sources.rows), ("y", sources.columns)):
        known |= {scalar: f"{array}[{k}]" for k, scalar in enumerate(scalars)}
    return known


def _loop_type(
    program: Program,
    values: Values,
    sources: Sources,
    name: str,
    constants: dict[str, int],
    step: str,
) -> str:
    parameters = {scalar: f"p[{k}]" for k, scalar in enumerate(values.parameters)}
    kept = {
        values.rows[place]: f"kept[{number} * TILE_ROWS]"
        for number, place in enumerate(values.kept)
    }
    known = parameters | kept
    count = constants["COUNT"]
    known |= {scalar: f"common[{n * count} + c]" for n, scalar in enumerate(sources.common)}
    constants |= {
        "ROW_PARTS": len(sources.rows),
        "COLUMN_PARTS": len(sources.columns),
        "COMMON_PARTS": len(sources.common),
        "COMMON": values.planes.common_before(sources),
    }
    lines = [f"constexpr static int {key} = {value};" for key, value in constants.items()]
    component = ["int c", PARAMETERS]
    row = [
        "const Arrays &arrays",
        "Index row",
        *component,
        "const Real *kept",
        "const Real *common",
    ]
    column = ["const Arrays &arrays", "Index column", *component]
    functions = [
        function(
            "void",
            name,
            [*arguments, f"Real *{array}"],
            assignments(program, array, scalars, given),
        )
        for name, arguments, array, scalars, given in (
            ("row_parts", row, "x", sources.rows, known),
            ("column_parts", column, "y", sources.columns, parameters),
            ("common_parts", ["const Arrays &arrays", *component], "z", sources.common, parameters),
        )
    ]
    return _type(name, lines, [*functions, step])


def _type(name: str, constants: Sequence[str], functions: Sequence[str]) -> str:
    lines = [*constants, *(line for text in functions for line in f"static {text}".splitlines())]
    inside = "".join(f"    {line}\n" for line in lines)
    return f"struct {name} {{\n{inside}}};\n"
