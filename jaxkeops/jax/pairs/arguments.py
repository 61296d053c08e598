"""The arguments of a call: which arrays are rows i, rows j or parameters, and what is no array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.tree_util import (
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_leaves,
    tree_map,
    tree_unflatten,
)

from ...errors import ArgumentError, ArgumentTypeError
from ...formula import SWAPPED

AXES = ("i", "j", None)
Axes = Any  # a pytree of "i", "j" and None, as `jax.vmap` takes one of integers


@dataclass(frozen=True)
class Arguments:
    """All of a call but its arrays: what a trace depends on, with their shapes.

    tree: of the function if it is one, of its positional and of its named arguments.
    axes: of each array, "i" where its rows are kept, "j" where they are reduced, "p" if it is
    a parameter.
    fixed: each leaf of the tree that is no array, after its position.
    """

    tree: Any
    axes: tuple[str, ...]
    fixed: tuple[tuple[int, Any], ...]

    def filled(self, arrays: Sequence[Any]) -> tuple[Any, Sequence[Any], Any]:
        """The function and its arguments, with these arrays."""
        leaves = list(arrays)
        for position, leaf in self.fixed:
            leaves.insert(position, leaf)
        return tree_unflatten(self.tree, leaves)


def axes_by_tree(in_axes: Axes, over: str) -> Callable[[Any], tuple[str, ...]]:
    """For the tree of a function, its positional and its named arguments: the axis of each leaf.

    That function raises `ArgumentError` where in_axes does not fit; what it gave it knows.
    """
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)

    @lru_cache(maxsize=64)
    def axes(tree: Any) -> tuple[str, ...]:
        inner, args, named = tree.children()
        letters = ["p"] * inner.num_leaves
        letters += [axis or "p" for axis in _prefixed(in_axes, args)]
        letters += ["p"] * named.num_leaves
        return tuple(SWAPPED[axis] if over == "i" else axis for axis in letters)

    return axes


def _prefixed(in_axes: Axes, args: Any) -> list[str | None]:
    """The axis of each leaf of the positional arguments, of which `args` is the tree."""
    found: list[str | None] = []

    def spread(axis: Any, part: Any) -> None:
        if axis not in AXES:
            raise ArgumentError(
                f"in_axes holds 'i', 'j' or None for each argument, got {axis!r}: 'i' for rows i, "
                "'j' for rows j, None for what all pairs share."
            )
        found.extend([axis] * len(tree_leaves(part)))

    filled = tree_unflatten(args, range(args.num_leaves))
    try:
        tree_map(spread, in_axes, filled, is_leaf=lambda x: x is None)
    except ArgumentError:
        raise
    except (ValueError, TypeError):
        raise ArgumentError(
            "in_axes has an entry for each positional argument, or a tree of entries that begins "
            f"as the argument does, as for jax.vmap: in_axes is {in_axes!r}, and there are "
            f"{len(filled)} arguments, {args}."
        ) from None
    return found


def split_arguments(
    function: Callable[..., Any] | None,
    args: tuple[Any, ...],
    named: dict[str, Any],
    axes_of: Callable[[Any], tuple[str, ...]],
) -> tuple[Arguments, list[Any]]:
    """The arrays of a call, those that the function itself holds first, and all else.

    function: a pytree, such as a module of Equinox, or None. Its arrays are parameters, as are
    those of named arguments. Raises `ArgumentError` or `ArgumentTypeError` for what does not fit.
    """
    whole = (function, args, named)
    leaves, tree = tree_flatten(whole)
    axes = axes_of(tree)
    inner = tree.children()[0].num_leaves
    arrays, kinds, fixed = [], [], []
    counts: dict[str, int] = {}
    for position, (leaf, axis) in enumerate(zip(leaves, axes, strict=True)):
        is_array = isinstance(leaf, jax.Array | np.ndarray | np.generic)
        if axis != "p":
            count = _rows(leaf, is_array, position, whole)
            if counts.setdefault(axis, count) != count:
                raise _unequal(position, axes, leaves, whole)
        if is_array or (position >= inner and _is_number(leaf)):
            arrays.append(leaf)
            kinds.append(axis)
        else:
            _check_hashable(leaf, position, whole)
            fixed.append((position, leaf))
    if "j" not in counts:
        raise ArgumentError(
            "No argument is on the axis that is reduced, so there is nothing to reduce: in_axes "
            "must hold it, or over must name the other axis."
        )
    return Arguments(tree, tuple(kinds), tuple(fixed)), arrays


def _rows(leaf: Any, is_array: bool, position: int, whole: Any) -> int:
    if is_array and leaf.ndim > 0:
        return leaf.shape[0]
    raise ArgumentTypeError(
        f"{_spelled(position, whole)} is on an axis of in_axes, so it must be an array of shape "
        f"(rows, ...), got {'a number' if is_array else type(leaf).__name__}. Give it None in "
        "in_axes."
    )


def _unequal(
    position: int, axes: Sequence[str], leaves: Sequence[Any], whole: Any
) -> ArgumentError:
    first = axes.index(axes[position])
    return ArgumentError(
        f"{_spelled(first, whole)} has {leaves[first].shape[0]} rows and "
        f"{_spelled(position, whole)} {leaves[position].shape[0]}: all arrays on one axis have one "
        "number of rows, their first extent."
    )


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, int | float | complex) and not isinstance(leaf, bool)


def _check_hashable(leaf: Any, position: int, whole: Any) -> None:
    try:
        hash(leaf)
    except TypeError:
        raise ArgumentTypeError(
            f"{_spelled(position, whole)} is neither an array nor hashable, got "
            f"{type(leaf).__name__}: kernels are kept by what they are made for. Make it an array "
            "or a tuple."
        ) from None


def _spelled(position: int, whole: Any) -> str:
    """A leaf's place, as the caller would write it."""
    (where, *rest), _ = tree_flatten_with_path(whole)[0][position]
    kind = ("the function", "args", "named arguments")[where.idx]
    return f"{kind}{keystr(tuple(rest))}"
