"""Sums that keep their slopes as they are computed: backward then has them without a pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

from ..formula import Formula, Sloped, with_slopes
from .derivatives import Tensors, pull_back, run, sum_to
from .op import FLOAT_NAMES


def slopes_for(formula: Formula, arrays: Sequence[torch.Tensor]) -> Sloped | None:
    """What to compute instead of `formula`, if a backward pass is all that may come of it."""
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return None
    moving = tuple([slot for slot, array in enumerate(arrays) if array.requires_grad])
    return with_slopes(formula, moving, FLOAT_NAMES[arrays[0].dtype])


class SlopedSum(torch.autograd.Function):
    """A sum and its slopes. Through the slopes, which it gives as well, all orders are one's."""

    @staticmethod
    def forward(
        ctx: Any, formula: Formula, sloped: Sloped, count: int, *arrays: torch.Tensor
    ) -> Tensors:
        inputs, ranges = arrays[:count], arrays[count:]
        (both,) = run(sloped.formula, inputs, ranges)
        # Not a view: users change results in place.
        value, slopes = both[..., :1].clone(), both[..., 1:]
        ctx.formula, ctx.sloped, ctx.count = formula, sloped, count
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs, slopes, *ranges)
        return value, slopes

    @staticmethod
    def backward(
        ctx: Any, of_value: torch.Tensor | None, of_slopes: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, ...]:
        formula, sloped, count = ctx.formula, ctx.sloped, ctx.count
        saved = ctx.saved_tensors
        inputs, slopes, ranges = saved[:count], saved[count], saved[count + 1 :]
        asked = tuple(slot for slot in range(count) if ctx.needs_input_grad[3 + slot])
        others = (None,) * len(ranges)
        if of_value is None and of_slopes is None:
            return None, None, None, *(None,) * count, *others
        value = slopes[..., :1]  # only its extents are asked for
        if of_slopes is not None:
            if of_value is None:
                of_value = torch.zeros_like(value)
            given = torch.cat([of_value, of_slopes], -1)
            known = (*inputs, given)
            return (
                None,
                None,
                None,
                *pull_back(sloped.formula, known, {0: given}, asked, ranges),
                *others,
            )
        assert of_value is not None
        rest = tuple(slot for slot in asked if slot not in sloped.slots)
        found = [None] * count
        if rest:
            found = pull_back(formula, (*inputs, value), {0: of_value}, rest, ranges)
        for part in sloped.parts:
            if part.target in asked:
                slope = of_value * slopes[..., part.start - 1 : part.stop - 1]
                if formula.inputs[part.target].axis == "p":
                    slope = slope.sum(-2)
                found[part.target] = sum_to(slope, inputs[part.target].shape)
        return None, None, None, *found, *others
