"""What each accumulator asks of a pair: its functions and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ... import ir
from ...ir import Apply, Index, Program, Scalar
from .body import Body, function
from .cut import Cut
from .pieces import weights_of
from .scaling import Scaling
from .values import COLUMN_ARRAY, PARAMETERS, ROW_ARRAY, Values

PAIR_ARGUMENTS = [PARAMETERS, ROW_ARRAY, COLUMN_ARRAY]
STATE = ("state.cuh",)  # a state that fits into registers
FINITE = {"float32": "3e38f", "float64": "1e308"}


@dataclass(frozen=True)
class Accumulation:
    """texts: the files of `texts/` that do it; constants: what those expect.

    state_values, state_positions: numbers, and positions of columns, in the state of one row.
    keeps_states: whether the states are in the workspace from the start.
    lost: whether what running sums lack is there as well.
    passes: walks over all columns.
    """

    texts: tuple[str, ...]
    constants: dict[str, str]
    functions: str
    state_values: int
    state_positions: int
    keeps_states: bool = False
    lost: bool = False
    passes: int = 1


def accumulation(
    program: Program, values: Values, cut: Cut, scaling: Scaling | None
) -> Accumulation:
    """How `program` accumulates, of rows that may be scaled."""
    names = values.names()
    match program.accumulator:
        case ir.Total() | ir.ShiftedExp() if values.planes.parts:
            return _parts(program, values, cut)
        case ir.Total(terms):
            ways = {"Exact": terms} | ({"Scaled": scaling.roots} if scaling else {})
            functions = "\n".join(_add_pair(names, way, roots) for way, roots in ways.items())
            return Accumulation((*STATE, "total.cuh"), {}, functions, len(terms), 0)
        case ir.Extremum(terms, sense):
            with_index = any(isinstance(value, Index) for value in program.given)
            constants = {"bool LEAST": "true" if sense == "min" else "false"}
            positions = len(terms) if with_index else 0
            functions = _assigning("pair_terms", names, terms, "terms")
            return Accumulation(
                (*STATE, "extremum.cuh"), constants, functions, len(terms), positions
            )
        case ir.ShiftedExp() as sums:
            return _shifted_exp(program, names, sums, scaling)
        case ir.Lowest(terms, count):
            constants = {"int LISTS": str(len(terms)), "int ENTRIES": str(count)}
            functions = _assigning("pair_terms", names, terms, "terms")
            lists = (*STATE, "register_lists.cuh") if cut.register_lists else ("memory_lists.cuh",)
            entries = len(terms) * count
            return Accumulation(
                (*lists, "lowest.cuh"),
                constants,
                functions,
                entries,
                entries,
                keeps_states=not cut.register_lists,
            )


def _add_pair(names: dict[Scalar, str], way: str, terms: Sequence[Scalar]) -> str:
    body = Body(names)
    added = []
    for k, term in enumerate(terms):
        product = _factors(term)
        if product is not None:
            a, b = body.names(product)
            added.append(f"sum[{k}] = math::fma({a}, {b}, sum[{k}]);")
        else:
            added.append(f"sum[{k}] += {body.names([term])[0]};")
    arguments = [way, *PAIR_ARGUMENTS, "Real *sum"]
    return function("void", "add_pair", arguments, [*body.lines, *added])


def _shifted_exp(
    program: Program, names: dict[Scalar, str], sums: ir.ShiftedExp, scaling: Scaling | None
) -> Accumulation:
    exponents, weights = sums.exponents, sums.weights
    body = Body(names)
    excess = []
    for e, exponent in enumerate(exponents):
        # One instruction where it is a product; see `safe_reference` for what that costs.
        product = _factors(exponent)
        if product is not None:
            a, b = body.names(product)
            excess.append(f"excess[{e}] = math::fma({a}, {b}, -references[{e}]);")
        else:
            excess.append(f"excess[{e}] = {body.names([exponent])[0]} - references[{e}];")
    functions = [
        _assigning("pair_exponents", names, exponents, "exponents", ["Exact"]),
        _assigning("pair_weights", names, weights, "weights"),
        function(
            "void",
            "pair_excess",
            ["Exact", *PAIR_ARGUMENTS, "const Real *references", "Real *excess"],
            [*body.lines, *excess],
        ),
    ]
    if scaling is not None:
        states = [s for s in ir.topological(scaling.excess) if isinstance(s, ir.State)]
        given = names | {state: f"references[{state.k}]" for state in states}
        more = ["Scaled"]
        scaled = scaling.roots[: len(exponents)]
        functions += [
            _assigning("pair_exponents", names, scaled, "exponents", more),
            _assigning(
                "pair_excess", given, scaling.excess, "excess", more, ["const Real *references"]
            ),
        ]
    constants = {
        "int EXPONENTS": str(len(exponents)),
        "int WEIGHTS": str(len(weights)),
        "bool EXACT": "true" if sums.exact else "false",
        "Real FINITE": FINITE[program.dtype],
    }
    states = len(exponents) * (1 + len(weights) + sums.exact)
    return Accumulation((*STATE, "shifted_exp.cuh"), constants, "\n".join(functions), states, 0)


def _parts(program: Program, values: Values, cut: Cut) -> Accumulation:
    """Sums of which many differ by their component alone: they lie in the workspace."""
    planes, names = values.planes, values.names()
    powers = isinstance(program.accumulator, ir.ShiftedExp)
    body = Body(names)
    given = body.names(planes.shared)
    terms = body.names([root for root, _ in planes.scalars])
    lines = [*body.lines, *(f"shared[{k}] = {name};" for k, name in enumerate(given))]
    lines += (f"terms[{k}] = {name};" for k, name in enumerate(terms))
    states = ", ".join(str(state) for _, state in planes.scalars) or "0"
    functions = [
        function("void", "pair_weights", [*PAIR_ARGUMENTS, "Real *shared", "Real *terms"], lines),
        function(
            "int",
            "state_of",
            ["int k"],
            [f"constexpr int states[] = {{{states}}};", "return states[k];"],
        ),
    ]
    products = bool(cut.matrix_units and weights_of(program, planes))
    at_once = cut.part_rows * cut.part_columns
    passes = -(-planes.parts[0].root.count // at_once)
    by_passes = len(planes.parts) == 1 and (passes == 1 or cut.passes)
    constants = {
        "int SHARED": str(len(planes.shared)),
        "int SCALARS": str(len(planes.scalars)),
        "int SCALAR_SLOTS": str(max(len(planes.scalars), 1)),
        "int PART_ROWS": str(cut.part_rows),
        "int PART_COLUMNS": str(cut.part_columns),
        "bool MANY_TURNS": "false" if by_passes else "true",
        "bool MATRIX_PARTS": "MATRIX_UNITS" if products else "false",
    }
    states_of_row = sum(map(ir.width, ir.roots(program.accumulator)))
    if powers:
        body = Body(names)
        (exponent,) = body.names(planes.shared[:1])
        lines = [*body.lines, f"return {exponent};"]
        functions.append(function("Real", "pair_exponent", PAIR_ARGUMENTS, lines))
        constants["bool EXACT"] = "true" if program.accumulator.exact else "false"
        constants["Real FINITE"] = FINITE[program.dtype]
        states_of_row += program.accumulator.exact
    weighing = "powers.cuh" if powers else "weights.cuh"
    texts = ("row_states.cuh", weighing, "matrix_parts.cuh", "parts.cuh")
    return Accumulation(
        texts,
        constants,
        "\n".join(functions),
        states_of_row,
        0,
        keeps_states=True,
        lost=True,
        passes=passes if by_passes else 1,
    )


def _assigning(
    name: str,
    names: dict[Scalar, str],
    roots: Sequence[Scalar],
    array: str,
    before: Sequence[str] = (),
    behind: Sequence[str] = (),
) -> str:
    """before, behind: arguments around those of every pair."""
    body = Body(names)
    results = body.names(roots)
    lines = [*body.lines, *(f"{array}[{k}] = {result};" for k, result in enumerate(results))]
    return function("void", name, [*before, *PAIR_ARGUMENTS, *behind, f"Real *{array}"], lines)


def _factors(term: Scalar) -> tuple[Scalar, ...] | None:
    """The factors of a product that is only known at a pair."""
    if isinstance(term, Apply) and term.instr.name == "mul" and term.rate == ir.PAIR:
        return term.operands
    return None
