"""Finds exponents that are sums of squared differences: what `texts/scaled.cuh` makes cheaper.

The sum of f_k (x_k - y_k)^2, of parameters f_k, is that of -(x'_k - y'_k)^2 where rows and columns
are scaled by the root of -f_k: pairs are spared the products with f_k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ... import ir
from ...ir import COLUMN, PAIR, PARAMETER, ROW, Apply, Const, Program, Scalar
from .body import function
from .values import PARAMETERS, Values, assignments


@dataclass(frozen=True)
class Scaling:
    """rows, columns: x_k and y_k. scales: roots; scale: which of them k takes.

    roots: what is accumulated, of rows and columns that are scaled. excess: an exponent of a
    ShiftedExp less its reference, which is State e: a sum of squares may start from it.
    """

    rows: tuple[Scalar, ...]
    columns: tuple[Scalar, ...]
    scales: tuple[Scalar, ...]
    scale: tuple[int, ...]
    roots: tuple[Scalar, ...]
    excess: tuple[Scalar, ...] = ()


class Factor(NamedTuple):
    """A number times parameters."""

    value: float
    parameters: tuple[Scalar, ...] = ()

    def times(self, *scalars: Scalar) -> Factor:
        numbers = [scalar.value for scalar in scalars if isinstance(scalar, Const)]
        others = [scalar for scalar in scalars if not isinstance(scalar, Const)]
        value = self.value
        for number in numbers:
            value *= number
        return Factor(value, (*self.parameters, *others))


class _OtherError(Exception):
    """An expression is not of the form that is looked for."""


def scaling_of(program: Program) -> Scaling | None:
    """How pairs of a sum, or of sums of exponentials, are spared factors, if they can be.

    Only exponents may use the differences. Scaled ones have errors where exact ones have none: an
    exponential does not notice, and its derivative, of a row among close columns, would.
    """
    accumulator = program.accumulator
    roots = ir.roots(accumulator)
    order = [s for s in ir.topological(roots) if s.rate & PAIR == PAIR]
    if not all(isinstance(scalar, Apply) for scalar in order):
        return None  # loops over components
    exponents = [scalar.operands[0] for scalar in order if scalar.instr.name == "exp2"]
    match accumulator:
        case ir.Total(values):
            plain = values
        case ir.ShiftedExp(own, plain):
            exponents += own
        case _:
            return None
    factors: dict[Scalar, Factor] = {}
    within: set[Scalar] = set()
    squares: dict[Scalar, tuple[Scalar, ...]] = {}
    for exponent in dict.fromkeys(exponents):
        try:
            found, parts = _squares(exponent)
        except _OtherError:
            continue
        if factors.keys() & found.keys():
            return None
        factors |= found
        within |= parts
        squares[exponent] = tuple(found)
    if not factors or not _are_used_only_there(plain, order, within, squares, factors):
        return None
    sums = {exponent: ir.neg(_sum(found)) for exponent, found in squares.items()}
    kinds = list(dict.fromkeys(factors.values()))
    ends = [sorted(difference.operands, key=lambda end: end.rate) for difference in factors]
    return Scaling(
        rows=tuple(row for row, _ in ends),
        columns=tuple(column for _, column in ends),
        scales=tuple(map(_root, kinds)),
        scale=tuple(kinds.index(factor) for factor in factors.values()),
        roots=_replaced(roots, sums),
        excess=_excess(accumulator, squares) if isinstance(accumulator, ir.ShiftedExp) else (),
    )


def scaling_functions(program: Program, scaling: Scaling, values: Values) -> str:
    """C++ functions: `pair_scales` computes the scales, and others tell where things are."""
    known = {scalar: f"p[{k}]" for k, scalar in enumerate(values.parameters)}
    lines = assignments(program, "scales", scaling.scales, known)
    places = {
        "scaled_row": [values.rows.index(row) for row in scaling.rows],
        "scaled_column": [values.columns.index(column) for column in scaling.columns],
        "scale_of": scaling.scale,
    }
    return "\n".join(
        [
            function("void", "pair_scales", [PARAMETERS, "Real *scales"], lines),
            *(
                function(
                    "int",
                    name,
                    ["int k"],
                    [f"constexpr int all[] = {{{', '.join(map(str, each))}}};", "return all[k];"],
                )
                for name, each in places.items()
            ),
        ]
    )


def _squares(exponent: Scalar) -> tuple[dict[Scalar, Factor], set[Scalar]]:
    """The differences and the factors of their squares, and all parts that the sum is made of."""
    found: dict[Scalar, Factor] = {}
    within: set[Scalar] = set()
    stack = [(exponent, Factor(1.0))]
    while stack:
        scalar, factor = stack.pop()
        if scalar.rate != PAIR or scalar in within:
            raise _OtherError
        assert isinstance(scalar, Apply)
        within.add(scalar)
        match scalar.instr.name, scalar.operands:
            case "neg", (a,):
                stack.append((a, factor.times(ir.const(-1.0))))
            case "add", (a, b):
                stack += ((a, factor), (b, factor))
            case "sub", (a, b):
                stack += ((a, factor), (b, factor.times(ir.const(-1.0))))
            case "mul" | "fma", (a, b, *rest):
                stack += ((each, factor) for each in rest)
                if PARAMETER in (a.rate, b.rate):
                    inner, outer = (b, a) if a.rate == PARAMETER else (a, b)
                    stack.append((inner, factor.times(outer)))
                    continue
                (left, one), (right, two) = _difference(a, within), _difference(b, within)
                if left is not right or left in found:
                    raise _OtherError
                found[left] = factor.times(*one, *two)
            case _:
                raise _OtherError
    if any(not factor.parameters and not factor.value < 0 for factor in found.values()):
        raise _OtherError
    return found, within


def _difference(scalar: Scalar, within: set[Scalar]) -> tuple[Scalar, list[Scalar]]:
    """The difference of a row and a column that `scalar` is a multiple of, and the factors."""
    outer: list[Scalar] = []
    while isinstance(scalar, Apply) and scalar.rate == PAIR:
        within.add(scalar)
        rates = [operand.rate for operand in scalar.operands]
        match scalar.instr.name:
            case "sub" if sorted(rates) == [ROW, COLUMN]:
                return scalar, outer
            case "neg":
                outer.append(ir.const(-1.0))
                (scalar,) = scalar.operands
            case "mul" if PARAMETER in rates:
                outer.append(scalar.operands[rates.index(PARAMETER)])
                scalar = scalar.operands[1 - rates.index(PARAMETER)]
            case _:
                break
    raise _OtherError


def _are_used_only_there(
    roots: Sequence[Scalar],
    order: Sequence[Scalar],
    within: set[Scalar],
    exponents: Mapping[Scalar, object],
    differences: Mapping[Scalar, Factor],
) -> bool:
    """Whether nothing else needs the rows and columns, or a part of the exponents, as they are."""
    ends = {end for difference in differences for end in difference.inside}
    for scalar in order:
        inside = set(scalar.inside)
        if scalar not in differences and inside & ends:
            return False
        if scalar not in within and inside & (within - exponents.keys()):
            return False
        is_power = isinstance(scalar, Apply) and scalar.instr.name == "exp2"
        if inside & exponents.keys() and not is_power:
            return False
    # Two differences may share neither end: each has a centre of its own.
    return len(ends) == 2 * len(differences) and not within.intersection(roots)


def _sum(differences: Sequence[Scalar], start: Scalar | None = None) -> Scalar:
    """Of their squares, and of `start`."""
    total = start
    for difference in differences:
        square = difference, difference
        total = ir.mul(*square) if total is None else ir.fma(*square, total)
    assert total is not None
    return total


def _excess(sums: ir.ShiftedExp, squares: Mapping[Scalar, Sequence[Scalar]]) -> tuple[Scalar, ...]:
    references = [ir.State(ROW, e) for e in range(len(sums.exponents))]
    return tuple(
        ir.neg(_sum(squares[exponent], reference))
        if exponent in squares
        else ir.sub(exponent, reference)
        for exponent, reference in zip(sums.exponents, references, strict=True)
    )


def _root(factor: Factor) -> Scalar:
    """The root of a factor that has to be negative; NaN if it is not."""
    product: Scalar = ir.const(-factor.value)
    for parameter in factor.parameters:
        product = ir.mul(product, parameter)
    return ir.sqrt(product)


def _replaced(roots: Sequence[Scalar], sums: Mapping[Scalar, Scalar]) -> tuple[Scalar, ...]:
    new: dict[Scalar, Scalar] = {}
    for scalar in ir.topological(roots):
        if scalar in sums:
            new[scalar] = sums[scalar]
        elif isinstance(scalar, Apply) and scalar.rate == PAIR:
            new[scalar] = scalar.instr(*(new[operand] for operand in scalar.operands))
        else:
            new[scalar] = scalar
    return tuple(new[root] for root in roots)
