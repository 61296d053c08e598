"""A reduction over tensors as PyTorch's transforms and its compiler see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..formula import Formula, formula_of
from .arguments import complete
from .derivatives import Tensors, apply, is_plain, run
from .op import LIBRARY
from .selection import select
from .slopes import SlopedSum, slopes_for


def reduce_arguments(
    formula: Formula, names: tuple[str, ...], arrays: Sequence[Any], ranges: Tensors = ()
) -> Tensors:
    """The results of `formula` over what a user gave, checked and completed by `complete`.

    ranges: none, or six, first the three of axis "i" of the formula.
    """
    if torch.compiler.is_compiling():
        # Dynamo runs this import as it traces; eager use never pays its seconds.
        from .dynamo import reduce_in_graph  # noqa: PLC0415

        return reduce_in_graph(formula.text, names, tuple(arrays), ranges)
    return reduce(formula, complete(formula, names, arrays), ranges)


def reduce(
    formula: Formula, arrays: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor] = ()
) -> Tensors:
    """All results of `formula`, flat and hidden ones too, mappable and differentiable to any order.

    arrays: one for each input, all of one dtype, with all batch axes: (*batch, rows, D), or
    (*batch, D) for a parameter, where each batch extent is the common one or 1.
    ranges: none, or six, first the three of axis "i" of the formula.
    """
    if is_plain(arrays):
        return run(formula, arrays, ranges)
    if formula.reduction.selects:
        return select(formula, arrays, ranges)
    if (sloped := slopes_for(formula, arrays)) is not None:
        return SlopedSum.apply(formula, sloped, len(arrays), *arrays, *ranges)[:1]
    return apply(formula, arrays, ranges)


@torch.library.impl(LIBRARY, "reduce", "Autograd")
def _reduce_from_text(
    text: str, arrays: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """What exported programs call: they name the operation itself, and may be trained too."""
    return list(reduce(formula_of(text), arrays, ranges))
