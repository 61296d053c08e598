"""Least and greatest values that move: the formula at the pairs where a kernel found them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..formula import Formula, Selected, selected, with_rows
from .derivatives import Tensors, apply


def select(
    formula: Formula, arrays: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor] = ()
) -> Tensors:
    """The results of a reduction that selects, where derivatives may be asked of its values.

    The values are the kernel's own. They have the derivatives, of any order and in any mode, of
    the formula at the pairs that the kernel chose (of equals, the first); where it found none, or
    an infinite value, zero. Memory, beyond the results: the selected rows of the inputs.
    """
    # Detached, so that in an exported program, too, the values move by `_change` alone.
    held = [array.detach() for array in arrays]
    values, rows = apply(with_rows(formula), held, ranges)
    dim, count = formula.node.dim, formula.count or 1
    values, places = (each.unflatten(-1, (count, dim)) for each in (values, rows))
    used: set[int] = set()
    moved = []
    for coordinate in range(dim):
        chosen = selected(formula, coordinate)
        used.update(chosen.slots)
        each = values[..., coordinate], places[..., coordinate]
        moved.append(each[0] + _change(formula, chosen, arrays, *each))
    values = torch.stack(moved, -1).flatten(-2)
    for slot, array in enumerate(arrays):
        if slot not in used:  # its gradient is zero, not missing
            values = values + array[..., :0].sum()
    return tuple(rows if result.kind == "index" else values for result in formula.results)


def _change(
    formula: Formula,
    chosen: Selected,
    arrays: Sequence[torch.Tensor],
    values: torch.Tensor,
    places: torch.Tensor,
) -> torch.Tensor:
    """Zeros that have the derivatives of one coordinate.

    values, places: (*batch, M, K), the coordinate where it is least and the rows of axis "j".
    """
    counts = values.isfinite().flatten(-2)  # others found no pair, or have no slope
    index = places.flatten(-2)
    given = []
    for slot in chosen.slots:
        rows = _at_pairs(arrays[slot], formula.inputs[slot].axis, index, places.shape[-1])
        # In derivatives, too, nothing enters or leaves a pair that does not count.
        given.append(torch.where(counts[..., None], rows, 0.0))
    count_only = values.flatten(-2)[..., None][..., :0]
    (again,) = apply(chosen.formula, [*given, count_only])
    again = again[..., 0]
    change = torch.where(counts, again - again.detach(), 0.0)
    return change.unflatten(-1, values.shape[-2:])


def _at_pairs(array: torch.Tensor, axis: str, index: torch.Tensor, count: int) -> torch.Tensor:
    """The rows of `array` at the pairs, `count` pairs for each row of axis "i".

    index: (*batch, pairs), the rows of axis "j". Gives (*batch, pairs, D), or 1 for an extent
    that is the same all along.
    """
    if axis == "p":
        return array.unsqueeze(-2)
    if axis == "i":
        wide = (*array.shape[:-1], count, array.shape[-1])
        return array if count == 1 else array.unsqueeze(-2).expand(wide).flatten(-3, -2)
    if array.shape[-2] == 0:
        return array.sum(-2, keepdim=True)  # no pair counts: zeros stand for the rows
    batch, (rows, dim) = index.shape[:-1], array.shape[-2:]
    return torch.gather(
        array.expand(*batch, rows, dim), -2, index[..., None].expand(*index.shape, dim)
    )
