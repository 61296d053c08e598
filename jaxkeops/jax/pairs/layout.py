"""Primitives that only move numbers: each is run on the places of the numbers instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...formula import F, Node, Number
from ...formula.methods import joined
from .graph import Equation
from .rule import Inside, Unmapped, known_array, rule

# Pieces of several formulas that are joined one by one; beyond, all are joined and picked from.
FEW_PIECES = 16
NOWHERE = -1  # the place of what is filled in

Moves = Callable[..., np.ndarray]


def picked(nodes: Sequence[Node], places: np.ndarray, fill: Node | None = None) -> Node:
    """The numbers of formulas at `places`, in their order: those of the first come first.

    fill: what stands at places NOWHERE.
    """
    flat = places.reshape(-1)
    if fill is not None and (flat < 0).any():
        flat = np.where(flat < 0, sum(node.dim for node in nodes), flat)
        nodes = [*nodes, fill]
    ends = np.cumsum([node.dim for node in nodes])
    owners = np.searchsorted(ends, flat, side="right")
    starts = ends - [node.dim for node in nodes]
    pieces = [
        (owner, list(group)) for owner, group in groupby(range(flat.size), owners.__getitem__)
    ]
    if len(pieces) > FEW_PIECES:
        return _at(joined(*nodes), flat)
    return joined(*(_at(nodes[owner], flat[group] - starts[owner]) for owner, group in pieces))


def _at(node: Node, places: np.ndarray) -> Node:
    if places.size == node.dim and (places == np.arange(node.dim)).all():
        return node
    if isinstance(node, Number):
        return Number(places.size, node.value)
    return F.Take(node, tuple(map(int, places)))


def numbered(shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Arrays of these shapes that hold 0, 1, ...: the place of each number among those of all."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    starts = np.cumsum([0, *sizes])
    return [
        np.arange(start, start + size).reshape(shape)
        for start, size, shape in zip(starts, sizes, shapes, strict=False)
    ]


def _moving(*names: str) -> Callable[[Moves], Moves]:
    """Primitives that move all of their operands: equation, places -> places of the result."""

    def add(moves: Moves) -> Moves:
        @rule(*names)
        def _(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
            places = numbered([value.shape for value in equation.inputs])
            return picked(nodes, moves(equation, *places))

        return moves

    return add


@_moving("reshape", "squeeze")
def _reshaped(equation: Equation, places: np.ndarray) -> np.ndarray:
    return places


@_moving("broadcast_in_dim")
def _broadcast(equation: Equation, places: np.ndarray) -> np.ndarray:
    shape = equation.outputs[0].shape
    spread = [1] * len(shape)
    for axis, target in enumerate(equation.params["broadcast_dimensions"]):
        spread[target] = places.shape[axis]
    return np.broadcast_to(places.reshape(spread), shape)


@_moving("transpose")
def _transposed(equation: Equation, places: np.ndarray) -> np.ndarray:
    return places.transpose(equation.params["permutation"])


@_moving("rev")
def _reversed(equation: Equation, places: np.ndarray) -> np.ndarray:
    return np.flip(places, equation.params["dimensions"])


@_moving("slice")
def _sliced(equation: Equation, places: np.ndarray) -> np.ndarray:
    params = equation.params
    steps = params["strides"] or (1,) * places.ndim
    cuts = zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    return places[tuple(slice(*cut) for cut in cuts)]


@_moving("concatenate")
def _concatenated(equation: Equation, *places: np.ndarray) -> np.ndarray:
    return np.concatenate(places, equation.params["dimension"])


@_moving("stack")
def _stacked(equation: Equation, *places: np.ndarray) -> np.ndarray:
    return np.stack(places, equation.params["axis"])


@_moving("tile")
def _tiled(equation: Equation, places: np.ndarray) -> np.ndarray:
    return np.tile(places, equation.params["reps"])


@rule("unstack")
def _unstacked(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    (places,) = numbered([equation.inputs[0].shape])
    return [picked(nodes, each) for each in np.moveaxis(places, equation.params["axis"], 0)]


@rule("split")
def _split(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    (places,) = numbered([equation.inputs[0].shape])
    cuts = np.cumsum(equation.params["sizes"])[:-1]
    return [picked(nodes, each) for each in np.split(places, cuts, equation.params["axis"])]


@_moving("pad")
def _padded(equation: Equation, places: np.ndarray, filling: np.ndarray) -> np.ndarray:
    """`low` and `high` numbers at the ends of each axis, or less of them, and some in between."""
    for axis, (low, high, between) in enumerate(equation.params["padding_config"]):
        length = places.shape[axis]
        spread = np.full(
            [
                n if a != axis else max(length + (length - 1) * between, 0)
                for a, n in enumerate(places.shape)
            ],
            filling,
        )
        along = [slice(None)] * places.ndim
        along[axis] = slice(None, None, between + 1)
        spread[tuple(along)] = places
        margins = [(0, 0)] * places.ndim
        margins[axis] = (max(low, 0), max(high, 0))
        places = np.pad(spread, margins, constant_values=int(filling))
        along[axis] = slice(max(-low, 0), places.shape[axis] - max(-high, 0))
        places = places[tuple(along)]
    return places


@rule("iota")
def _iota(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    (value,) = equation.outputs
    counts = np.arange(value.shape[equation.params["dimension"]])
    shape = [1] * len(value.shape)
    shape[equation.params["dimension"]] = counts.size
    numbers = np.broadcast_to(counts.reshape(shape), value.shape).reshape(-1)
    return joined(*(Number(1, float(each)) for each in numbers))


def _starts(equation: Equation, nodes: Sequence[Node], first: int) -> list[int]:
    """The operands from number `first` on, indices that must be known, held within the array."""
    values = equation.inputs[first:]
    asked = [
        int(known_array(node, value, equation.name))
        for node, value in zip(nodes[first:], values, strict=True)
    ]
    whole = equation.inputs[0].shape
    sizes = equation.params.get("slice_sizes") or equation.inputs[1].shape
    return [
        min(max(start, 0), extent - size)
        for start, extent, size in zip(asked, whole, sizes, strict=True)
    ]


@rule("dynamic_slice")
def _dynamic_slice(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    (places,) = numbered([equation.inputs[0].shape])
    starts = _starts(equation, nodes, 1)
    sizes = equation.params["slice_sizes"]
    cut = tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
    return picked(nodes[:1], places[cut])


@rule("dynamic_update_slice")
def _dynamic_update_slice(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    whole, part = numbered([value.shape for value in equation.inputs[:2]])
    starts = _starts(equation, nodes, 2)
    cut = tuple(slice(start, start + size) for start, size in zip(starts, part.shape, strict=True))
    whole[cut] = part
    return picked(nodes[:2], whole)


@rule("gather")
def _gather(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    indices = known_array(nodes[1], equation.inputs[1], equation.name)
    (places,) = numbered([equation.inputs[0].shape])
    found = _run(equation, {"fill_value": NOWHERE}, places, indices)
    fill = equation.params["fill_value"]
    return picked(nodes[:1], found, Number(1, float("nan" if fill is None else fill)))


@rule("scatter")
def _scatter(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    """Numbers put in the place of others, at indices that are known."""
    indices = known_array(nodes[1], equation.inputs[1], equation.name)
    whole, part = numbered([equation.inputs[0].shape, equation.inputs[2].shape])
    if equation.params["update_jaxpr"] is not None:
        raise Unmapped(equation.name, "Numbers that are put by a function have no formula.")
    return picked([nodes[0], nodes[2]], _run(equation, {}, whole, indices, part))


@rule("scatter-add", "scatter-sub")
def _scatter_add(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    """Each number is added where the primitive puts it when all others are 0."""
    whole, indices, part = equation.inputs
    known = known_array(nodes[1], indices, equation.name)
    empty = np.zeros(whole.shape, whole.dtype)
    alone = np.eye(part.size, dtype=whole.dtype).reshape(part.size, *part.shape)
    found = np.array([_run(equation, {}, empty, known, each).reshape(-1) for each in alone])
    kept = np.flatnonzero(found.any(1))
    if not kept.size:
        return nodes[0]
    places = tuple(map(int, np.abs(found[kept]).argmax(1)))
    added = F.TakeT(picked(nodes[2:], kept), whole.size, places)
    return nodes[0] + added if equation.name == "scatter-add" else nodes[0] - added


def _run(equation: Equation, changed: dict[str, Any], *arrays: np.ndarray) -> np.ndarray:
    """What the primitive makes of arrays of places, by JAX itself."""
    with jax.ensure_compile_time_eval():
        params = equation.primitive.get_bind_params({**equation.params, **changed})
        return np.asarray(equation.primitive.bind(*map(jnp.asarray, arrays), **params))
