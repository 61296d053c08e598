"""Primitives that reduce over the axes of one pair's arrays, or accumulate along one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from ...formula import F, Node
from ...formula.methods import joined
from .elementwise import choose, maximum, minimum
from .graph import Equation
from .layout import picked
from .rule import Inside, Unmapped, rule

Join = Callable[[Node, Node], Node]
# What may be written out: the equations of a step times the steps, and the places of a sort.
MOST_STEPS = 256
MOST_SORTED = 16


def lines(equation: Equation, axes: Sequence[int]) -> np.ndarray:
    """(kept, reduced): the places of the numbers that are reduced to each result."""
    shape = equation.inputs[0].shape
    places = np.arange(int(np.prod(shape))).reshape(shape)
    moved = np.moveaxis(places, tuple(axes), tuple(range(-len(axes), 0)))
    reduced = int(np.prod([shape[axis] for axis in axes]))
    return moved.reshape(-1, reduced)


def halved(f: Node, places: np.ndarray, join: Join) -> Node:
    """Each line of places joined to one number, in pairs, pairs of pairs, and so on."""
    count = places.shape[1]
    columns = [picked([f], places[:, k]) for k in range(count)] if len(places) > 1 else []
    if not columns:
        return _halved(picked([f], places), join)
    while len(columns) > 1:
        pairs = [join(a, b) for a, b in zip(columns[::2], columns[1::2], strict=False)]
        columns = pairs + columns[len(columns) // 2 * 2 :]
    return columns[0]


def _halved(f: Node, join: Join) -> Node:
    """The coordinates of f joined: the halves of f are joined as vectors."""
    while f.dim > 1:
        half = f.dim // 2
        places = np.arange(f.dim)
        rest = picked([f], places[2 * half :]) if f.dim % 2 else None
        f = join(picked([f], places[:half]), picked([f], places[half : 2 * half]))
        f = f if rest is None else joined(f, rest)
    return f


@rule("reduce_sum")
def _sum(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    (f,) = nodes
    places = lines(equation, equation.params["axes"])
    kept, reduced = places.shape
    if kept == 1:
        return F.Sum(f)
    if reduced == 1:
        return picked([f], places)
    owner = np.empty(f.dim, int)
    owner[places.reshape(-1)] = np.repeat(np.arange(kept), reduced)
    return F.TakeT(f, kept, tuple(map(int, owner)))


def _extremum(name: str, join: Join) -> None:
    @rule(name)
    def _(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
        (f,) = nodes
        places = lines(equation, equation.params["axes"])
        value = halved(f, places, join)
        if places.shape[0] > 1 or f.dim == 1:
            return value
        # All that are equal to it share the derivative, as in JAX.
        equal = F.Equal(f, value)
        return F.Slopes(F.StopGradient(value), f, equal / F.Sum(equal))


_extremum("reduce_max", maximum)
_extremum("reduce_min", minimum)


@rule("reduce_prod", "reduce_and")
def _product(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    _only_booleans(equation, "reduce_and")
    return halved(nodes[0], lines(equation, equation.params["axes"]), F.Mult)


@rule("reduce_or")
def _any(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    _only_booleans(equation, "reduce_or")
    return F.NotEqual(_sum(equation, nodes, inside), 0.0)


def _only_booleans(equation: Equation, name: str) -> None:
    if equation.name == name and equation.inputs[0].dtype != np.bool_:
        raise Unmapped(name, "Bits of integers have no formula: only booleans do.")


def has_nan(equation: Equation) -> bool:
    """Whether its numbers may be NaN: integers and booleans may not."""
    return jnp.issubdtype(equation.inputs[0].dtype, jnp.inexact)


def _place_of_extremum(name: str, find: Callable[[Node], Node]) -> None:
    @rule(name)
    def _(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
        each = [picked(nodes, line) for line in lines(equation, equation.params["axes"])]
        if not has_nan(equation):
            return joined(*map(find, each))
        # The first NaN, if there is one: the language's own operations pass over it.
        wrong = [F.NotEqual(f, f) for f in each]
        return joined(
            *(
                choose(F.Sum(is_nan), F.ArgMax(is_nan), find(f))
                for f, is_nan in zip(each, wrong, strict=True)
            )
        )


_place_of_extremum("argmax", lambda f: F.ArgMax(f))
_place_of_extremum("argmin", lambda f: F.ArgMin(f))


def _steps(equation: Equation, f: Node, axis: int) -> tuple[list[Node], np.ndarray]:
    """The slices of f along an axis, and where what stands in them, joined, comes from."""
    shape = equation.inputs[0].shape
    count = shape[axis]
    if count > MOST_STEPS:
        raise Unmapped(equation.name, f"Its {count} steps are too many to be written out.")
    places = np.moveaxis(np.arange(f.dim).reshape(shape), axis, 0).reshape(count, -1)
    back = np.empty(f.dim, int)
    back[places.reshape(-1)] = np.arange(f.dim)
    return [picked([f], each) for each in places], back


def _cumulative(name: str, join: Join) -> None:
    @rule(name)
    def _(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
        slices, back = _steps(equation, nodes[0], equation.params["axis"])
        backwards = equation.params["reverse"]
        so_far = slices[::-1] if backwards else slices
        for k in range(1, len(so_far)):
            so_far[k] = join(so_far[k - 1], so_far[k])
        return picked([joined(*(so_far[::-1] if backwards else so_far))], back)


def _log_add_exp(f: Node, g: Node) -> Node:
    top = F.StopGradient(maximum(f, g))
    return top + F.Log(F.Exp(f - top) + F.Exp(g - top))


_cumulative("cumsum", F.Add)
_cumulative("cumprod", F.Mult)
_cumulative("cummax", maximum)
_cumulative("cummin", minimum)
_cumulative("cumlogsumexp", _log_add_exp)


@rule("sort")
def _sort(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    """By transpositions of neighbours, Knuth 1998, The Art of Computer Programming 3, 5.3.4."""
    if len(nodes) > 1:
        raise Unmapped("sort", "Sorting several arrays, as argsort does, has no formula.")
    slices, back = _steps(equation, nodes[0], equation.params["dimension"])
    count = len(slices)
    if count > MOST_SORTED:
        raise Unmapped("sort", f"It sorts {count} numbers, and a formula {MOST_SORTED} at most.")
    for k in range(count):
        for a in range(k % 2, count - 1, 2):
            one, other = slices[a], slices[a + 1]
            low, high = one, other
            if has_nan(equation):  # it comes last
                is_nan = F.NotEqual(one, one)
                low, high = choose(is_nan, other, one), choose(is_nan, one, other)
            slices[a] = F.IfLess(other, one, other, low)
            slices[a + 1] = F.IfLess(other, one, one, high)
    return picked([joined(*slices)], back)
