"""What the function returns, as columns of one formula; and its results, in the same tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_unflatten, treedef_children

from ...errors import FormulaError
from ...formula import Formula, Node, Reduction
from ...formula.methods import joined
from .graph import Value


@dataclass(frozen=True)
class Outputs:
    """values: the arrays that are reduced, of one pair; tree: theirs.

    weighted: whether the function returned a number, whose exponentials are the weights of
    these arrays.
    """

    values: tuple[Value, ...]
    tree: Any
    weighted: bool


def outputs_of(values: Sequence[Value], tree: Any, rules: Reduction) -> Outputs:
    """Raises `FormulaError` if the function does not return what the reduction takes."""
    weighted = rules.weights == "required"
    if weighted:
        parts = treedef_children(tree)
        if len(parts) != 2 or parts[0].num_leaves != 1 or values[0].size != 1:
            raise FormulaError(
                f"{rules.name} is of a function that returns two things: a number, the exponent, "
                f"and the arrays that its exponential weights. Got {tree}, of shapes "
                f"{', '.join(str(value.shape) for value in values)}."
            )
        return Outputs(tuple(values[1:]), parts[1], True)
    if not values:
        raise FormulaError(f"The function returns no array to reduce: {tree}.")
    return Outputs(tuple(values), tree, False)


def node_and_weight(outputs: Outputs, roots: Sequence[Node]) -> tuple[Node, Node | None]:
    """All outputs as one formula, and that of the weights if there are any."""
    if outputs.weighted:
        return roots[0], joined(*roots[1:])
    return joined(*roots), None


def restored(outputs: Outputs, formula: Formula, results: Sequence[jax.Array], rows: bool) -> Any:
    """The results as users see them: trees of arrays (M, *shape), (M, K, *shape) for K of each.

    rows: whether there is an axis i; else the arrays are those of the one row.
    """
    width = sum(value.size for value in outputs.values)
    seen = []
    for array, result in zip(results, formula.results, strict=True):
        if result.hidden:
            continue
        if not rows:
            array = array[0]
        lead = array.shape[:-1] + ((formula.count,) if formula.count else ())
        if prod(result.tail) == width * (formula.count or 1):
            seen.append(_tree(outputs, array.reshape(*lead, width), result.kind, formula))
        else:
            seen.append(array)
    return seen[0] if len(seen) == 1 else tuple(seen)


def _tree(outputs: Outputs, array: jax.Array, kind: str, formula: Formula) -> Any:
    cuts = np.cumsum([value.size for value in outputs.values])[:-1]
    leaves = []
    for value, columns in zip(outputs.values, jnp.split(array, cuts, -1), strict=True):
        leaf = columns.reshape(*columns.shape[:-1], *value.shape)
        leaves.append(leaf if kind == "index" else leaf.astype(_dtype(value, formula)))
    return tree_unflatten(outputs.tree, leaves)


def _dtype(value: Value, formula: Formula) -> Any:
    """Sums of integers are integers, those of booleans counts; all else is a float."""
    if jnp.issubdtype(value.dtype, jnp.floating):
        return value.dtype
    if formula.reduction.name != "Sum":
        return jnp.result_type(float)
    return jnp.result_type(int) if value.dtype == np.bool_ else value.dtype
