"""Rules for ops that sum over coordinates."""

from __future__ import annotations

from ..node import Call, F, Node, Op, spread, zeros
from .rule import by_width, factor, is_zero, of_one_coordinate, rule, scaled, unspread


@rule("Sum", "Sum(x) -> x, x of dim 1", "There is one coordinate.")
def _(call: Call) -> Node | None:
    return of_one_coordinate(call)


@rule("Sum", "Sum(SumT(x, n)) -> n x", "One product instead of n - 1 sums.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="SumT"), args=(x,), params=(int(n),)):
            return n * x
    return None


@rule("Sum", "Sum(n x) -> n Sum(x)", "One product instead of one a coordinate.")
def _(call: Call) -> Node | None:
    n, x = factor(call.args[0])
    return scaled(n, F.Sum(x)) if n != 1 else None


@rule("Sum", "Sum(x y) -> Scalprod(x, y); s Sum(y), s of dim 1", "Products are added as they come.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Mult"), args=(x, y)):
            s, v = by_width(x, y)
            return F.Scalprod(x, y) if x.dim == y.dim else s * F.Sum(v)
    return None


@rule("Sum", "Sum(Square(x)) -> SqNorm2(x)", "One op, that other rules know.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Square"), args=(x,)):
            return F.SqNorm2(x)
    return None


@rule("Sum", "Sum(ElemT(x, n, m)) -> x, Sum(ExtractT(x, s, n)) -> Sum(x)", "Zeros add nothing.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="ElemT" | "ExtractT" | "TakeT"), args=(x,)):
            return F.Sum(x)
    return None


@rule(
    "Scalprod", "Scalprod(s, y) -> s Sum(y), s of dim 1", "One product instead of one a coordinate."
)
def _(call: Call) -> Node | None:
    s, v = by_width(*map(unspread, call.args))
    if s.dim > 1:
        return None
    width = max(arg.dim for arg in call.args)
    return s * F.Sum(spread(v, width))


@rule("Scalprod", "Scalprod(x, x) -> SqNorm2(x)", "One operand.")
def _(call: Call) -> Node | None:
    x, y = call.args
    return F.SqNorm2(x) if x is y else None


@rule("Scalprod", "Scalprod(m x, n y) -> (m n) Scalprod(x, y)", "One product at the end.")
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(factor, call.args)
    return scaled(m * n, F.Scalprod(x, y)) if m != 1 or n != 1 else None


@rule("Scalprod", "Scalprod(ElemT(x, n, m), y) -> x Elem(y, m)", "Zeros add nothing.")
def _(call: Call) -> Node | None:
    for x, y in (call.args, call.args[::-1]):
        match x:
            case Call(op=Op(name="ElemT"), args=(x,), params=(_, m)):
                return x * F.Elem(y, m)
            case Call(op=Op(name="ExtractT"), args=(x,), params=(start, _)):
                return F.Scalprod(x, F.Extract(y, start, x.dim))
    return None


@rule("SqNorm2", "SqNorm2(x) -> Square(x), x of dim 1; n Square(x) if spread", "One operation.")
def _(call: Call) -> Node | None:
    (x,) = call.args
    narrow = unspread(x)
    return x.dim * F.Square(narrow) if narrow.dim == 1 else None


@rule("SqNorm2", "SqNorm2(-x) -> SqNorm2(x)", "The sign does not matter.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Minus" | "Abs"), args=(x,)):
            return F.SqNorm2(x)
    return None


@rule("SqNorm2", "SqNorm2(x - y) -> SqDist(x, y)", "One op, shared with distances as written.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Subtract"), args=(x, y)):
            return F.SqDist(x, y)
    return None


@rule("SqDist", "SqDist(x, x) -> 0", "A distance less.", drops=True)
def _(call: Call) -> Node | None:
    x, y = call.args
    return zeros(1) if x is y else None


@rule("SqDist", "SqDist(x, 0) -> SqNorm2(x)", "A difference less.")
def _(call: Call) -> Node | None:
    x, y = call.args
    width = max(x.dim, y.dim)
    if is_zero(y):
        return F.SqNorm2(spread(x, width))
    return F.SqNorm2(spread(y, width)) if is_zero(x) else None


@rule("SqDist", "SqDist(x, y) -> n Square(x - y), x and y spread", "One difference instead of n.")
def _(call: Call) -> Node | None:
    x, y = map(unspread, call.args)
    width = max(arg.dim for arg in call.args)
    if x.dim == y.dim == 1:
        return width * F.Square(x - y)
    changed = x is not call.args[0] or y is not call.args[1]
    return F.SqDist(x, y) if changed else None


@rule("TensorDot", "TensorDot(x, y) -> x y, both of dim 1", "There is one coordinate.")
def _(call: Call) -> Node | None:
    x, y = call.args
    return x * y if x.dim == y.dim == 1 else None
