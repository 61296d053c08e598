"""A function traced for arguments of some shapes: JAX's part, the kernel's, and the trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten

from ...dtypes import FLOATS
from ...formula import Formula, Reduction, Var, make_formula, variables
from ...formula.formula import rename
from ...ir import Input
from .arguments import Arguments
from .graph import graph_of
from .outputs import Outputs, node_and_weight, outputs_of
from .plan import Plan, plan_of


@dataclass(frozen=True)
class Options:
    """What is computed, and of what.

    k: of the K-min family. name: of the function. function: None if it is among the arguments.
    """

    rules: Reduction
    k: int | None
    name: str
    function: Callable[..., Any] | None


@dataclass(frozen=True)
class Traced:
    """A function for arguments of some shapes: what JAX computes, then the kernel, then trees.

    slots: the leaves of the plan that the formula takes, in its order; after them, `carriers`: axes
    on which no leaf says how many rows there are.
    """

    plan: Plan
    formula: Formula
    slots: tuple[int, ...]
    carriers: tuple[str, ...]
    outputs: Outputs
    dtype: str


def traced_for(
    options: Options, arguments: Arguments, structs: Sequence[jax.ShapeDtypeStruct]
) -> Traced:
    """The function for arrays of these shapes and dtypes. Raises `FormulaError`."""
    trees = []

    def of_points(*arrays: jax.Array) -> list[Any]:
        held, args, named = arguments.filled(arrays)
        function = options.function or held
        leaves, tree = tree_flatten(function(*args, **named))
        trees.append(tree)
        return [jnp.asarray(leaf) for leaf in leaves]

    points = [
        each if axis == "p" else _like(each, each.shape[1:])
        for each, axis in zip(structs, arguments.axes, strict=True)
    ]
    graph = graph_of(jax.make_jaxpr(of_points)(*points))
    plan = plan_of(graph, arguments.axes, options.name)
    outputs = outputs_of(graph.outputs, trees[0], options.rules)
    node, weight = node_and_weight(outputs, plan.roots)
    inputs = [Input(axis, leaf.size) for axis, leaf in zip(plan.axes, plan.leaves, strict=True)]
    whole = make_formula(options.rules.name, node, inputs, weight, options.k)
    roots = [whole.node, *([whole.weight] if whole.weight is not None else [])]
    # Arguments in their order, then what is made of them: the same formula has the same text.
    place_of = {value: place for place, value in enumerate(graph.inputs)}
    slots = tuple(
        sorted(
            set().union(*(variables(root) for root in roots)),
            key=lambda slot: (place_of.get(plan.leaves[slot], len(place_of)), slot),
        )
    )
    new = {
        slot: Var(inputs[slot].dim, place, inputs[slot].axis) for place, slot in enumerate(slots)
    }
    there = {inputs[slot].axis for slot in slots}
    carriers = tuple(axis for axis in "ij" if axis not in there and axis in arguments.axes)
    roots = [rename(root, new) for root in roots]
    kept = [inputs[slot] for slot in slots] + [Input(axis, 0) for axis in carriers]
    weights = roots[1] if len(roots) > 1 else None
    formula = make_formula(options.rules.name, roots[0], kept, weights, options.k)
    avals = [plan.leaves[slot].aval for slot in slots] + [value.aval for value in outputs.values]
    return Traced(plan, formula, slots, carriers, outputs, _common_dtype(avals))


def struct(array: Any) -> jax.ShapeDtypeStruct:
    """The shape and dtype of an array or a number."""
    aval = jax.typeof(jnp.asarray(array))
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)


def _like(like: jax.ShapeDtypeStruct, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, like.dtype, weak_type=like.weak_type)


def _common_dtype(avals: Sequence[Any]) -> str:
    """The dtype that the kernel takes: the widest of the floats; what is weak says nothing."""
    floats = [aval for aval in avals if jnp.issubdtype(aval.dtype, jnp.floating)]
    strong = [aval.dtype for aval in floats if not aval.weak_type]
    dtype = jnp.dtype(jnp.result_type(*strong) if strong else jnp.result_type(float))
    return dtype.name if dtype.name in FLOATS else "float32"


def index_dtype(formula: Formula) -> str:
    """That of row numbers here and now; one name for all formulas that give none."""
    kinds = [result.kind for result in formula.results]
    return jnp.result_type(int).name if "index" in kinds else "int64"
