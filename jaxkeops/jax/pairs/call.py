"""`reduce_pairs`: a plain JAX function of one pair, reduced over all pairs by a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_structure, treedef_is_leaf

from ...compiler import Stages, stages
from ...errors import ArgumentError, ArgumentTypeError
from ...formula import reduction_of_words
from ...frontend.genred import XLA
from ..primitive import Axes as Ring, Way, reduce
from ..ranges import normal_ranges
from ..ring import require_same_parameters, ring_of
from .arguments import Arguments, Axes, axes_by_tree, split_arguments
from .outputs import restored
from .plan import leaves_of
from .trace import Options, index_dtype, struct, traced_for

Function = Callable[..., Any]


def reduce_pairs(
    function: Function | None = None,
    *,
    reduction: str = "sum",
    over: str = "j",
    in_axes: Axes = ("i", "j"),
    k: int | None = None,
    ranges: Sequence[Any] | None = None,
    backend: str = "auto",
    ring: str | Sequence[str] | None = None,
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
    backend: "auto", or "XLA" for operations of XLA and no kernel.
    ring: inside `jax.shard_map`, the manual mesh axes along which the rows that are reduced lie, as
    for `Genred`.

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
            reduce_pairs,
            reduction=reduction,
            over=over,
            in_axes=in_axes,
            k=k,
            ranges=ranges,
            backend=backend,
            ring=ring,
        )
    if not callable(function):
        raise ArgumentTypeError(
            f"reduce_pairs takes a function of one pair, got {type(function).__name__}."
        )
    if over not in ("i", "j"):
        raise ArgumentError(f"over is 'i' or 'j', the rows that are reduced, got {over!r}.")
    if backend not in ("auto", XLA):
        raise ArgumentError(
            f"backend is 'auto' or {XLA!r}, got {backend!r}: arrays are reduced where they "
            "are, and jax.device_put moves them."
        )
    rules = reduction_of_words(reduction)
    if rules.counted != (k is not None):
        needs = "needs k, how many rows to find for each" if rules.counted else "takes no k"
        raise ArgumentTypeError(f"The reduction {reduction!r} {needs}; got k={k!r}.")
    name = getattr(function, "__name__", type(function).__name__)
    # JAX keeps the static arguments of calls for long. A plain function may close over tracers,
    # so it is not among them; a tree is flattened with the arguments.
    plain = treedef_is_leaf(tree_structure(function))
    options = Options(rules, k, name, function if plain else None)
    held = None if plain else function
    axes_of = axes_by_tree(in_axes, over)
    blocks = () if ranges is None else normal_ranges(ranges, 1 if over == "j" else 0)

    def of_arrays(arguments: Arguments, around: Ring, *arrays: Any) -> Any:
        count = len(arguments.axes)
        return _reduced(options, arguments, arrays[:count], arrays[count:], around, backend)

    of_arrays.__name__ = name
    compiled = jax.jit(of_arrays, static_argnums=(0, 1), inline=True)

    @wraps(function, updated=())
    def reduced(*args: Any, **named: Any) -> Any:
        arguments, arrays = split_arguments(held, args, named, axes_of)
        around = () if ring is None else ring_of(ring, ranges)
        return compiled(arguments, around, *arrays, *blocks)

    def staged(*args: Any, **named: Any) -> Stages:
        arguments, arrays = split_arguments(held, args, named, axes_of)
        structs = [struct(array) for array in arrays]
        traced = traced_for(options, arguments, structs)
        return stages(traced.formula, traced.dtype, index_dtype(traced.formula))

    result: Any = reduced
    result.stages = staged
    return result


def _reduced(
    options: Options,
    arguments: Arguments,
    arrays: Sequence[Any],
    blocks: Sequence[Any],
    ring: Ring,
    backend: str,
) -> Any:
    traced = traced_for(options, arguments, [struct(array) for array in arrays])
    leaves = leaves_of(traced.plan, traced.slots, arrays, arguments.axes)
    operands = []
    for leaf, given in zip(leaves, traced.formula.inputs, strict=False):
        rows = () if given.axis == "p" else leaf.shape[:1]
        operands.append(leaf.reshape(*rows, given.dim).astype(traced.dtype))
    for axis in traced.carriers:
        count = arrays[arguments.axes.index(axis)].shape[0]
        operands.append(jnp.zeros((count, 0), traced.dtype))
    formula = traced.formula
    require_same_parameters(formula, operands, ["What all pairs share"] * len(operands), ring)
    way = Way(index_dtype(formula), ring, backend)
    results = reduce(formula, way, operands, blocks)
    return restored(traced.outputs, formula, results, "i" in arguments.axes)
