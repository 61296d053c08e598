"""Rules for sums, products, quotients, powers and choices."""

from __future__ import annotations

from ..node import Call, F, Node, Number, Op, spread, zeros
from .rule import by_width, factor, is_zero, of_one_coordinate, rule, scaled


@rule("Add", "x + 0 -> x", "Nothing is added.")
def _(call: Call) -> Node | None:
    a, b = call.args
    if is_zero(b):
        return spread(a, call.dim)
    return spread(b, call.dim) if is_zero(a) else None


@rule("Subtract", "x - 0 -> x, 0 - x -> -x", "Nothing is taken away.")
def _(call: Call) -> Node | None:
    a, b = call.args
    if is_zero(b):
        return spread(a, call.dim)
    return spread(-b, call.dim) if is_zero(a) else None


@rule("Add", "m x + -m x -> 0", "Derivatives are full of it.", drops=True)
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(factor, call.args)
    return zeros(call.dim) if x is y and m + n == 0 else None


@rule("Subtract", "m x - m x -> 0", "Derivatives are full of it.", drops=True)
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(factor, call.args)
    return zeros(call.dim) if x is y and m == n else None


@rule("Add", "m x + n x -> (m + n) x", "One product instead of two and a sum; x + x is 2 x.")
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(factor, call.args)
    return scaled(m + n, x) if x is y else None


@rule("Subtract", "m x - n x -> (m - n) x", "One product instead of two and a difference.")
def _(call: Call) -> Node | None:
    (m, x), (n, y) = map(factor, call.args)
    return scaled(m - n, x) if x is y else None


@rule("Add", "x + -y -> x - y", "One operation instead of two.")
def _(call: Call) -> Node | None:
    match call.args:
        case x, Call(op=Op(name="Minus"), args=(y,)):
            return x - y
        case Call(op=Op(name="Minus"), args=(y,)), x:
            return x - y
    return None


@rule("Subtract", "x - -y -> x + y", "One operation instead of two.")
def _(call: Call) -> Node | None:
    match call.args:
        case x, Call(op=Op(name="Minus"), args=(y,)):
            return x + y
    return None


@rule("Subtract", "-x - y -> -(x + y)", "The sign goes outwards, where it meets others.")
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


rule("Add", "a x + a y -> a (x + y)", "One product instead of two.")(_common_factor)
rule("Subtract", "a x - a y -> a (x - y)", "One product instead of two.")(_common_factor)


@rule("Minus", "-(n x) -> (-n) x", "The sign is free in a number; -(-x) is x.")
def _(call: Call) -> Node | None:
    n, x = factor(call.args[0])
    return scaled(-n, x) if n != 1 else None


@rule("Minus", "-(s v) -> (-s) v, s narrower than v", "One sign instead of one a coordinate.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Mult"), args=(a, b)) if a.dim != b.dim:
            s, v = by_width(a, b)
            return -s * v
    return None


@rule("Mult", "x n -> n x", "One order, so that the other rules know where numbers are.")
def _(call: Call) -> Node | None:
    x, n = call.args
    return n * x if isinstance(n, Number) and not isinstance(x, Number) else None


@rule("Mult", "1 x -> x, -1 x -> -x", "A product less.")
def _(call: Call) -> Node | None:
    n, x = call.args
    return scaled(n.value, x) if isinstance(n, Number) and abs(n.value) == 1 else None


@rule("Mult", "m (n x) -> (m n) x", "Numbers are multiplied once, here.")
def _(call: Call) -> Node | None:
    m, y = call.args
    n, x = factor(y)
    return scaled(m.value * n, x) if isinstance(m, Number) and n != 1 else None


@rule("Mult", "n (s v) -> (n s) v, s narrower than v", "A product for each number of s, not of v.")
def _(call: Call) -> Node | None:
    match call.args:
        case Number() as n, Call(op=Op(name="Mult"), args=(a, b)) if a.dim != b.dim:
            s, v = by_width(a, b)
            if isinstance(s, Number):
                return None
            return F.Mult(F.Mult(n, s), v)
    return None


@rule("Mult", "(m x) (n y) -> (m n) (x y)", "Numbers and signs go outwards, and meet.")
def _(call: Call) -> Node | None:
    a, b = by_width(*call.args)
    (m, x), (n, y) = factor(a), factor(b)
    if isinstance(a, Number) or isinstance(b, Number) or m == n == 1:
        return None
    if x.dim == y.dim:
        return scaled(m * n, x * y)
    narrow = scaled(m * n, x) if n != 1 else None
    return None if narrow is None else narrow * y


