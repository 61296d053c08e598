"""What each accumulator asks of a pair: its functions and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ... import ir
from ...ir import Apply, Index, Program, Scalar
from .body import Body, function
from .cut import Cut
from .values import COLUMN_ARRAY, PARAMETERS, ROW_ARRAY, Values

PAIR_ARGUMENTS = [PARAMETERS, ROW_ARRAY, COLUMN_ARRAY]
STATE = ("state.cuh",)  # a state that fits into registers
FINITE = {"float32": "3e38f", "float64": "1e308"}


@dataclass(frozen=True)
class Accumulation:
    """texts: the files of `texts/` that do it; constants: what those expect.

    state_values, state_positions: numbers, and positions of columns, in the state of one row.
    keeps_states: whether the states are in the workspace from the start.
    """

    texts: tuple[str, ...]
    constants: dict[str, str]
    functions: str
    state_values: int
    state_positions: int
    keeps_states: bool = False


def accumulation(program: Program, values: Values, cut: Cut) -> Accumulation:
    """How `program` accumulates."""
    names = values.names()
    match program.accumulator:
        case ir.Total(terms):
            return Accumulation((*STATE, "total.cuh"), {}, _add_pair(names, terms), len(terms), 0)
        case ir.Extremum(terms, sense):
            with_index = any(isinstance(value, Index) for value in program.given)
            constants = {"bool LEAST": "true" if sense == "min" else "false"}
            positions = len(terms) if with_index else 0
            functions = _assigning("pair_terms", names, terms, "terms")
            return Accumulation(
                (*STATE, "extremum.cuh"), constants, functions, len(terms), positions
            )
        case ir.ShiftedExp() as sums:
            return _shifted_exp(program, names, sums)
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


def _add_pair(names: dict[Scalar, str], terms: Sequence[Scalar]) -> str:
    body = Body(names)
    added = []
    for k, term in enumerate(terms):
        product = _factors(term)
        if product is not None:
            a, b = body.names(product)
            added.append(f"sum[{k}] = math::fma({a}, {b}, sum[{k}]);")
        else:
            added.append(f"sum[{k}] += {body.names([term])[0]};")
    return function("void", "add_pair", [*PAIR_ARGUMENTS, "Real *sum"], [*body.lines, *added])


def _shifted_exp(program: Program, names: dict[Scalar, str], sums: ir.ShiftedExp) -> Accumulation:
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
        _assigning("pair_exponents", names, exponents, "exponents"),
        _assigning("pair_weights", names, weights, "weights"),
        function(
            "void",
            "pair_excess",
            [*PAIR_ARGUMENTS, "const Real *references", "Real *excess"],
            [*body.lines, *excess],
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


def _assigning(name: str, names: dict[Scalar, str], roots: Sequence[Scalar], array: str) -> str:
    body = Body(names)
    results = body.names(roots)
    lines = [*body.lines, *(f"{array}[{k}] = {result};" for k, result in enumerate(results))]
    return function("void", name, [*PAIR_ARGUMENTS, f"Real *{array}"], lines)


def _factors(term: Scalar) -> tuple[Scalar, ...] | None:
    """The factors of a product that is only known at a pair."""
    if isinstance(term, Apply) and term.instr.name == "mul" and term.rate == ir.PAIR:
        return term.operands
    return None
