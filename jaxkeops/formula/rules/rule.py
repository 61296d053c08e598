"""The rewrite rules of formulas: a pattern, what it becomes, and why that is better.

A rule sees a call whose arguments are simplified already, with equal ones the same object, and
gives an equal formula that is closer to the normal form: numbers and signs outermost, or on the
narrower factor of a product. Products of formulas are never regrouped, and exponentials never
joined: on data of extreme size that could overflow where the formula as written does not.
Derivatives are taken after these rules too, so a rule keeps them at every point: `Pow(f, 0.5)`
is not `Sqrt(f)`, whose derivative at 0 is taken as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..node import Call, Node, Number, Op, spread


@dataclass(frozen=True)
class Rule:
    """`apply` gives the better formula for a call of `op`, or None if the pattern does not fit.

    drops: whether what is left out would make a NaN of infinities and NaN: for derivatives alone.
    """

    op: str
    pattern: str
    reason: str
    apply: Callable[[Call], Node | None]
    drops: bool = False


RULES: dict[str, list[Rule]] = {}
COMMUTATIVE = frozenset({"Add", "Mult", "Scalprod", "SqDist", "Equal", "NotEqual"})
ANY_ZERO = frozenset({"Mult", "Scalprod", "TensorDot"})  # 0 where one argument is

# Numbers beyond this, or below its inverse, are left alone: their products may leave float32.
GREATEST = 1e30


def rule(
    op: str, pattern: str, reason: str, *, drops: bool = False
) -> Callable[..., Callable[[Call], Node | None]]:
    def add(apply: Callable[[Call], Node | None]) -> Callable[[Call], Node | None]:
        RULES.setdefault(op, []).append(Rule(op, pattern, reason, apply, drops))
        return apply

    return add


def is_zero(node: Node) -> bool:
    return isinstance(node, Number) and node.value == 0


def narrowed(call: Call) -> Node | None:
    """An op that works coordinate by coordinate, on arguments that are not spread beforehand.

    The op spreads them itself; if all its wide arguments are spread ones, its result is spread.
    """
    args = [unspread(arg) for arg in call.args]
    if all(a is b for a, b in zip(args, call.args, strict=True)):
        return None
    return spread(call.op(*args, *call.params), call.dim)


def unspread(node: Node) -> Node:
    match node:
        case Number(dim, value) if dim > 1:
            return Number(1, value)
        case Call(op=Op(name="SumT"), args=(x,)):
            return x
    return node


def factor(node: Node) -> tuple[float, Node]:
    """`node` as a number times a formula of the same dim."""
    match node:
        case Call(op=Op(name="Minus"), args=(x,)):
            return -1.0, x
        case Call(op=Op(name="Mult"), args=(Number(_, value), x)) if x.dim == node.dim:
            return value, x
    return 1.0, node


def scaled(c: float, node: Node) -> Node | None:
    """c times `node`; None if c is too great or too small to be trusted to any dtype.

    A product of numbers that is 0 is one that is too small: factors of 0 are gone before.
    """
    if not 1 / GREATEST <= abs(c) <= GREATEST:
        return None
    if c == 1:
        return node
    return -node if c == -1 else c * node


def by_width(a: Node, b: Node) -> tuple[Node, Node]:
    return (a, b) if a.dim <= b.dim else (b, a)


def of_one_coordinate(call: Call) -> Node | None:
    (x,) = call.args
    return x if x.dim == 1 else None
