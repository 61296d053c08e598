"""Derivatives of reductions in PyTorch, by the formula-level rules of `formula.calculus`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.autograd import forward_ad

from ..errors import ArgumentError
from ..formula import Argument, Formula, Part, cotangents, tangent
from .op import run_op

Tensors = tuple[torch.Tensor, ...]


def apply(
    formula: Formula, arrays: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor] = ()
) -> Tensors:
    """All results of `formula`, flat and hidden ones too, mappable, and differentiable to any
    order if the reduction has a derivative; without tangents and gradients if it has none.

    arrays: one for each input, all of one dtype, with all batch axes: (*batch, rows, D), or
    (*batch, D) for a parameter, where each batch extent is the common one or 1.
    ranges: none, or six, first the three of axis "i" of the formula.
    """
    if is_plain(arrays):
        return run(formula, arrays, ranges)
    return Reduction.apply(formula, *arrays, *ranges)


def run(
    formula: Formula, arrays: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor]
) -> Tensors:
    """All results of `formula`, for whom no derivative is asked."""
    with torch._C._AutoDispatchBelowAutograd():
        return tuple(run_op(formula.text, arrays, ranges))


def is_plain(arrays: Sequence[torch.Tensor]) -> bool:
    """True if nothing would ever ask for a derivative of this call, nor map it."""
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return False
    return not torch.is_grad_enabled() or not any(array.requires_grad for array in arrays)


class Reduction(torch.autograd.Function):
    """A reduction with its derivatives: each is again a `Reduction`, so orders do not end."""

    @staticmethod
    def forward(formula: Formula, *arrays: torch.Tensor) -> Tensors:
        return run(formula, *_split(formula, arrays))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
        formula, *arrays = inputs
        arrays, ranges = _split(formula, arrays)
        ctx.formula = formula
        ctx.set_materialize_grads(False)
        if formula.reduction.derivative is None:
            ctx.mark_non_differentiable(*output)
            return
        # A saved result could not be changed in place: where its values are not needed, an array
        # of its shape takes its place.
        kept = output if _needs_results(formula) else [_of_shape(out) for out in output]
        ctx.save_for_backward(*arrays, *kept, *ranges)
        ctx.save_for_forward(*arrays, *kept, *ranges)

    @staticmethod
    def backward(ctx: Any, *given: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        formula, count = ctx.formula, len(ctx.formula.inputs)
        unasked = (None,) * (len(ctx.needs_input_grad) - 1 - count)
        known = {number: array for number, array in enumerate(given) if array is not None}
        if not known:
            return None, *(None,) * count, *unasked
        slots = tuple(slot for slot in range(count) if ctx.needs_input_grad[1 + slot])
        saved, ranges = _split_saved(formula, ctx.saved_tensors)
        return None, *pull_back(formula, saved, known, slots, ranges), *unasked

    @staticmethod
    def jvp(ctx: Any, *moving: Any) -> tuple[torch.Tensor | None, ...]:
        formula = ctx.formula
        if formula.reduction.derivative is None:
            return (None,) * len(formula.results)
        saved, ranges = _split_saved(formula, ctx.saved_tensors)
        return push_forward(formula, saved, moving[1 : 1 + len(formula.inputs)], ranges)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensors, Any]:
        """The mapped axis becomes the first batch axis; arrays without it are repeated along it."""
        formula, *arrays = args
        arrays, ranges = _split(formula, arrays)
        if any(dim is not None for dim in in_dims[1 + len(arrays) :]):
            raise ArgumentError(
                "ranges cannot be mapped: they are the same for all batch elements. Call once "
                "for each of them."
            )
        mapped = [
            array.unsqueeze(0) if dim is None else array.movedim(dim, 0)
            for array, dim in zip(arrays, in_dims[1:], strict=False)
        ]
        results = apply(formula, mapped, ranges)
        return results, (0,) * len(results)


# PyTorch binds arguments by the signature at each call, and would read it from the code each time:
# 10 us of a call's 45.
Reduction.forward.__signature__ = inspect.signature(Reduction.forward)


def _split(formula: Formula, arrays: Sequence[torch.Tensor]) -> tuple[Any, Any]:
    """The inputs, and the ranges that come after them."""
    count = len(formula.inputs)
    return arrays[:count], arrays[count:]


def _split_saved(formula: Formula, saved: Tensors) -> tuple[Tensors, Tensors]:
    """The inputs with the results, and the ranges that come after them."""
    count = len(formula.inputs) + len(formula.results)
    return saved[:count], saved[count:]


@lru_cache(maxsize=1024)
def _needs_results(formula: Formula) -> bool:
    """True if derivatives of `formula` use the values of its results."""
    first = len(formula.inputs)
    last = first + len(formula.results)
    floats = tuple(k for k, result in enumerate(formula.results) if result.kind == "float")
    return any(
        first <= argument.index < last and not argument.carrier
        for sweep in cotangents(formula, tuple(range(first)), floats)
        for argument in sweep.arguments
    )


def _of_shape(array: torch.Tensor) -> torch.Tensor:
    return array.new_zeros(()).expand(array.shape)


def pull_back(
    formula: Formula,
    saved: Sequence[torch.Tensor],
    given: Mapping[int, torch.Tensor],
    slots: tuple[int, ...],
    ranges: Sequence[torch.Tensor],
) -> list[torch.Tensor | None]:
    """The gradient for each input in `slots`; None for the others.

    saved: the inputs, then the results. given: cotangents, by the number of the result, ascending.
    """
    at_hand = (*saved, *given.values())
    found: dict[int, torch.Tensor] = {}
    wide = tuple([slot for slot in slots if formula.inputs[slot].dim])
    for sweep in cotangents(formula, wide, tuple(given)):
        turned = ranges if sweep.axis == "i" else (*ranges[3:], *ranges[:3])
        derived = apply(sweep.formula, _arguments(sweep.arguments, at_hand), turned)
        for part in sweep.parts:
            found[part.target] = sum_to(_columns(derived, part), saved[part.target].shape)
    return [
        None if slot not in slots else found[slot] if slot in found else torch.zeros_like(array)
        for slot, array in enumerate(saved[: len(formula.inputs)])
    ]


def push_forward(
    formula: Formula,
    saved: Sequence[torch.Tensor],
    moving: Sequence[torch.Tensor | None],
    ranges: Sequence[torch.Tensor],
) -> tuple[torch.Tensor | None, ...]:
    """The tangent of each result; None for row numbers.

    saved: the inputs, then the results. moving: the tangent of each input, None for zero.
    """
    results = saved[len(formula.inputs) :]
    tangents = {
        slot: array
        for slot, (given, array) in enumerate(zip(formula.inputs, moving, strict=True))
        if array is not None and given.dim
    }
    derived = tangent(formula, tuple(tangents))
    found = [torch.zeros_like(out) if out.is_floating_point() else None for out in results]
    if derived.formula is not None:
        at_hand = (*saved, *tangents.values())
        moved = apply(derived.formula, _arguments(derived.arguments, at_hand), ranges)
        for part in derived.parts:
            found[part.target] = sum_to(_columns(moved, part), results[part.target].shape)
    return tuple(found)


def _columns(results: Sequence[torch.Tensor], part: Part) -> torch.Tensor:
    array = results[part.source]
    whole = part.start == 0 and part.stop == array.shape[-1]
    return array if whole else array[..., part.start : part.stop]


def _arguments(wanted: Sequence[Argument], at_hand: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [
        at_hand[argument.index].detach()[..., :0] if argument.carrier else at_hand[argument.index]
        for argument in wanted
    ]


def sum_to(part: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """`part` summed along the axes that `shape` repeats, and repeated along those that it lacks.

    A derived formula leaves out the inputs that it does not use, and may lose a batch extent with
    them: what it gives is then the same all along.
    """
    repeated = [
        axis
        for axis, (got, wanted) in enumerate(zip(part.shape, shape, strict=True))
        if wanted == 1 and got != 1
    ]
    if repeated:
        part = part.sum(repeated, keepdim=True)
    return part if part.shape == shape else part.expand(shape)
