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

from .node import Call, F, Node, Number, Op, spread, zeros


@dataclass(frozen=True)
class Rule:
    """`apply` gives the better formula for a call of `op`, or None if the pattern does not fit."""

    op: str
    pattern: str
    reason: str
    apply: Callable[[Call], Node | None]


RULES: dict[str, list[Rule]] = {}
COMMUTATIVE = frozenset({"Add", "Mult", "Scalprod", "SqDist", "Equal", "NotEqual"})
ANY_ZERO = frozenset({"Mult", "Scalprod", "TensorDot"})  # 0 as soon as one argument is

# Numbers beyond this, or below its inverse, are left alone: their products may leave float32.
GREATEST = 1e30


def _rule(op: str, pattern: str, reason: str) -> Callable[..., Callable[[Call], Node | None]]:
    def add(apply: Callable[[Call], Node | None]) -> Callable[[Call], Node | None]:
        RULES.setdefault(op, []).append(Rule(op, pattern, reason, apply))
        return apply

    return add


def is_zero(node: Node) -> bool:
    return isinstance(node, Number) and node.value == 0


def narrowed(call: Call) -> Node | None:
    """An op that works coordinate by coordinate, on arguments that are not spread beforehand.

    The op spreads them itself; if all its wide arguments are spread ones, its result is spread.
    """
    args = [_unspread(arg) for arg in call.args]
    if all(a is b for a, b in zip(args, call.args, strict=True)):
        return None
    return spread(call.op(*args, *call.params), call.dim)


def _unspread(node: Node) -> Node:
    match node:
        case Number(dim, value) if dim > 1:
            return Number(1, value)
        case Call(op=Op(name="SumT"), args=(x,)):
            return x
    return node


def _is(node: Node, name: str) -> bool:
    return isinstance(node, Call) and node.op.name == name


def _factor(node: Node) -> tuple[float, Node]:
    """`node` as a number times a formula of the same dim."""
    match node:
        case Call(op=Op(name="Minus"), args=(x,)):
            return -1.0, x
        case Call(op=Op(name="Mult"), args=(Number(_, value), x)) if x.dim == node.dim:
            return value, x
    return 1.0, node


def _scaled(c: float, node: Node) -> Node | None:
    """c times `node`; None if c is too great or too small to be trusted to any dtype."""
    if c == 0:
        return zeros(node.dim)
    if not 1 / GREATEST <= abs(c) <= GREATEST:
        return None
    if c == 1:
        return node
    return -node if c == -1 else c * node


def _by_width(a: Node, b: Node) -> tuple[Node, Node]:
    return (a, b) if a.dim <= b.dim else (b, a)


# --- sums ---


@_rule("Add", "x + 0 -> x", "Nothing is added.")
def _(call: Call) -> Node | None:
    a, b = call.args
    if is_zero(b):
        return spread(a, call.dim)
    return spread(b, call.dim) if is_zero(a) else None


@_rule("Subtract", "x - 0 -> x, 0 - x -> -x", "Nothing is taken away.")
def _(call: Call) -> Node | None:
    a, b = call.args
    if is_zero(b):
        return spread(a, call.dim)
    return spread(-b, call.dim) if is_zero(a) else None


@_rule("Add", "m x + n x -> (m + n) x", "One product instead of two and a sum; x + x is 2 x.")
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(_factor, call.args)
    return _scaled(m + n, x) if x is y else None


@_rule("Subtract", "m x - n x -> (m - n) x", "x - x is 0: derivatives are full of it.")
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(_factor, call.args)
    return _scaled(m - n, x) if x is y else None


@_rule("Add", "x + -y -> x - y", "One operation instead of two.")
def _(call: Call) -> Node | None:
    match call.args:
        case x, Call(op=Op(name="Minus"), args=(y,)):
            return x - y
        case Call(op=Op(name="Minus"), args=(y,)), x:
            return x - y
    return None


