"""Loops over components of pairs as C++ types: what texts/planes.cuh and texts/parts.cuh walk."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import COLUMN, ROW, Program, Scalar, ShiftedExp
from .body import Body, factors, function
from .pieces import Split, Splits, weights_of
from .planes import Check, Part, Planes, Sources, Sweep
from .values import COLUMN_ARRAY, PARAMETERS, ROW_ARRAY, Values, assignments, loads

ROW_PARTS = "const Real *x"
COLUMN_PARTS = "const Real *y"
SHARED = "const Real *w"


def sweep_types(program: Program, values: Values, splits: Splits) -> str:
    """A type for each sweep, and `SweptRows`, which walks all of them and holds what they keep."""
    planes = values.planes
    texts, members, starts, puts, calls = [], [], [], [], []
    for number, check in enumerate(planes.checks):
        texts.append(_sweep(program, values, check.exact, f"Exact{number}"))
    for number, sweep in enumerate(planes.sweeps):
        name, split = f"Sweep{number}", splits.of.get(sweep)
        texts.append(_sweep(program, values, sweep, name, split))
        exact = [
            f"    sweep<Exact{k}, true>(tile);"
            for k, check in enumerate(planes.checks)
            if check in _checks(planes, sweep)
        ]
        walk = f"sweep<{name}, false>(tile)"
        if split:
            members.append(f"RowPieces<{name}> rows{number};")
            starts.append(f"    rows{number}.start(tile);")
            puts.append(f"if (MATRIX_UNITS) ColumnPieces<{name}>::put_inverse(tile, k, column);")
            walk = f"products<{name}>(tile, rows{number})"
            exact = exact or [f"    sweep<{name}, true>(tile);"]
        calls += [f"if ({walk}) {{", *exact, "}"] if exact else [f"{walk};"]
    if starts:
        starts = ["if (MATRIX_UNITS) {", "    __syncthreads();", *starts, "}"]
    staging = ["const Staging &tile"]
    functions = [
        function("void", "start", staging, starts),
        "static " + function("void", "put_column", [*staging, "int k", "Index column"], puts),
        function("void", "walk", staging, calls),
    ]
    return "\n".join([*texts, _type("SweptRows", members, functions, static=False)])


def piece_function(values: Values, splits: Splits) -> str:
    """`store_all_pieces`: what texts/pieces.cu does for a column."""
    calls = [
        f"store_pieces<Sweep{number}>(arrays, column, p, scratch);"
        for number, sweep in enumerate(values.planes.sweeps)
        if sweep in splits.of
    ]
    arguments = ["const Arrays &arrays", "Index column", PARAMETERS, "Real *scratch"]
    return function("void", "store_all_pieces", arguments, calls)


def _checks(planes: Planes, sweep: Sweep) -> list[Check]:
    """Of the sums of a sweep, but not of the exact way of one."""
    own = range(sweep.plane, sweep.plane + len(sweep.folds))
    return [check for check in planes.checks if check.plane in own and sweep in planes.sweeps]


def _checked(values: Values, sweep: Sweep) -> tuple[dict[str, int], list[str]]:
    """Numbers and functions of a type: what becomes of its sums before they go to planes."""
    checks = _checks(values.planes, sweep)
    given = {
        rate: list(dict.fromkeys(s for check in checks for s in check.given(rate)))
        for rate in (ROW, COLUMN)
    }
    known = {scalar: f"p[{k}]" for k, scalar in enumerate(values.parameters)}
    for array, rate in (("u", ROW), ("v", COLUMN)):
        known |= {scalar: f"{array}[{k}]" for k, scalar in enumerate(given[rate])}
    known |= {
        fold: f"sum[{k}]"
        for k, fold in enumerate(sweep.folds)
        if values.planes.leaves.get(fold) is not None
    }
    passes, marks = Body(known), Body(known)
    goods, stores = [], []
    for k, check in enumerate(checks):
        fast, bound = passes.names([check.guard.fast, check.guard.bound])
        passes.lines.append(f"const bool good{k} = {fast} >= {bound};")
        place = check.plane - sweep.plane
        stores.append(f"sum[{place}] = {fast};")
        goods.append(f"good{k}")
        (bound,) = marks.names([check.guard.bound])
        marks.lines.append(f"if (!(sum[{place}] >= {bound})) sum[{place}] = math::nan(Real());")
    kept = [values.rows[place] for place in values.kept]
    row = [f"u[{k}] = kept[{kept.index(s)} * TILE_ROWS];" for k, s in enumerate(given[ROW])]
    places = [4 * values.columns.index(s) for s in given[COLUMN]]
    column = [f"v[{k}] = column[{place}];" for k, place in enumerate(places)]
    two_columns = [
        line
        for k, place in enumerate(places)
        for line in (
            f"const math::Pair<Real> two{k} = *(const math::Pair<Real> *)(column + {place});",
            f"v[{k}] = two{k}.x, next[{k}] = two{k}.y;",
        )
    ]
    stores.append(f"return {' && '.join(goods) or 'true'};")
    given_sums = [PARAMETERS, ROW_ARRAY, COLUMN_ARRAY, "Real *sum"]
    functions = [
        function("void", "row_given", ["const Real *kept", "Real *u"], row),
        function("void", "column_given", ["const Real *column", "Real *v"], column),
        function(
            "void",
            "two_columns_given",
            ["const Real *column", "Real *v", "Real *next"],
            two_columns,
        ),
        function("bool", "passes", given_sums, [*passes.lines, *stores]),
        function("void", "mark", given_sums, marks.lines),
    ]
    constants = {
        "ROW_GIVEN": len(given[ROW]),
        "COLUMN_GIVEN": len(given[COLUMN]),
        "CHECKED": int(bool(checks)),
    }
    return constants, functions


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
    weights = weights_of(program, values.planes)
    for number, part in enumerate(values.planes.parts):
        weight = weights[number] if weights else None
        texts.append(_part(program, values, part, f"Part{number}", weight))
        calls.append(f"held.template add_part<Part{number}>(tile, p, count, flush);")
    arguments = ["Held &held", "const Staging &tile", PARAMETERS, "int count", "bool flush"]
    walk = function("void", "add_parts", arguments, calls)
    return "\n".join([*texts, f"template <class Held>\n{walk}"])


def _sweep(
    program: Program, values: Values, sweep: Sweep, name: str, split: Split | None = None
) -> str:
    known = _known(values, sweep.sources)
    body = Body(known)
    added = [_added(body, fold.body, f"sum[{number}]") for number, fold in enumerate(sweep.folds)]
    step = function(
        "void",
        "step",
        [PARAMETERS, ROW_PARTS, COLUMN_PARTS, "Real *sum"],
        [*body.lines, *added],
    )
    constants, functions = _checked(values, sweep)
    constants |= {"COUNT": sweep.count, "PLANE": sweep.plane, "SUMS": len(sweep.folds)}
    if split:
        constants |= split.constants
    return _loop_type(program, values, sweep.sources, name, constants, [*functions, step])


def _part(program: Program, values: Values, part: Part, name: str, weight: int | None) -> str:
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
    if weight is not None:
        constants["WEIGHT"] = weight
    return _loop_type(program, values, part.sources, name, constants, [step])


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
    others: Sequence[str],
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
    return _type(name, lines, [*functions, *others])


def _type(
    name: str, constants: Sequence[str], functions: Sequence[str], static: bool = True
) -> str:
    kind = "static " if static else ""
    lines = [*constants, *(line for text in functions for line in f"{kind}{text}".splitlines())]
    inside = "".join(f"    {line}\n" for line in lines)
    return f"struct {name} {{\n{inside}}};\n"
