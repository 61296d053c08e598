"""Functions with a derivative of their own: the value of one formula, the slopes of another.

JAX is asked for the derivative of the call, by the rule that the user gave, with the tangents or
cotangents as inputs. What comes back is linear in them, and its coefficients are the slopes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...formula import Call, F, Node, Number, Var, gradient, topological, zeros
from ...formula.formula import rename
from ...formula.methods import joined
from ...formula.simplify import simplify
from .graph import Equation, graph_of
from .rule import Inside, Unmapped, rule

# Rules may call the function that they are of, so an end must be set. Beyond this order,
# derivatives are those of the code of the function.
ORDERS = 3
# Numbers in a matrix of slopes.
MOST_SLOPES = 1024


@rule("custom_jvp_call")
def _custom_jvp(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    return _with_slopes(equation, nodes, inside, _pushed)


@rule("custom_vjp_call")
def _custom_vjp(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    return _with_slopes(equation, nodes, inside, _pulled)


# For the outputs and the inputs that move: their Jacobians, jacobians[output][input].
Jacobians = list[list["Slopes | None"]]
Finder = Callable[[Equation, Sequence[Node], Inside, list[int], list[int]], Jacobians]


class Slopes:
    """The derivative of one output for one input: a matrix, or its diagonal alone."""

    def __init__(self, node: Node, diagonal: bool) -> None:
        self.node, self.diagonal = simplify(node), diagonal

    def added(self, f: Node, x: Node) -> Node:
        return F.Slope(f, x, self.node) if self.diagonal else F.Slopes(f, x, self.node)


def _with_slopes(
    equation: Equation, nodes: Sequence[Node], inside: Inside, find: Finder
) -> Sequence[Node]:
    values = inside.translate(graph_of(equation.params["call_jaxpr"]), nodes)
    if inside.depth >= ORDERS:
        return values
    outputs = [k for k, value in enumerate(equation.outputs) if _moves(value.dtype)]
    inputs = [k for k, value in enumerate(equation.inputs) if _moves(value.dtype)]
    if not outputs or not inputs:
        return values
    jacobians = find(equation, nodes, inside.deeper(), outputs, inputs)
    for out, row in zip(outputs, jacobians, strict=True):
        stopped = F.StopGradient(values[out])
        pairs = zip(inputs, row, strict=True)
        values[out] = reduce(
            lambda f, pair: f if pair[1] is None else pair[1].added(f, nodes[pair[0]]),
            pairs,
            stopped,
        )
    return values


def _moves(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.floating)


def _caller(equation: Equation, inputs: list[int], outputs: list[int]) -> Callable[..., Any]:
    """The call, as a function of the inputs that move, then of the others."""
    params = equation.primitive.get_bind_params(equation.params)
    order = inputs + [k for k in range(len(equation.inputs)) if k not in inputs]

    def call(moving: Sequence[Any], others: Sequence[Any]) -> list[Any]:
        given: list[Any] = [None] * len(order)
        for k, array in zip(order, [*moving, *others], strict=True):
            given[k] = array
        results = equation.primitive.bind(*given, **params)
        return [results[k] for k in outputs]

    return call


def _structs(equation: Equation, which: str, chosen: Sequence[int]) -> list[jax.ShapeDtypeStruct]:
    values = getattr(equation, which)
    return [jax.ShapeDtypeStruct(values[k].shape, values[k].dtype) for k in chosen]


def _others(equation: Equation, inputs: list[int]) -> list[int]:
    return [k for k in range(len(equation.inputs)) if k not in inputs]


def _translated(
    equation: Equation,
    nodes: Sequence[Node],
    inside: Inside,
    inputs: list[int],
    function: Callable[..., Any],
    moved: list[jax.ShapeDtypeStruct],
) -> tuple[list[Node], list[Var]]:
    """function(moving inputs, other inputs, moved) as formulas, and the placeholders of `moved`."""
    others = _others(equation, inputs)
    structs = [_structs(equation, "inputs", chosen) for chosen in (inputs, others)]
    graph = graph_of(jax.make_jaxpr(function)(*structs, moved))
    along = [inside.placeholder(int(np.prod(each.shape))) for each in moved]
    given = [*(nodes[k] for k in inputs), *(nodes[k] for k in others), *along]
    return inside.translate(graph, given), along


def _pushed(
    equation: Equation,
    nodes: Sequence[Node],
    inside: Inside,
    outputs: list[int],
    inputs: list[int],
) -> Jacobians:
    call = _caller(equation, inputs, outputs)

    def push(moving: Any, others: Any, tangents: Any) -> Any:
        return jax.jvp(lambda *xs: call(xs, others), tuple(moving), tuple(tangents))[1]

    tangents = _structs(equation, "inputs", inputs)
    moved, along = _translated(equation, nodes, inside, inputs, push, tangents)
    return [[_slopes(f, t, along) for t in along] for f in moved]


def _slopes(f: Node, t: Var, along: Sequence[Var]) -> Slopes | None:
    """The coefficients of t in f, which is linear in all of `along`."""
    alone = _part_of(f, t, along)
    if not _depends(alone, t):
        return None
    if t.dim == 1 or _coordinatewise(alone, t):
        return Slopes(rename(alone, {t.slot: Number(t.dim, 1.0)}), diagonal=True)
    _check_size(f.dim, t.dim)
    rows = [gradient(F.Elem(alone, k), [t.slot], Number(1, 1.0))[t.slot] for k in range(f.dim)]
    return Slopes(joined(*(zeros(t.dim) if row is None else row for row in rows)), diagonal=False)


def _pulled(
    equation: Equation,
    nodes: Sequence[Node],
    inside: Inside,
    outputs: list[int],
    inputs: list[int],
) -> Jacobians:
    call = _caller(equation, inputs, outputs)

    def pull(moving: Any, others: Any, cotangents: Any) -> Any:
        _, back = jax.vjp(lambda *xs: call(xs, others), *moving)
        return back(list(cotangents))

    cotangents = _structs(equation, "outputs", outputs)
    found, along = _translated(equation, nodes, inside, inputs, pull, cotangents)
    return [[_slopes_back(f, g, along) for f in found] for g in along]


def _slopes_back(f: Node, g: Var, along: Sequence[Var]) -> Slopes | None:
    """The same of f, the cotangent of an input, in the cotangent g of an output."""
    alone = _part_of(f, g, along)
    if not _depends(alone, g):
        return None
    ones = rename(alone, {g.slot: Number(g.dim, 1.0)})
    if f.dim == g.dim and _coordinatewise(alone, g):
        return Slopes(ones, diagonal=True)
    if g.dim == 1:
        return Slopes(ones, diagonal=False)
    _check_size(g.dim, f.dim)
    units = (F.ElemT(Number(1, 1.0), g.dim, k) for k in range(g.dim))
    rows = [rename(alone, {g.slot: unit}) for unit in units]
    return Slopes(joined(*rows), diagonal=False)


def _part_of(f: Node, t: Var, along: Sequence[Var]) -> Node:
    """f, which is linear in all of `along`, with 0 for those that are not t."""
    return simplify(rename(f, {each.slot: zeros(each.dim) for each in along if each is not t}))


def _depends(f: Node, on: Var) -> bool:
    return any(isinstance(part, Var) and part.slot == on.slot for part in topological([f]))


def _coordinatewise(f: Node, t: Var) -> bool:
    """Whether coordinate k of f depends on coordinate k of t alone."""
    moving: set[Node] = set()
    for part in topological([f]):
        if isinstance(part, Var) and part.slot == t.slot:
            moving.add(part)
        elif isinstance(part, Call) and not moving.isdisjoint(part.args):
            narrow = any(arg in moving and arg.dim != part.dim for arg in part.args)
            if narrow or not part.op.broadcasts:
                return False
            moving.add(part)
    return f.dim == t.dim


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MOST_SLOPES:
        raise Unmapped(
            "a custom derivative",
            f"Its {rows} results depend on {columns} numbers, which is a matrix of more than "
            f"{MOST_SLOPES} slopes. Leave the custom derivative out, or apply it to fewer numbers.",
        )