@_rule("Subtract", "x - -y -> x + y", "One operation instead of two.")
def _(call: Call) -> Node | None:
    match call.args:
        case x, Call(op=Op(name="Minus"), args=(y,)):
            return x + y
    return None


@_rule("Subtract", "-x - y -> -(x + y)", "The sign goes outwards, where it meets others.")
def _(call: Call) -> Node | None:
    match call.args:
        case Call(op=Op(name="Minus"), args=(x,)), y if x.dim == call.dim:
            return -(x + y)
    return None


def _common_factor(call: Call) -> Node | None:
    match call.args:
        case Call(op=Op(name="Mult"), args=(a, b)), Call(op=Op(name="Mult"), args=(c, d)):
            for common, x, other, y in ((a, b, c, d), (a, b, d, c), (b, a, c, d), (b, a, d, c)):
                if common is other:
                    return F.Mult(common, call.op(x, y))
    return None


_rule("Add", "a x + a y -> a (x + y)", "One product instead of two.")(_common_factor)
_rule("Subtract", "a x - a y -> a (x - y)", "One product instead of two.")(_common_factor)


@_rule("Minus", "-(n x) -> (-n) x", "The sign is free in a number; -(-x) is x.")
def _(call: Call) -> Node | None:
    n, x = _factor(call.args[0])
    return _scaled(-n, x) if n != 1 else None


@_rule("Minus", "-(s v) -> (-s) v, s narrower than v", "One sign instead of one a coordinate.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Mult"), args=(a, b)) if a.dim != b.dim:
            s, v = _by_width(a, b)
            return -s * v
    return None


# --- products ---


@_rule("Mult", "x n -> n x", "One order, so that the other rules know where numbers are.")
def _(call: Call) -> Node | None:
    x, n = call.args
    return n * x if isinstance(n, Number) and not isinstance(x, Number) else None


@_rule("Mult", "1 x -> x, -1 x -> -x", "A product less.")
def _(call: Call) -> Node | None:
    n, x = call.args
    return _scaled(n.value, x) if isinstance(n, Number) and abs(n.value) == 1 else None


@_rule("Mult", "m (n x) -> (m n) x", "Numbers are multiplied once, here.")
def _(call: Call) -> Node | None:
    m, y = call.args
    n, x = _factor(y)
    return _scaled(m.value * n, x) if isinstance(m, Number) and n != 1 else None


@_rule("Mult", "n (s v) -> (n s) v, s narrower than v", "A product for each number of s, not of v.")
def _(call: Call) -> Node | None:
    match call.args:
        case Number() as n, Call(op=Op(name="Mult"), args=(a, b)) if a.dim != b.dim:
            s, v = _by_width(a, b)
            return F.Mult(F.Mult(n, s), v)
    return None


@_rule("Mult", "(m x) (n y) -> (m n) (x y)", "Numbers and signs go outwards, and meet.")
def _(call: Call) -> Node | None:
    a, b = _by_width(*call.args)
    (m, x), (n, y) = _factor(a), _factor(b)
    if isinstance(a, Number) or isinstance(b, Number) or m == n == 1:
        return None
    if x.dim == y.dim:
        return _scaled(m * n, x * y)
    narrow = _scaled(m * n, x) if n != 1 else None
    return None if narrow is None else narrow * y


@_rule("Mult", "x x -> Square(x)", "One operand.")
def _(call: Call) -> Node | None:
    a, b = call.args
    return F.Square(a) if a is b else None


@_rule("Divide", "0 / x -> 0", "A division less.")
def _(call: Call) -> Node | None:
    return zeros(call.dim) if is_zero(call.args[0]) else None


@_rule("Divide", "x / n -> (1 / n) x", "A product is several times faster than a division.")
def _(call: Call) -> Node | None:
    x, n = call.args
    return _scaled(1 / n.value, x) if isinstance(n, Number) and n.value != 0 else None


