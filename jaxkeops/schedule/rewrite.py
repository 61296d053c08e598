"""Rewrites of scalar expressions that move work out of the loop over pairs.

Each changes results by roundings only. Expressions are rebuilt operands first, so a rule sees
operands that are already in their final form; equal expressions become one object.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from .. import ir
from ..ir import (
    COLUMN,
    COMPONENT,
    PAIR,
    ROW,
    Apply,
    Centre,
    Column,
    Const,
    Each,
    Fold,
    Guard,
    Index,
    Load,
    Scalar,
    State,
)

_LOG2_E = 1 / math.log(2)


class Rewriter:
    """Builds expressions in their cheapest form, equal ones only once.

    A rule is a method called after the instruction; it gives the better expression, or None.
    turning: whether column - row becomes -(row - column). A CPU subtracts a number of a column as
             it loads it; where that is the first operand, it has to be put into a register first,
             which takes a unit of the vectors as long as an operation does.
    signed_zeros: whether -(a - b) stays, which is -0 where b - a is 0.
    """

    def __init__(self, turning: bool = False, signed_zeros: bool = False) -> None:
        self.turning = turning
        self.signed_zeros = signed_zeros
        self._known: dict[tuple[object, ...], Scalar] = {}

    def rewrite(self, roots: Sequence[Scalar]) -> tuple[Scalar, ...]:
        """`roots`, each rebuilt by the rules."""
        new: dict[Scalar, Scalar] = {}
        for scalar in ir.topological(roots):
            match scalar:
                case Apply(instr=instr, operands=operands):
                    new[scalar] = self.apply(instr.name, *(new[operand] for operand in operands))
                case Fold(body=body, count=count):
                    new[scalar] = self.fold(new[body], count)
                case Each() | Guard():
                    new[scalar] = self.rebuilt(scalar, [new[part] for part in scalar.inside])
                case _:
                    new[scalar] = self._leaf(scalar)
        return tuple(new[root] for root in roots)

    def fold(self, body: Scalar, count: int) -> Scalar:
        """The sum over components of `body`, with what they all share taken out of the loop."""
        if not body.rate & COMPONENT:
            return self.apply("mul", self.const(count), body)
        outer, inner = self.split(body, COMPONENT)
        if not inner.rate & COMPONENT:
            return self.apply("mul", self.apply("mul", self.const(count), inner), outer)
        made = self._same(("fold", inner, count), lambda: ir.fold(inner, count))
        return self.apply("mul", made, outer)

    def rebuilt(self, scalar: Scalar, inside: Sequence[Scalar]) -> Scalar:
        """A scalar of the same kind, made of other ones."""
        return self._same(
            (type(scalar).__name__, *inside, ir.width(scalar)), lambda: rebuilt(scalar, inside)
        )

    def apply(self, name: str, *operands: Scalar) -> Scalar:
        """Instruction `name` of operands that this rewriter made."""
        if all(isinstance(operand, Const) for operand in operands):
            return self.const(_evaluate(name, operands))
        rule = getattr(self, f"_{name}", None)
        better = rule(*operands) if rule is not None else None
        if better is not None:
            return better
        if name in ("add", "mul"):
            swapped = self._known.get((name, operands[1], operands[0]))
            if swapped is not None:
                return swapped
        return self._same((name, *operands), lambda: ir.INSTRS[name](*operands))

    def const(self, value: float) -> Scalar:
        """The one constant of this value; -0.0 is not 0.0."""
        key = ("const", value, math.copysign(1.0, value))
        return self._same(key, lambda: ir.const(value))

    def _leaf(self, leaf: Scalar) -> Scalar:
        match leaf:
            case Const(value=value):
                return self.const(value)
            case Load(slot=slot, k=k, stride=stride):
                return self._same(("load", slot, k, stride), lambda: leaf)
            case Centre(slot=slot, k=k, stride=stride):
                return self._same(("centre", slot, k, stride), lambda: leaf)
            case State(k=k, stride=stride) | Column(k=k, stride=stride):
                return self._same((type(leaf).__name__, k, stride), lambda: leaf)
            case Index(k=k):
                return self._same(("index", k), lambda: leaf)
        raise AssertionError(leaf)

    def _same(self, key, make):  # type: ignore[no-untyped-def]
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = make()
        return found

    # Rules. `low` is an operand that changes less often than a pair: its work leaves the loop.

    def _add(self, a: Scalar, b: Scalar) -> Scalar | None:
        if _is(a, 0.0):
            return b
        if _is(b, 0.0):
            return a
        if _named(b, "neg"):
            return self.apply("sub", a, b.operands[0])
        if _named(a, "neg"):
            return self.apply("sub", b, a.operands[0])
        return None

    def _sub(self, a: Scalar, b: Scalar) -> Scalar | None:
        if _is(b, 0.0):
            return a
        if _is(a, 0.0):
            return self.apply("neg", b)
        if _named(b, "neg"):
            return self.apply("add", a, b.operands[0])
        if self.turning and _named(a, "neg") and _is_pair(a):
            return self.apply("neg", self.apply("add", a.operands[0], b))
        if self.turning and _is_column_and_row(a, b):
            return self.apply("neg", self.apply("sub", b, a))
        return None

    def _abs(self, a: Scalar) -> Scalar | None:
        return self.apply("abs", a.operands[0]) if _named(a, "neg") else None

    def _neg(self, a: Scalar) -> Scalar | None:
        if _named(a, "neg"):
            return a.operands[0]
        if _named(a, "sub") and not self.signed_zeros:
            x, y = a.operands
            if not (self.turning and _is_column_and_row(y, x)):
                return self.apply("sub", y, x)
        product = _product_with_low(a)
        if product is not None:
            pair, low = product
            return self.apply("mul", pair, self.apply("neg", low))
        return None

    def _mul(self, a: Scalar, b: Scalar) -> Scalar | None:
        for x, y in ((a, b), (b, a)):
            if _is(x, 0.0):
                return x
            if _is(x, 1.0):
                return y
            if _is(x, -1.0):
                return self.apply("neg", y)
            if _named(x, "neg") and not (_is_lower(x, y) and _is_pair(y)):
                return self.apply("neg", self.apply("mul", x.operands[0], y))
        for x, low in ((a, b), (b, a)):
            product = _product_with_low(x)
            if product is not None and product[1].rate | low.rate != x.rate | low.rate:
                return self.apply("mul", product[0], self.apply("mul", product[1], low))
        if isinstance(b, Const) and not isinstance(a, Const):
            return self.apply("mul", b, a)
        return None

    def _div(self, a: Scalar, b: Scalar) -> Scalar | None:
        if _is(b, 1.0):
            return a
        # One division a row, column or parameter set instead of one a pair; the reciprocal of
        # a subnormal denominator overflows, which the division of a small numerator would not.
        if _is_pair(a) and _is_lower(b, a) and not isinstance(b, Const):
            return self.apply("mul", a, self.apply("div", self.const(1.0), b))
        if isinstance(b, Const) and math.frexp(b.value)[0] in (0.5, -0.5):
            return self.apply("mul", a, self.const(1.0 / b.value))
        return None

    def _exp(self, a: Scalar) -> Scalar | None:
        """exp(x c) = 2 ** (x (c log2 e)): the inner product is then outside of the loop."""
        if not _is_pair(a):
            return None
        if _named(a, "neg"):
            return self.apply("exp2", self.apply("mul", a.operands[0], self.const(-_LOG2_E)))
        product = _product_with_low(a)
        if product is not None:
            pair, low = product
            scaled = self.apply("mul", low, self.const(_LOG2_E))
            return self.apply("exp2", self.apply("mul", pair, scaled))
        return None

    def _sqrt(self, a: Scalar) -> Scalar | None:
        """sqrt(x c) = sqrt(x) sqrt(c), where x cannot be negative: c then leaves the loop."""
        product = _product_with_low(a)
        if product is not None and _is_square(product[0]):
            return self.apply("mul", *(self.apply("sqrt", part) for part in product))
        return None

    def _select_lt(self, a: Scalar, b: Scalar, t: Scalar, f: Scalar) -> Scalar | None:
        return t if t is f else None

    _select_le = _select_lt
    _select_eq = _select_lt

    # What leaves a sum.

    def split(self, term: Scalar, over: int = COLUMN) -> tuple[Scalar, Scalar]:
        """(outer, inner) with term = outer * inner, and `outer` the same for all that is summed.

        over: the bit of the rate of what changes along the sum.
        """
        one = self.const(1.0)
        outer: dict[Scalar, Scalar] = {}
        inner: dict[Scalar, Scalar] = {}
        for part in _factors(term):
            outer[part], inner[part] = one, part
            if part.rate & over == 0:
                outer[part], inner[part] = part, one
            elif _named(part, "mul"):
                a, b = part.operands
                outer[part] = self.apply("mul", outer[a], outer[b])
                inner[part] = self.apply("mul", inner[a], inner[b])
            elif _named(part, "neg"):
                (a,) = part.operands
                outer[part], inner[part] = self.apply("neg", outer[a]), inner[a]
            elif _named(part, "div"):
                a, b = part.operands
                outer[part] = self.apply("div", outer[a], outer[b])
                inner[part] = self.apply("div", inner[a], inner[b])
        return outer[term], inner[term]


def _factors(term: Scalar) -> list[Scalar]:
    """What `term` is a product of, operands first, down to what is no product."""
    order: dict[Scalar, None] = {}
    stack = [(term, False)]
    while stack:
        part, done = stack.pop()
        if part in order:
            continue
        if done or not any(_named(part, name) for name in ("mul", "neg", "div")):
            order[part] = None
        else:
            stack.append((part, True))
            stack.extend((operand, False) for operand in part.inside)
    return list(order)


def rebuilt(scalar: Scalar, inside: Sequence[Scalar]) -> Scalar:
    """A scalar of the same kind, made of other ones."""
    match scalar:
        case Apply(instr=instr):
            return instr(*inside)
        case Fold(count=count):
            return ir.fold(inside[0], count)
        case Each(count=count):
            return Each(inside[0].rate & ~COMPONENT, inside[0], count)
        case Guard():
            rate = 0
            for part in inside:
                rate |= part.rate
            return Guard(rate, *inside)
    return scalar


def fuse(roots: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """a * b + c as one fma where nothing else needs a * b.

    Not a * b - c * d: rounded once on one side only, it would not vanish where both agree.
    """
    uses: dict[Scalar, int] = {}
    order = ir.topological(roots)
    for scalar in order:
        for part in scalar.inside:
            uses[part] = uses.get(part, 0) + 1
    for root in roots:
        uses[root] = uses.get(root, 0) + 1
    new: dict[Scalar, Scalar] = {}
    for scalar in order:
        if not isinstance(scalar, Apply):
            new[scalar] = rebuilt(scalar, [new[part] for part in scalar.inside])
            continue
        a, b = (*scalar.operands, None, None)[:2]
        left, right = _fusable(a, uses), _fusable(b, uses)
        if scalar.instr.name == "add" and (left or right):
            product, other = (a, b) if left and not (right and _later(b, a)) else (b, a)
            new[scalar] = ir.fma(*(new[o] for o in product.operands), new[other])
        elif scalar.instr.name == "sub" and left and not _is_product(b):
            new[scalar] = ir.fma(*(new[o] for o in a.operands), ir.neg(new[b]))
        elif scalar.instr.name == "sub" and right and not _is_product(a):
            x, y = b.operands
            new[scalar] = ir.fma(ir.neg(new[x]), new[y], new[a])
        else:
            new[scalar] = scalar.instr(*(new[operand] for operand in scalar.operands))
    return tuple(new[root] for root in roots)


def take_out_columns(
    roots: Sequence[Scalar], with_loads: bool = False
) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...]]:
    """(roots, columns): what depends on the column alone is a leaf `Column(k)` of the roots.

    with_loads: also numbers that are loaded as they are, where a load is itself work.
    """
    taken = Apply | Fold | Guard | Load if with_loads else Apply | Fold | Guard
    order = ir.topological(roots)
    counts = ir.loop_counts(roots)
    columns: dict[Scalar, Column] = {}
    new: dict[Scalar, Scalar] = {}
    width = 0

    def leaf_or(scalar: Scalar) -> Scalar:
        nonlocal width
        if scalar.rate & PAIR != COLUMN or not isinstance(scalar, taken):
            return new[scalar]
        if scalar not in columns:
            stride = int(scalar.rate & COMPONENT != 0)
            columns[scalar] = Column(scalar.rate, width, stride)
            width += counts[scalar] if stride else 1
        return columns[scalar]

    for scalar in order:
        if scalar.inside and (scalar.rate & PAIR != COLUMN or isinstance(scalar, Each)):
            new[scalar] = rebuilt(scalar, [leaf_or(part) for part in scalar.inside])
        else:
            new[scalar] = scalar
    left = tuple(map(leaf_or, roots))
    return left, tuple(
        Each(COLUMN, scalar, counts[scalar]) if leaf.stride else scalar
        for scalar, leaf in columns.items()
    )


def _named(scalar: Scalar | None, name: str) -> bool:
    return isinstance(scalar, Apply) and scalar.instr.name == name


def _is(scalar: Scalar, value: float) -> bool:
    return isinstance(scalar, Const) and scalar.value == value


def _is_product(scalar: Scalar | None) -> bool:
    return _named(scalar, "mul") or _named(scalar, "fma")


def _fusable(scalar: Scalar | None, uses: dict[Scalar, int]) -> bool:
    return _named(scalar, "mul") and uses[scalar] == 1


def _later(a: Scalar, b: Scalar) -> bool:
    """Whether `a` changes more often than `b`."""
    return a.rate.bit_count() > b.rate.bit_count()


def _is_pair(scalar: Scalar) -> bool:
    """Whether it changes from pair to pair, in a loop over components or not."""
    return scalar.rate & PAIR == PAIR


def _is_column_and_row(a: Scalar, b: Scalar) -> bool:
    return (a.rate & PAIR, b.rate & PAIR) == (COLUMN, ROW)


def _is_lower(a: Scalar, b: Scalar) -> bool:
    """Whether `a` changes less often than the two together."""
    return a.rate != a.rate | b.rate


def _is_square(scalar: Scalar) -> bool:
    """Whether it is a square, or a sum of squares, of whatever sign what is squared has."""
    stack = [scalar]
    while stack:
        part = stack.pop()
        if isinstance(part, Fold) or _named(part, "add"):
            stack.extend(part.inside)
        elif not (_named(part, "mul") and part.inside[0] is part.inside[1]):
            return False
    return True


def _product_with_low(scalar: Scalar) -> tuple[Scalar, Scalar] | None:
    """(x, low) if `scalar` is a product at pair rate, and `low` changes less often than x."""
    if _is_pair(scalar) and _named(scalar, "mul"):
        a, b = scalar.operands
        if a.rate == scalar.rate and _is_lower(b, a):
            return a, b
        if b.rate == scalar.rate and _is_lower(a, b):
            return b, a
    return None


def _evaluate(name: str, operands: Iterable[Scalar]) -> float:
    with np.errstate(all="ignore"):
        values = [np.float64(operand.value) for operand in operands]  # type: ignore[attr-defined]
        return float(ir.INSTRS[name].evaluate(*values))
