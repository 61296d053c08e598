"""`reduce_pairs`: a plain JAX function of one pair, reduced over all pairs by a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten

from ...compiler import Stages, stages
from ...dtypes import FLOATS
from ...errors import ArgumentError, ArgumentTypeError
from ...formula import Formula, Reduction, Var, make_formula, reduction_of_words, variables
from ...formula.formula import rename
from ...ir import Input
from ..primitive import reduce
from ..ranges import normal_ranges
from .arguments import Arguments, Axes, axes_by_tree, split_arguments
from .graph import graph_of
from .outputs import Outputs, node_and_weight, outputs_of, restored
from .plan import Plan, leaves_of, plan_of

Function = Callable[..., Any]


@dataclass(frozen=True)
class _Options:
    rules: Reduction
    k: int | None
    name: str


def reduce_pairs(
    function: Function | None = None,
    *,
    reduction: str = "sum",
    over: str = "j",
    in_axes: Axes = ("i", "j"),
    k: int | None = None,
    ranges: Sequence[Any] | None = None,
) -> Any:
    """The reduction of a function of one pair over all pairs of rows, without forming the pairs.

    function: written with `jax.numpy` for single points, as for `jax.vmap`; or nothing, to
    decorate one. It may be a pytree itself, such as a module of Equinox, and it may close over
    arrays: these are parameters, and have gradients.
    reduction: of what it returns, a pytree of arrays: "sum", "logsumexp", "max", "argmin",
    "min_argmin", "argkmin" and so on, the reductions of formulas in small letters; or "softmax",
    or "logsumexpweight", of a function that returns a number, the exponent, and what is weighted.
    over: "j" gives a row for each i, "i" a row for each j.
    in_axes: for each positional argument, or each part of it, "i" if its first axis is rows i, "j"
    if rows j, None for what all pairs share. Named arguments are shared.
    k: how many, for "kmin", "argkmin" and "kmin_argkmin".
    ranges: six arrays that restrict the pairs to blocks, as `Genred` takes them.

    The result is called with arrays (M, ...), (N, ...) and shared ones, and gives what
    `jax.vmap` of `jax.vmap` and a reduction over the second axis would: arrays (M, *shape). It may
    be under any transformation of JAX; batches are made by `jax.vmap`. Its method
    `stages(*arguments)` gives the formula and the programs that it becomes.
    The function is traced once for the shapes and dtypes of its arguments, and compiled. Time
    M * N, memory for the result only. What depends on rows i alone, on rows j alone or on what is
    shared is computed by JAX where it has no formula.
    Raises `FormulaError` for a function that has no formula for pairs, with the line;
    `ArgumentError` or `ArgumentTypeError` for arguments that do not fit.
    """
    if function is None:
        return partial(
            reduce_pairs, reduction=reduction, over=over, in_axes=in_axes, k=k, ranges=ranges
        )
    if not callable(function):
        raise ArgumentTypeError(
            f"reduce_pairs takes a function of one pair, got {type(function).__name__}."
        )
    if over not in ("i", "j"):
        raise ArgumentError(f"over is 'i' or 'j', the rows that are reduced, got {over!r}.")
    rules = reduction_of_words(reduction)
    if rules.counted != (k is not None):
        needs = "needs k, how many rows to find for each" if rules.counted else "takes no k"
        raise ArgumentTypeError(f"The reduction {reduction!r} {needs}; got k={k!r}.")
    name = getattr(function, "__name__", type(function).__name__)
    options = _Options(rules, k, name)
    axes_of = axes_by_tree(in_axes, over)
    blocks = () if ranges is None else normal_ranges(ranges, 1 if over == "j" else 0)

    def of_arrays(arguments: Arguments, *arrays: Any) -> Any:
        return _reduced(
            options, arguments, arrays[: len(arguments.axes)], arrays[len(arguments.axes) :]
        )

    of_arrays.__name__ = name
    compiled = jax.jit(of_arrays, static_argnums=0, inline=True)

    @wraps(function, updated=())
    def reduced(*args: Any, **named: Any) -> Any:
        arguments, arrays = split_arguments(function, args, named, axes_of)
        return compiled(arguments, *arrays, *blocks)

    def staged(*args: Any, **named: Any) -> Stages:
        arguments, arrays = split_arguments(function, args, named, axes_of)
        structs = [_struct(array) for array in arrays]
        traced = _traced(options, arguments, structs)
        return stages(traced.formula, traced.dtype, _index_dtype(traced.formula))

    reduced.stages = staged
    return reduced


@dataclass(frozen=True)
class _Traced:
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


def _traced(
    options: _Options, arguments: Arguments, structs: Sequence[jax.ShapeDtypeStruct]
) -> _Traced:
    trees = []

    def of_points(*arrays: jax.Array) -> list[Any]:
        function, args, named = arguments.filled(arrays)
        leaves, tree = tree_flatten(function(*args, **named))
        trees.append(tree)
        return [jnp.asarray(leaf) for leaf in leaves]

    points = [
        each if axis == "p" else _struct_of(each, each.shape[1:])
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
    formula = make_formula(whole.reduction.name, roots[0], kept, *roots[1:] or [None], options.k)
    avals = [plan.leaves[slot].aval for slot in slots] + [value.aval for value in outputs.values]
    return _Traced(plan, formula, slots, carriers, outputs, _common_dtype(avals))


def _reduced(
    options: _Options, arguments: Arguments, arrays: Sequence[Any], blocks: Sequence[Any]
) -> Any:
    traced = _traced(options, arguments, [_struct(array) for array in arrays])
    leaves = leaves_of(traced.plan, traced.slots, arrays, arguments.axes)
    operands = []
    for leaf, given in zip(leaves, traced.formula.inputs, strict=False):
        rows = () if given.axis == "p" else leaf.shape[:1]
        operands.append(leaf.reshape(*rows, given.dim).astype(traced.dtype))
    for axis in traced.carriers:
        count = arrays[arguments.axes.index(axis)].shape[0]
        operands.append(jnp.zeros((count, 0), traced.dtype))
    formula = traced.formula
    results = reduce(formula, _index_dtype(formula), operands, blocks)
    return restored(traced.outputs, formula, results, "i" in arguments.axes)


def _struct(array: Any) -> jax.ShapeDtypeStruct:
    aval = jax.typeof(jnp.asarray(array))
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)


def _struct_of(like: jax.ShapeDtypeStruct, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, like.dtype, weak_type=like.weak_type)


def _common_dtype(avals: Sequence[Any]) -> str:
    """The dtype that the kernel takes: the widest of the floats; what is weak says nothing."""
    floats = [aval for aval in avals if jnp.issubdtype(aval.dtype, jnp.floating)]
    strong = [aval.dtype for aval in floats if not aval.weak_type]
    dtype = jnp.dtype(jnp.result_type(*strong) if strong else jnp.result_type(float))
    return dtype.name if dtype.name in FLOATS else "float32"


def _index_dtype(formula: Formula) -> str:
    kinds = [result.kind for result in formula.results]
    return jnp.result_type(int).name if "index" in kinds else "int64"