@_rule("Divide", "1 / x -> Inv(x)", "One operand.")
def _(call: Call) -> Node | None:
    one, x = call.args
    return F.Inv(x) if isinstance(one, Number) and one.value == 1 else None


@_rule("Divide", "(m x) / (n y) -> (m / n) (x / y)", "Numbers and signs go outwards, and meet.")
def _(call: Call) -> Node | None:
    a, b = call.args
    (m, x), (n, y) = _factor(a), _factor(b)
    if a.dim != b.dim or isinstance(a, Number) or m == n == 1 or n == 0:
        return None
    return _scaled(m / n, x / y)


@_rule("Inv", "Inv(n x) -> (1 / n) Inv(x)", "Numbers and signs go outwards, and meet.")
def _(call: Call) -> Node | None:
    n, x = _factor(call.args[0])
    return _scaled(1 / n, F.Inv(x)) if n not in (0, 1) else None


# --- powers ---


@_rule("Square", "Square(-x), Square(Abs(x)) -> Square(x)", "The sign does not matter.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Minus" | "Abs"), args=(x,)):
            return F.Square(x)
    return None


@_rule("Square", "Square(Pow(x, m)) -> Pow(x, 2 m), m an integer", "One power instead of two.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Pow"), args=(x,), params=(int(m),)):
            return F.Pow(x, 2 * m)
    return None


@_rule("Pow", "Pow(x, m) -> 1, x, Square(x), Inv(x) for m = 0, 1, 2, -1", "The simpler op.")
def _(call: Call) -> Node | None:
    (x,) = call.args
    match call.params[0]:
        case 0:
            return Number(call.dim, 1.0)
        case 1:
            return x
        case 2:
            return F.Square(x)
        case -1:
            return F.Inv(x)
    return None


@_rule("Pow", "Pow(Pow(x, m), n) -> Pow(x, m n), m and n integers", "One power instead of two.")
def _(call: Call) -> Node | None:
    match call.args[0], call.params:
        case Call(op=Op(name="Pow"), args=(x,), params=(int(m),)), (int(n),):
            return F.Pow(x, m * n)
        case Call(op=Op(name="Square"), args=(x,)), (int(n),):
            return F.Pow(x, 2 * n)
    return None


@_rule("Powf", "Powf(x, n) -> Pow(x, n)", "Powers with a known exponent are often few products.")
def _(call: Call) -> Node | None:
    match call.args:
        case x, Number(1, n) if x.dim == call.dim:
            return F.Pow(x, int(n) if n == int(n) else n)
    return None


@_rule("Abs", "Abs(-x) -> Abs(x)", "The sign does not matter.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Minus"), args=(x,)):
            return F.Abs(x)
    return None


# --- choices ---


@_rule("IfElse", "IfElse(f, a, a) -> a, and known conditions", "Nothing is chosen.")
def _(call: Call) -> Node | None:
    f, a, b = call.args
    if a is b:
        return spread(a, call.dim)
    if isinstance(f, Number):
        return spread(a if f.value >= 0 else b, call.dim)
    return None


@_rule("IfLess", "IfLess(f, g, a, a) -> a, and known conditions", "Nothing is chosen.")
def _(call: Call) -> Node | None:
    f, g, a, b = call.args
    if a is b or f is g:
        return spread(b, call.dim)
    if isinstance(f, Number) and isinstance(g, Number):
        return spread(a if f.value < g.value else b, call.dim)
    return None


def _of_one_coordinate(call: Call) -> Node | None:
    (x,) = call.args
    return x if x.dim == 1 else None


for _name in ("Max", "Min"):
    _rule(_name, "Max(x), Min(x) -> x, x of dim 1", "There is one coordinate.")(_of_one_coordinate)


# --- folds ---


@_rule("Sum", "Sum(x) -> x, x of dim 1", "There is one coordinate.")
def _(call: Call) -> Node | None:
    return _of_one_coordinate(call)


