"""Derivatives of whole reductions: each is a Sum of another formula, ready to compile.

Every derivative of a reduction is a Sum, so Sums are closed under these two functions, and
derivatives of any order need no other rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

from ..errors import NotDifferentiableError
from ..ir import Input
from .autodiff import differential, gradient
from .formula import SWAPPED, Formula, make_formula, rename
from .node import F, Node, Var, variables, zeros


@dataclass(frozen=True)
class Argument:
    """Where an input of a derived formula comes from: number `index` of the arrays at hand.

    carrier: only the extents of the array are wanted: pass `array[..., :0]`.
    """

    index: int
    carrier: bool


@dataclass(frozen=True)
class Part:
    """Columns [start, stop) of result number `source` of a derived formula.

    target: what they are the derivative of, or for: the number of a result, or of an input.
    """

    target: int
    source: int
    start: int
    stop: int


@dataclass(frozen=True)
class Tangent:
    """The tangents of all float results; None if all are zero.

    The arrays at hand are the inputs, the results, then the tangents of the moving inputs.
    """

    formula: Formula | None
    arguments: tuple[Argument, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Sweep:
    """Gradients that one pass over the pairs gives.

    The arrays at hand are the inputs, the results, then the given cotangents.
    axis: which axis of the differentiated formula the rows of the result are. Gradients of
    parameters ride along: they are summed over those rows as well, in a result without rows.
    """

    formula: Formula
    arguments: tuple[Argument, ...]
    axis: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Selected:
    """One coordinate of a formula at chosen pairs, a row for each: a Sum without columns.

    slots: the inputs it takes, in its order, each with a row for each chosen pair; after them comes
    an array (*batch, rows, 0), which says how many there are.
    """

    formula: Formula
    slots: tuple[int, ...]


@lru_cache(maxsize=1024)
def tangent(formula: Formula, moving: tuple[int, ...]) -> Tangent:
    """The derivatives of the float results along tangents of the inputs in `moving`, at once."""
    outer, results = _outside(formula)
    at_hand = [*formula.inputs, *results]
    directions = {}
    for slot in moving:
        given = formula.inputs[slot]
        directions[slot] = Var(given.dim, len(at_hand), given.axis)
        at_hand.append(given)
    inner: dict[int, Node] = {}
    for place, root in _roots(formula):
        found = differential(root, directions)
        if found is not None:
            inner[place] = found
    if not inner:
        return Tangent(None, (), ())
    for place, root in _roots(formula):
        inner.setdefault(place, zeros(root.dim))
    node = reduce(F.Concat, [rename(node, inner) for _, node in outer])
    derived = _compact(node, at_hand, formula.over_rows, swapped=False)
    parts, start = [], 0
    for number, each in outer:
        if formula.over_rows:
            parts.append(Part(number, number, 0, each.dim))
        else:
            parts.append(Part(number, 0, start, start + each.dim))
            start += each.dim
    return Tangent(*derived, tuple(parts))


@lru_cache(maxsize=1024)
def cotangents(
    formula: Formula, slots: tuple[int, ...], given: tuple[int, ...] = (0,)
) -> tuple[Sweep, ...]:
    """The gradients for the inputs in `slots`, in as few passes as there are axes among them.

    given: the numbers of the float results that have a cotangent.
    A slot that appears in no part has a zero gradient.
    """
    outer, results = _outside(formula)
    at_hand = [*formula.inputs, *results]
    of_roots: dict[int, Node] = {}
    for number, node in outer:
        if number in given:
            g = Var(node.dim, len(at_hand), results[number].axis)
            at_hand.append(results[number])
            places = [place for place, _ in _roots(formula)]
            for place, found in gradient(node, places, g).items():
                if found is not None:
                    known = of_roots.get(place)
                    of_roots[place] = found if known is None else F.Add(known, found)
    gradients: dict[int, Node] = {}
    for place, root in _roots(formula):
        if place in of_roots:
            for slot, found in gradient(root, slots, of_roots[place]).items():
                if found is not None:
                    known = gradients.get(slot)
                    gradients[slot] = found if known is None else F.Add(known, found)
    return tuple(
        _sweep(formula, axis, members, at_hand)
        for axis, members in _by_axis(formula, gradients).items()
        if members
    )


@lru_cache(maxsize=1024)
def with_rows(formula: Formula) -> Formula:
    """The formula whose results are the values that `formula` selects, then their rows."""
    rules = formula.reduction
    if len(formula.results) == 2:
        return formula
    name = f"{rules.name}_{rules.selects}"
    return make_formula(name, formula.node, formula.inputs, count=formula.count)


@lru_cache(maxsize=1024)
def selected(formula: Formula, coordinate: int) -> Selected:
    """Coordinate number `coordinate` of the formula, at pairs chosen for each row.

    Parameters have a row for each pair, too. Pairs are then independent of each other: the
    derivatives at one that does not count may be NaN, and would spoil a sum over all pairs.
    """
    node = formula.node if formula.node.dim == 1 else F.Elem(formula.node, coordinate)
    slots = sorted(variables(node))
    inputs = [Input("i", formula.inputs[slot].dim) for slot in slots]
    new = {slot: Var(inputs[k].dim, k, "i") for k, slot in enumerate(slots)}
    made = make_formula("Sum", rename(node, new), [*inputs, Input("i", 0)])
    return Selected(made, tuple(slots))


def _by_axis(formula: Formula, gradients: dict[int, Node]) -> dict[str, list[tuple[int, Node]]]:
    """Gradients by the axis of their rows; those of parameters ride with the others, last."""
    groups: dict[str, list[tuple[int, Node]]] = {"i": [], "j": []}
    parameters = []
    for slot, node in gradients.items():
        axis = formula.inputs[slot].axis
        (parameters if axis == "p" else groups[axis]).append((slot, node))
    groups["j" if groups["j"] and not groups["i"] else "i"].extend(parameters)
    return groups


def _sweep(
    formula: Formula, axis: str, members: Sequence[tuple[int, Node]], at_hand: Sequence[Input]
) -> Sweep:
    whole = sum(node.dim for _, node in members)
    over_rows = sum(node.dim for slot, node in members if formula.inputs[slot].axis == "p")
    parts, start = [], 0
    for slot, node in members:
        if formula.inputs[slot].axis != "p":
            parts.append(Part(slot, 0, start, start + node.dim))
        else:
            first = start - (whole - over_rows)
            parts.append(Part(slot, int(over_rows < whole), first, first + node.dim))
        start += node.dim
    node = reduce(F.Concat, [node for _, node in members])
    derived = _compact(node, at_hand, over_rows, swapped=axis == "j")
    return Sweep(*derived, axis, tuple(parts))


# Slots that stand for the tangents of the formula and of its weights, until they are known.
_PLACE, _WEIGHT_PLACE = -1, -2


def _roots(formula: Formula) -> list[tuple[int, Node]]:
    """The formula and its weights, each with the slot of its tangent."""
    roots = [(_PLACE, formula.node)]
    return roots if formula.weight is None else [*roots, (_WEIGHT_PLACE, formula.weight)]


def _outside(formula: Formula) -> tuple[list[tuple[int, Node]], list[Input]]:
    """The reduction's own derivative: for each float result, its number and a formula linear in
    `_PLACE` and `_WEIGHT_PLACE`; and the inputs that the results are.
    """
    derivative = formula.reduction.derivative
    if derivative is None:
        raise NotDifferentiableError(
            f"The reduction {formula.reduction.name} has no derivative as a formula; only values "
            "that it selects have one, in the doors that differentiate."
        )
    kinds = formula.results
    results = [Input(result.axis, result.width) for result in kinds]
    nodes = tuple(
        Var(given.dim, len(formula.inputs) + k, given.axis) for k, given in enumerate(results)
    )
    places = [Var(root.dim, place, "i") for place, root in _roots(formula)]
    moved = derivative(
        formula.node, formula.weight, nodes, places[0], places[1] if len(places) > 1 else None
    )
    if formula.over_rows:
        (whole,) = moved
        cut = whole.dim - formula.over_rows
        last = F.Extract(whole, cut, formula.over_rows)
        moved = (F.Extract(whole, 0, cut), last) if cut else (last,)
    numbers = [k for k, result in enumerate(kinds) if result.kind == "float"]
    return list(zip(numbers, moved, strict=True)), results


def _compact(
    node: Node, at_hand: Sequence[Input], over_rows: int, *, swapped: bool
) -> tuple[Formula, tuple[Argument, ...]]:
    """A Sum of `node` that takes only what it uses of the arrays at hand.

    Where nothing that it uses has an extent that the pairs have, an array without columns
    carries it: the number of terms still counts.
    """
    shared = make_formula("Sum", node, at_hand, derived=True)
    used = sorted(variables(shared.node))
    arguments = [Argument(slot, carrier=False) for slot in used]
    inputs = [at_hand[slot] for slot in used]
    for axis in "ij":
        if not any(given.axis == axis for given in inputs):
            first = next((k for k, given in enumerate(at_hand) if given.axis == axis), None)
            if first is not None:
                arguments.append(Argument(first, carrier=True))
                inputs.append(Input(axis, 0))
    if swapped:
        inputs = [Input(SWAPPED[given.axis], given.dim) for given in inputs]
    new = {slot: Var(inputs[k].dim, k, inputs[k].axis) for k, slot in enumerate(used)}
    node = rename(shared.node, new)
    made = make_formula("Sum", node, inputs, over_rows=over_rows, derived=True)
    return made, tuple(arguments)
