"""Operations as methods of a formula: their names, what they take, and the formula they make.

Nearly all are read off the registries: `Op` is the method `op` of its first formula, and takes the
others, then its literals. What differs stands in the tables below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from .node import OPS, F, Node, Op, Param
from .operators import OPERATORS
from .parse import power as power
from .signature import argument_names

REAL, COMPLEX = "real", "complex"


@dataclass(frozen=True)
class Method:
    """A method of formulas: `name(*formulas, *literals)`.

    build: the formula itself, the other formulas, literals -> the formula that it makes.
    formulas, literals: the names of what it takes, in this order.
    defaults: of those that may be left out, by name; a number where a formula is expected stands
    for that number.
    of, gives: whether it is a method of real or of complex formulas, and what it makes.
    """

    name: str
    doc: str
    build: Callable[..., Node]
    formulas: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    defaults: Mapping[str, Param] = field(default_factory=dict)
    of: str = REAL
    gives: str = REAL


# Ops that are not methods by the rule: these are reductions too, when given an axis.
ALSO_REDUCTIONS = ("Sum", "Max", "Min", "ArgMax", "ArgMin")
RENAMED = {
    "OneHot": "one_hot",
    "Kron": "keops_kron",
    "TensorDot": "keops_tensordot",
    "AutoFactorize": "auto_factorize",
    "GradMatrix": "grad_matrix",
    "TraceOperator": "trace_operator",
    "AdjointOperator": "adjoint_operator",
    "SumLinOperator": "sum_lin_operator",
    "Real2Complex": "real2complex",
    "Imag2Complex": "imag2complex",
    "ComplexExp1j": "exp1j",
}
DEFAULTS: dict[str, dict[str, Param]] = {"Mod": {"d": 0}, "BSpline": {"degree": 0}}
# Of which the weights come first in a formula, and last in a method of what they weight.
WEIGHTS_FIRST = ("SqNormIso", "SqNormDiag", "SymSqNorm", "WeightedSqNorm", "WeightedSqDist")
OPERATOR_FORMULAS = {
    "Grad": ("v", "e"),
    "AdjointOperator": ("v", "u"),
    "Diff": ("v", "u"),
    "GradMatrix": ("v",),
    "Divergence": ("v",),
    "Laplacian": ("v",),
    "TraceOperator": ("v", "w"),
    "SumLinOperator": ("v", "wl", "wr"),
}
OPERATOR_DEFAULTS: dict[str, dict[str, Param]] = {
    "TraceOperator": {"w": 1},
    "SumLinOperator": {"wl": 1, "wr": 1},
}
COMPLEX_PREFIX = "Complex"
OF_REAL = ("ComplexPair", "ComplexExp1j", "Real2Complex", "Imag2Complex")
GIVES_REAL = ("ComplexReal", "ComplexImag", "ComplexAbs", "ComplexSquareAbs", "ComplexAngle")
# Sums are reductions too; the others are what operators of complex formulas do.
NOT_METHODS_OF_COMPLEX = ("ComplexSum", "ComplexSumT", "ComplexScal", "ComplexRealScal")


def _method(op: Op) -> Method:
    formulas = tuple(argument_names(op)[: op.arity])
    literals = tuple(argument_names(op)[op.arity :])
    optional = dict(zip(literals[::-1], op.optional_params[::-1], strict=False))
    build: Callable[..., Node] = op
    if op.name in WEIGHTS_FIRST:
        formulas = (*formulas[1:], formulas[0])
        build = _WeightsLast(op)
    is_complex = op.name.startswith(COMPLEX_PREFIX) or op.name in (*OF_REAL, "Conj")
    name = RENAMED.get(op.name, op.name.removeprefix(COMPLEX_PREFIX).lower())
    return Method(
        name,
        op.doc,
        build,
        formulas[1:],
        literals,
        optional | DEFAULTS.get(op.name, {}),
        COMPLEX if is_complex and op.name not in OF_REAL else REAL,
        COMPLEX if is_complex and op.name not in GIVES_REAL else REAL,
    )


@dataclass(frozen=True)
class _WeightsLast:
    """An op that takes its first formula after the others."""

    op: Op

    def __call__(self, *formulas: Node) -> Node:
        return self.op(formulas[-1], *formulas[:-1])


def sinc(f: Node) -> Node:
    return F.SinXDivX(f * math.pi)


def maximum(f: Node, g: Node) -> Node:
    return F.IfLess(f, g, g, f)


def minimum(f: Node, g: Node) -> Node:
    return F.IfLess(g, f, g, f)


def where(f: Node, condition: Node, g: Node) -> Node:
    return F.IfLess(0, F.Abs(condition), f, g)


def lookup(table: Node, row: Node, column: Node, columns: int) -> Node:
    """Coordinate row * columns + column of `table`: 0 where there is none."""
    rows = table.dim // columns
    picked = F.VecMatMult(F.OneHot(row, rows), table)
    return F.Scalprod(picked, F.OneHot(column, columns))


def joined(*formulas: Node) -> Node:
    """The coordinates of all, one after the other."""
    return reduce(F.Concat, formulas)


def coordinates(f: Node, start: int, size: int) -> Node:
    """`size` coordinates of `f`, from coordinate `start` on."""
    return F.Extract(f, start, size)


BY_HAND = (
    Method("sinc", "sin(pi f) / (pi f): 1 at 0.", sinc),
    Method(
        "maximum", "The greater of f and g; f where one of them is NaN, or equal.", maximum, ("g",)
    ),
    Method(
        "minimum", "The lesser of f and g; f where one of them is NaN, or equal.", minimum, ("g",)
    ),
    Method("where", "f where the condition is not 0, g elsewhere.", where, ("condition", "g")),
    Method(
        "lookup",
        "f[row, column], for f a matrix in rows, of so many columns: 0 outside of it. For tables "
        "of few numbers: all are looked at for each pair.",
        lookup,
        ("row", "column"),
        ("columns",),
    ),
)


def _all_methods() -> dict[str, dict[str, Method]]:
    found = [
        _method(op)
        for op in OPS.values()
        if op.arity and op.name not in (*ALSO_REDUCTIONS, *NOT_METHODS_OF_COMPLEX)
    ]
    found += [
        Method(
            RENAMED.get(name, name.lower()),
            operator.doc,
            operator,
            OPERATOR_FORMULAS[name],
            defaults=OPERATOR_DEFAULTS.get(name, {}),
        )
        for name, operator in OPERATORS.items()
    ]
    found += BY_HAND
    return {
        kind: {m.name: m for m in sorted(found, key=lambda m: m.name) if m.of == kind}
        for kind in (REAL, COMPLEX)
    }


METHODS = _all_methods()


def reduced_coordinates(name: str) -> Callable[..., Node]:
    """The op that does within a formula what the reduction of this name does over rows."""
    assert name in ALSO_REDUCTIONS, name
    return OPS[name]


def _parts(f: Node) -> tuple[Node, Node]:
    return F.ComplexReal(f), F.ComplexImag(f)


def _pair(re: Node, im: Node) -> Node:
    return F.ComplexPair(re, im)


def complex_sum(f: Node) -> Node:
    return F.ComplexSum(f)


def complex_times_real(f: Node, g: Node) -> Node:
    re, im = _parts(f)
    return _pair(re * g, im * g)


def complex_over_real(f: Node, g: Node) -> Node:
    re, im = _parts(f)
    return _pair(re / g, im / g)


def complex_power(f: Node, g: Node) -> Node:
    """exp(g log(f)), the principal value; g is complex."""
    return F.ComplexExp(F.ComplexMult(g, F.ComplexLog(f)))


def complex_scalar_product(f: Node, g: Node) -> Node:
    """The sum of f[k] g[k]; none is conjugated."""
    return F.ComplexSum(F.ComplexMult(f, g))


def build_of(name: str, kind: str = REAL) -> Any:
    """What the method of this name builds with."""
    return METHODS[kind][name].build
