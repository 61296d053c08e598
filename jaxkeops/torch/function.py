"""Derivatives of reductions in PyTorch, by the formula-level rules of `formula.calculus`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.autograd import forward_ad

from ..formula import Argument, Formula, cotangents, tangent
from .arguments import complete
from .op import LIBRARY, formula_of, run_op

Tensors = tuple[torch.Tensor, ...]


def reduce_arguments(formula: Formula, names: tuple[str, ...], arrays: Sequence[Any]) -> Tensors:
    """The results of `formula` over what a user gave, checked and completed by `complete`."""
    if torch.compiler.is_compiling():
        # Dynamo runs this import as it traces; eager use never pays its seconds.
        from .dynamo import reduce_in_graph  # noqa: PLC0415

        return reduce_in_graph(formula.text, names, *arrays)
    return reduce(formula, complete(formula, names, arrays))


def reduce(formula: Formula, arrays: Sequence[torch.Tensor]) -> Tensors:
    """The results of `formula`, differentiable to any order and mappable.

    arrays: one for each input, all of one dtype, with all batch axes: (*batch, rows, D), or
    (*batch, D) for a parameter, where each batch extent is the common one or 1.
    """
    if _is_plain(arrays):
        return _run(formula, arrays)
    return Reduction.apply(formula, *arrays)


def _run(formula: Formula, arrays: Sequence[torch.Tensor]) -> Tensors:
    with torch._C._AutoDispatchBelowAutograd():
        return tuple(run_op(formula.text, arrays))


def _is_plain(arrays: Sequence[torch.Tensor]) -> bool:
    """True if nothing would ever ask for a derivative of this call, nor map it."""
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return False
    return not torch.is_grad_enabled() or not any(array.requires_grad for array in arrays)


class Reduction(torch.autograd.Function):
    """A reduction with its derivatives: each is again a `Reduction`, so orders do not end."""

    @staticmethod
    def forward(formula: Formula, *arrays: torch.Tensor) -> Tensors:
        return _run(formula, arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensors) -> None:
        formula, *arrays = inputs
        ctx.formula = formula
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(out for out in output if not out.is_floating_point()))
        # A saved result could not be changed in place: where its values are not needed, an array
        # of its shape takes its place.
        kept = output if _needs_results(formula) else [_of_shape(out) for out in output]
        ctx.save_for_backward(*arrays, *kept)
        ctx.save_for_forward(*arrays, *kept)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        formula, first = ctx.formula, cotangents[0]
        if first is None:
            return (None,) * (1 + len(formula.inputs))
        slots = tuple(slot for slot, needed in enumerate(ctx.needs_input_grad[1:]) if needed)
        return None, *pull_back(formula, ctx.saved_tensors, first, slots)

    @staticmethod
    def jvp(ctx: Any, *moving: Any) -> tuple[torch.Tensor | None, ...]:
        return push_forward(ctx.formula, ctx.saved_tensors, moving[1:])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensors, Any]:
        """The mapped axis becomes the first batch axis; arrays without it are repeated along it."""
        formula, *arrays = args
        mapped = [
            array.unsqueeze(0) if dim is None else array.movedim(dim, 0)
            for array, dim in zip(arrays, in_dims[1:], strict=True)
        ]
        results = reduce(formula, mapped)
        return results, (0,) * len(results)


@torch.library.impl(LIBRARY, "reduce", "Autograd")
def _reduce_from_text(text: str, arrays: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What exported programs call: they name the operation itself, and may be trained too."""
    return list(reduce(formula_of(text), arrays))


# PyTorch binds arguments by the signature at each call, and would read it from the code each time:
# 10 us of a call's 45.
Reduction.forward.__signature__ = inspect.signature(Reduction.forward)


@lru_cache(maxsize=1024)
def _needs_results(formula: Formula) -> bool:
    """True if derivatives of `formula` use the values of its results."""
    if formula.reduction.derivative is None:
        return False
    first = len(formula.inputs)
    last = first + len(formula.reduction.results(formula.node.dim))
    return any(
        first <= argument.index < last and not argument.carrier
        for sweep in cotangents(formula, tuple(range(first)))
        for argument in sweep.arguments
    )


def _of_shape(array: torch.Tensor) -> torch.Tensor:
    return array.new_zeros(()).expand(array.shape)


def pull_back(
    formula: Formula,
    saved: Sequence[torch.Tensor],
    cotangent: torch.Tensor,
    slots: tuple[int, ...],
) -> list[torch.Tensor | None]:
    """The gradient for each input in `slots`; None for the others.

    saved: the inputs, then the results. cotangent: that of the first result.
    """
    at_hand = (*saved, cotangent)
    found: dict[int, torch.Tensor] = {}
    wide = tuple([slot for slot in slots if formula.inputs[slot].dim])
    for sweep in cotangents(formula, wide):
        (rows,) = reduce(sweep.formula, _arguments(sweep.arguments, at_hand))
        for slot, start, stop in sweep.parts:
            part = rows[..., start:stop] if len(sweep.parts) > 1 else rows
            if formula.inputs[slot].axis == "p":
                part = part.sum(-2)
            found[slot] = _sum_to(part, saved[slot].shape)
    return [
        None if slot not in slots else found[slot] if slot in found else torch.zeros_like(array)
        for slot, array in enumerate(saved[: len(formula.inputs)])
    ]


def push_forward(
    formula: Formula, saved: Sequence[torch.Tensor], moving: Sequence[torch.Tensor | None]
) -> tuple[torch.Tensor | None, ...]:
    """The tangent of each result; None for row numbers.

    saved: the inputs, then the results. moving: the tangent of each input, None for zero.
    """
    results = saved[len(formula.inputs) :]
    if not results[0].is_floating_point():
        return (None,) * len(results)
    tangents = {
        slot: array
        for slot, (given, array) in enumerate(zip(formula.inputs, moving, strict=True))
        if array is not None and given.dim
    }
    found = tangent(formula, tuple(tangents))
    if found.formula is None:
        first = torch.zeros_like(results[0])
    else:
        at_hand = (*saved, *tangents.values())
        (first,) = reduce(found.formula, _arguments(found.arguments, at_hand))
        first = _sum_to(first, results[0].shape)
    return first, *(None for _ in results[1:])


def _arguments(wanted: Sequence[Argument], at_hand: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [
        at_hand[argument.index].detach()[..., :0] if argument.carrier else at_hand[argument.index]
        for argument in wanted
    ]


def _sum_to(part: torch.Tensor, shape: torch.Size) -> torch.Tensor:
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