@rule("Mult", "x x -> Square(x)", "One operand.")
def _(call: Call) -> Node | None:
    a, b = call.args
    return F.Square(a) if a is b else None


@rule("Divide", "0 / x -> 0", "A division less.", drops=True)
def _(call: Call) -> Node | None:
    return zeros(call.dim) if is_zero(call.args[0]) else None


@rule("Divide", "x / n -> (1 / n) x", "A product is several times faster than a division.")
def _(call: Call) -> Node | None:
    x, n = call.args
    return scaled(1 / n.value, x) if isinstance(n, Number) and n.value != 0 else None


@rule("Divide", "1 / x -> Inv(x)", "One operand.")
def _(call: Call) -> Node | None:
    one, x = call.args
    return F.Inv(x) if isinstance(one, Number) and one.value == 1 else None


@rule("Divide", "(m x) / (n y) -> (m / n) (x / y)", "Numbers and signs go outwards, and meet.")
def _(call: Call) -> Node | None:
    a, b = call.args
    (m, x), (n, y) = factor(a), factor(b)
    if a.dim != b.dim or isinstance(a, Number) or m == n == 1 or n == 0:
        return None
    return scaled(m / n, x / y)


@rule("Inv", "Inv(n x) -> (1 / n) Inv(x)", "Numbers and signs go outwards, and meet.")
def _(call: Call) -> Node | None:
    n, x = factor(call.args[0])
    return scaled(1 / n, F.Inv(x)) if n not in (0, 1) else None


@rule("Square", "Square(-x), Square(Abs(x)) -> Square(x)", "The sign does not matter.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Minus" | "Abs"), args=(x,)):
            return F.Square(x)
    return None


@rule("Square", "Square(Pow(x, m)) -> Pow(x, 2 m), m an integer", "One power instead of two.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Pow"), args=(x,), params=(int(m),)):
            return F.Pow(x, 2 * m)
    return None


@rule("Pow", "Pow(x, m) -> 1, x, Square(x), Inv(x) for m = 0, 1, 2, -1", "The simpler op.")
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


@rule("Pow", "Pow(Pow(x, m), n) -> Pow(x, m n), m and n integers", "One power instead of two.")
def _(call: Call) -> Node | None:
    match call.args[0], call.params:
        case Call(op=Op(name="Pow"), args=(x,), params=(int(m),)), (int(n),):
            return F.Pow(x, m * n)
        case Call(op=Op(name="Square"), args=(x,)), (int(n),):
            return F.Pow(x, 2 * n)
    return None


@rule("Powf", "Powf(x, n) -> Pow(x, n)", "Powers with a known exponent are often few products.")
def _(call: Call) -> Node | None:
    match call.args:
        case x, Number(1, n) if x.dim == call.dim:
            return F.Pow(x, int(n) if n == int(n) else n)
    return None


@rule("Abs", "Abs(-x) -> Abs(x)", "The sign does not matter.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="Minus"), args=(x,)):
            return F.Abs(x)
    return None


@rule("IfElse", "IfElse(f, a, a) -> a, and known conditions", "Nothing is chosen.")
def _(call: Call) -> Node | None:
    f, a, b = call.args
    if a is b:
        return spread(a, call.dim)
    if isinstance(f, Number):
        return spread(a if f.value >= 0 else b, call.dim)
    return None


@rule("IfLess", "IfLess(f, g, a, a) -> a, and known conditions", "Nothing is chosen.")
def _(call: Call) -> Node | None:
    f, g, a, b = call.args
    if a is b or f is g:
        return spread(b, call.dim)
    if isinstance(f, Number) and isinstance(g, Number):
        return spread(a if f.value < g.value else b, call.dim)
    return None


@rule("IfLess", "IfLess(0, LessThan(f, g), a, b) -> IfLess(f, g, a, b)", "One comparison, not two.")
def _(call: Call) -> Node | None:
    match call.args:
        case Number(_, 0.0), Call(op=Op(name="LessThan"), args=(f, g)), a, b:
            return spread(F.IfLess(f, g, a, b), call.dim)
    return None


@rule("Slope", "Slope(f, x, 0) -> f", "No derivative is added.")
def _no_slope(call: Call) -> Node | None:
    f, _, d = call.args
    return spread(f, call.dim) if is_zero(d) else None


rule("Slopes", "Slopes(f, x, 0) -> f", "No derivative is added.")(_no_slope)


@rule("StopGradient", "StopGradient(StopGradient(x)) -> StopGradient(x)", "Once is enough.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="StopGradient")) as x:
            return x
    return None


for _name in ("Max", "Min"):
    rule(_name, "Max(x), Min(x) -> x, x of dim 1", "There is one coordinate.")(of_one_coordinate)