@_rule("Sum", "Sum(SumT(x, n)) -> n x", "One product instead of n - 1 sums.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="SumT"), args=(x,), params=(int(n),)):
            return n * x
    return None


@_rule("Sum", "Sum(n x) -> n Sum(x)", "One product instead of one a coordinate.")
def _(call: Call) -> Node | None:
    n, x = _factor(call.args[0])
    return _scaled(n, F.Sum(x)) if n != 1 else None


@_rule("Sum", "Sum(x y) -> Scalprod(x, y); s Sum(y), s of dim 1", "Products are added as they come.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Mult"), args=(x, y)):
            s, v = _by_width(x, y)
            return F.Scalprod(x, y) if x.dim == y.dim else s * F.Sum(v)
    return None


@_rule("Sum", "Sum(Square(x)) -> SqNorm2(x)", "One op, that other rules know.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Square"), args=(x,)):
            return F.SqNorm2(x)
    return None


@_rule("Sum", "Sum(ElemT(x, n, m)) -> x, Sum(ExtractT(x, s, n)) -> Sum(x)", "Zeros add nothing.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="ElemT" | "ExtractT"), args=(x,)):
            return F.Sum(x)
    return None


@_rule("Scalprod", "Scalprod(s, y) -> s Sum(y), s of dim 1", "One product instead of one a coordinate.")
def _(call: Call) -> Node | None:
    s, v = _by_width(*map(_unspread, call.args))
    if s.dim > 1:
        return None
    width = max(arg.dim for arg in call.args)
    return s * F.Sum(spread(v, width))


@_rule("Scalprod", "Scalprod(x, x) -> SqNorm2(x)", "One operand.")
def _(call: Call) -> Node | None:
    x, y = call.args
    return F.SqNorm2(x) if x is y else None


@_rule("Scalprod", "Scalprod(m x, n y) -> (m n) Scalprod(x, y)", "One product at the end.")
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(_factor, call.args)
    return _scaled(m * n, F.Scalprod(x, y)) if m != 1 or n != 1 else None


@_rule("Scalprod", "Scalprod(ElemT(x, n, m), y) -> x Elem(y, m)", "Zeros add nothing.")
def _(call: Call) -> Node | None:
    for x, y in (call.args, call.args[::-1]):
        match x:
            case Call(op=Op(name="ElemT"), args=(x,), params=(_, m)):
                return x * F.Elem(y, m)
            case Call(op=Op(name="ExtractT"), args=(x,), params=(start, _)):
                return F.Scalprod(x, F.Extract(y, start, x.dim))
    return None


@_rule("SqNorm2", "SqNorm2(x) -> Square(x), x of dim 1; n Square(x) if spread", "One operation.")
def _(call: Call) -> Node | None:
    (x,) = call.args
    narrow = _unspread(x)
    return x.dim * F.Square(narrow) if narrow.dim == 1 else None


@_rule("SqNorm2", "SqNorm2(-x) -> SqNorm2(x)", "The sign does not matter.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Minus" | "Abs"), args=(x,)):
            return F.SqNorm2(x)
    return None


@_rule("SqNorm2", "SqNorm2(x - y) -> SqDist(x, y)", "One op, shared with distances as written.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Subtract"), args=(x, y)):
            return F.SqDist(x, y)
    return None


@_rule("SqDist", "SqDist(x, x) -> 0, SqDist(x, 0) -> SqNorm2(x)", "A difference less.")
def _(call: Call) -> Node | None:
    x, y = call.args
    width = max(x.dim, y.dim)
    if x is y:
        return zeros(1)
    if is_zero(y):
        return F.SqNorm2(spread(x, width))
    return F.SqNorm2(spread(y, width)) if is_zero(x) else None


