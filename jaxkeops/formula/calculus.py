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
from .node import F, Node, Var, variables


@dataclass(frozen=True)
class Argument:
    """Where an input of a derived formula comes from: number `index` of the arrays at hand.

    carrier: only the extents of the array are wanted: pass `array[..., :0]`.
    """

    index: int
    carrier: bool


@dataclass(frozen=True)
class Tangent:
    """The tangent of the first result; None if it is zero.

    The arrays at hand are the inputs, the results, then the tangents of the moving inputs.
    """

    formula: Formula | None
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Sweep:
    """Gradients that one pass over the pairs gives: columns [start, stop) for each slot.

    The arrays at hand are the inputs, the results, then the cotangent of the first result.
    axis: which axis of the differentiated formula the rows of the result are. A slot that is a
    parameter takes the sum over those rows.
    """

    formula: Formula
    arguments: tuple[Argument, ...]
    axis: str
    parts: tuple[tuple[int, int, int], ...]


@lru_cache(maxsize=1024)
def tangent(formula: Formula, moving: tuple[int, ...]) -> Tangent:
    """The derivative of `formula` along tangents of the inputs in `moving`, all at once."""
    outer, results, _ = _outside(formula)
    at_hand = [*formula.inputs, *results]
    directions = {}
    for slot in moving:
        given = formula.inputs[slot]
        directions[slot] = Var(given.dim, len(at_hand), given.axis)
        at_hand.append(given)
    inner = differential(formula.node, directions)
    if inner is None:
        return Tangent(None, ())
    node = rename(outer, {_PLACE: inner})
    return Tangent(*_compact(node, at_hand, swapped=False))


@lru_cache(maxsize=1024)
def cotangents(formula: Formula, slots: tuple[int, ...]) -> tuple[Sweep, ...]:
    """The gradients for the inputs in `slots`, in as few passes as there are axes among them.

    A slot that appears in no part has a zero gradient.
    """
    outer, results, width = _outside(formula)
    at_hand = [*formula.inputs, *results, Input("i", width)]
    g = Var(width, len(at_hand) - 1, "i")
    inner = gradient(outer, [_PLACE], g)[_PLACE]
    if inner is None:
        return ()
    found = gradient(formula.node, slots, inner)
    groups: dict[str, list[tuple[int, Node]]] = {"i": [], "j": []}
    parameters = []
    for slot in slots:
        node = found[slot]
        if node is not None:
            axis = formula.inputs[slot].axis
            (parameters if axis == "p" else groups[axis]).append((slot, node))
    groups["j" if groups["j"] and not groups["i"] else "i"].extend(parameters)
    sweeps = []
    for axis, members in groups.items():
        if not members:
            continue
        parts, start = [], 0
        for slot, node in members:
            parts.append((slot, start, start + node.dim))
            start += node.dim
        node = reduce(F.Concat, [node for _, node in members])
        sweeps.append(Sweep(*_compact(node, at_hand, swapped=axis == "j"), axis, tuple(parts)))
    return tuple(sweeps)


_PLACE = -1  # the slot that stands for the tangent of the formula, until it is known


def _outside(formula: Formula) -> tuple[Node, list[Input], int]:
    """The reduction's own derivative, as a formula linear in slot `_PLACE`.

    Also the inputs that its results are, and the width of its first result.
    """
    derivative = formula.reduction.derivative
    if derivative is None:
        raise NotDifferentiableError(
            f"The reduction {formula.reduction.name} has no derivative here. Differentiable are "
            "Sum and LogSumExp; for a minimum, reduce with ArgMin and index the data."
        )
    kinds = formula.reduction.results(formula.node.dim)
    results = [Input("i", len(result.values)) for result in kinds]
    nodes = tuple(Var(given.dim, len(formula.inputs) + k, "i") for k, given in enumerate(results))
    place = Var(formula.node.dim, _PLACE, "i")
    return derivative(formula.node, nodes, place), results, results[0].dim


def _compact(
    node: Node, at_hand: Sequence[Input], *, swapped: bool
) -> tuple[Formula, tuple[Argument, ...]]:
    """A Sum of `node` that takes only what it uses of the arrays at hand.

    Where nothing that it uses has an extent that the pairs have, an array without columns
    carries it: the number of terms still counts.
    """
    shared = make_formula("Sum", node, at_hand)
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
    return make_formula("Sum", rename(shared.node, new), inputs), tuple(arguments)
