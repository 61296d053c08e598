"""Rules for ops that pick, spread and pad coordinates, or split complex numbers."""

from __future__ import annotations

from ..node import Call, F, Node, Op, Param, spread, zeros
from .rule import rule


@rule("SumT", "SumT(x, 1) -> x", "Nothing is repeated.")
def _(call: Call) -> Node | None:
    return call.args[0] if call.dim == 1 else None


@rule("ElemT", "ElemT(x, 1, 0) -> x", "Nothing is padded.")
def _(call: Call) -> Node | None:
    return call.args[0] if call.dim == 1 else None


@rule("ExtractT", "ExtractT(x, 0, x.dim) -> x", "Nothing is padded.")
def _(call: Call) -> Node | None:
    return call.args[0] if call.dim == call.args[0].dim else None


@rule("Elem", "Elem(f, m) -> Extract(f, m, 1), read through f", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    return _picked(call.args[0], call.params[0], 1)


@rule("Extract", "Extract(f, s, d), read through f", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    return _picked(call.args[0], *call.params)


def _picked(f: Node, start: Param, size: Param) -> Node | None:
    """`size` coordinates of `f` from `start` on, if that is simpler than an op on `f`."""
    assert isinstance(start, int), start
    assert isinstance(size, int), size
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


@rule(
    "Take", "Take(f, places), in a row -> Extract; all one place -> SumT", "Known to other rules."
)
def _(call: Call) -> Node | None:
    (f,), (places,) = call.args, call.params
    assert isinstance(places, tuple), places
    first = places[0]
    if len(places) > 1 and set(places) == {first}:
        return spread(_pick(f, first, 1), call.dim)
    in_a_row = places == tuple(range(first, first + call.dim))
    return _pick(f, first, call.dim) if in_a_row else None


@rule("Take", "Take(f, places), read through f", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    (f,), (places,) = call.args, call.params
    assert isinstance(places, tuple), places
    match f:
        case Call(op=Op(name="SumT"), args=(x,)):
            return spread(x, call.dim)
        case Call(op=Op(name="Take"), args=(x,), params=(tuple(inner),)):
            return F.Take(x, tuple(inner[place] for place in places))
        case Call(op=Op(name="Extract"), args=(x,), params=(int(start), _)):
            return F.Take(x, tuple(start + place for place in places))
        case Call(op=Op(name="Concat"), args=(a, b)):
            if max(places) < a.dim:
                return F.Take(a, places)
            if min(places) >= a.dim:
                return F.Take(b, tuple(place - a.dim for place in places))
    return None


@rule("TakeT", "TakeT(f, n, places), in a row -> ExtractT; all one place -> ElemT", "The same.")
def _(call: Call) -> Node | None:
    (f,), (n, places) = call.args, call.params
    assert isinstance(places, tuple), places
    first = places[0]
    if set(places) == {first}:
        return F.ElemT(F.Sum(f), n, first)
    return F.ExtractT(f, first, n) if places == tuple(range(first, first + f.dim)) else None


def _pairs_joined(call: Call) -> Node | None:
    match call.args:
        case (
            Call(op=Op(name="ComplexPair"), args=(a, b)),
            Call(op=Op(name="ComplexPair"), args=(c, d)),
        ) if a.dim == c.dim:
            return F.ComplexPair(call.op(a, c), call.op(b, d))
    return None


for _name in ("Add", "Subtract"):
    rule(
        _name,
        "ComplexPair(a, b) +- ComplexPair(c, d) -> ComplexPair(a +- c, b +- d)",
        "Adjoints of the two parts are pairs with a zero, which then vanishes.",
    )(_pairs_joined)


@rule("ComplexReal", "ComplexReal(ComplexPair(x, y)) -> x", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="ComplexPair"), args=(x, _)):
            return x
    return None


@rule("ComplexImag", "ComplexImag(ComplexPair(x, y)) -> y", "Rearranged coordinates are found.")
def _(call: Call) -> Node | None:
    match call.args[0]:
        case Call(op=Op(name="ComplexPair"), args=(_, y)):
            return y
    return None


@rule("ComplexPair", "ComplexPair(ComplexReal(z), ComplexImag(z)) -> z", "Nothing has moved.")
def _(call: Call) -> Node | None:
    match call.args:
        case (
            Call(op=Op(name="ComplexReal"), args=(z,)),
            Call(op=Op(name="ComplexImag"), args=(w,)),
        ) if z is w:
            return z
    return None