@_rule("SqDist", "SqDist(x, y) -> n Square(x - y), x and y spread", "One difference instead of n.")
def _(call: Call) -> Node | None:
    x, y = map(_unspread, call.args)
    width = max(arg.dim for arg in call.args)
    if x.dim == y.dim == 1:
        return width * F.Square(x - y)
    changed = x is not call.args[0] or y is not call.args[1]
    return F.SqDist(x, y) if changed else None


@_rule("TensorDot", "TensorDot(x, y) -> x y, both of dim 1", "There is one coordinate.")
def _(call: Call) -> Node | None:
    x, y = call.args
    return x * y if x.dim == y.dim == 1 else None


# --- coordinates ---


@_rule("SumT", "SumT(x, 1) -> x", "Nothing is repeated.")
def _(call: Call) -> Node | None:
    return call.args[0] if call.dim == 1 else None


@_rule("ElemT", "ElemT(x, 1, 0) -> x", "Nothing is padded.")
def _(call: Call) -> Node | None:
    return call.args[0] if call.dim == 1 else None


@_rule("ExtractT", "ExtractT(x, 0, x.dim) -> x", "Nothing is padded.")
def _(call: Call) -> Node | None:
    return call.args[0] if call.dim == call.args[0].dim else None


@_rule("Elem", "Elem(f, m) -> Extract(f, m, 1), read through f", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    return _picked(call.args[0], call.params[0], 1)


@_rule("Extract", "Extract(f, s, d), read through f", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    return _picked(call.args[0], *call.params)


def _picked(f: Node, start: int, size: int) -> Node | None:
    """`size` coordinates of `f` from `start` on, if that is simpler than an op on `f`."""
    if size == f.dim:
        return f
    stop = start + size
    match f:
        case Call(op=Op(name="SumT"), args=(x,)):
            return spread(x, size)
        case Call(op=Op(name="Concat"), args=(a, b)):
            if stop <= a.dim:
                return _pick(a, start, size)
            return _pick(b, start - a.dim, size) if start >= a.dim else None
        case Call(op=Op(name="Extract"), args=(x,), params=(int(first), _)):
            return _pick(x, first + start, size)
        case Call(op=Op(name="ElemT"), args=(x,), params=(_, int(first))):
            pass
        case Call(op=Op(name="ExtractT"), args=(x,), params=(int(first), _)):
            pass
        case _:
            return None
    if stop <= first or start >= first + x.dim:
        return zeros(size)
    inside = first <= start and stop <= first + x.dim
    return _pick(x, start - first, size) if inside else None


def _pick(f: Node, start: int, size: int) -> Node:
    return F.Elem(f, start) if size == 1 else F.Extract(f, start, size)


def _pairs_joined(call: Call) -> Node | None:
    match call.args:
        case (
            Call(op=Op(name="ComplexPair"), args=(a, b)),
            Call(op=Op(name="ComplexPair"), args=(c, d)),
        ) if a.dim == c.dim:
            return F.ComplexPair(call.op(a, c), call.op(b, d))
    return None


for _name in ("Add", "Subtract"):
    _rule(
        _name,
        "ComplexPair(a, b) +- ComplexPair(c, d) -> ComplexPair(a +- c, b +- d)",
        "Adjoints of the two parts are pairs with a zero, which then vanishes.",
    )(_pairs_joined)


@_rule("ComplexReal", "ComplexReal(ComplexPair(x, y)) -> x", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="ComplexPair"), args=(x, _)):
            return x
    return None


@_rule("ComplexImag", "ComplexImag(ComplexPair(x, y)) -> y", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="ComplexPair"), args=(_, y)):
            return y
    return None


@_rule("ComplexPair", "ComplexPair(ComplexReal(z), ComplexImag(z)) -> z", "Nothing has moved.")
def _(call: Call) -> Node | None:
    match call.args:
        case (
            Call(op=Op(name="ComplexReal"), args=(z,)),
            Call(op=Op(name="ComplexImag"), args=(w,)),
        ) if z is w:
            return z
    return None
