"""Tensors that users give: checked, and completed with the batch axes that they leave out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from ..errors import ArgumentError, ArgumentTypeError, NoBackendError
from ..formula import Formula
from ..frontend.genred import check_call, common_dtype
from ..frontend.ranges import NAMES, check_ranges as six_ranges
from ..frontend.shapes import Shape, fit
from .op import FLOAT_NAMES

DEVICES = ("cpu", "cuda", "meta")  # a tensor on "meta" has no data: it asks for shapes
INTEGERS = (torch.int32, torch.int64)


def complete(
    formula: Formula, names: tuple[str, ...], arrays: Sequence[Any]
) -> Sequence[torch.Tensor]:
    """The arrays as `function.reduce` takes them: views, nothing is copied.

    Raises `ArgumentError`, `ArgumentTypeError` or `NoBackendError` with the name of the array.
    """
    if len(arrays) != len(names):
        check_call(len(arrays), names, "auto")
    for array in arrays:
        if not isinstance(array, torch.Tensor):
            _refuse_types(names, arrays)
    dtype = arrays[0].dtype
    if dtype not in FLOAT_NAMES or not all(array.dtype is dtype for array in arrays):
        common_dtype([str(array.dtype).removeprefix("torch.") for array in arrays], names)
    if not all(array.is_cpu for array in arrays):
        _check_devices(names, arrays)
    shapes = tuple([array.shape for array in arrays])
    try:
        completed = _completed(formula, names, shapes)
    except TypeError:  # symbolic sizes, which PyTorch traces with, have no hash
        completed = _completed.__wrapped__(formula, names, shapes)
    if completed is None:
        return arrays
    return [
        array if array.shape == shape else array.reshape(shape)
        for array, shape in zip(arrays, completed, strict=True)
    ]


@lru_cache(maxsize=4096)
def _completed(
    formula: Formula, names: tuple[str, ...], shapes: tuple[Shape, ...]
) -> tuple[Shape, ...] | None:
    """The shapes with all batch axes; None if these are they."""
    fitted = fit(formula.inputs, [tuple(shape) for shape in shapes], names)
    return None if fitted.arrays == shapes else fitted.arrays


def check_ranges(ranges: Any, axis: int, arrays: Sequence[Any]) -> tuple[torch.Tensor, ...]:
    """The six arrays of `ranges`, first those of the rows that `axis` keeps.

    What numbers they hold, the kernel's launch checks. Raises `ArgumentError` or
    `ArgumentTypeError` with the name of the array.
    """
    for name, array in zip(NAMES, six_ranges(ranges), strict=True):
        if not isinstance(array, torch.Tensor):
            raise ArgumentTypeError(
                f"ranges: {name} must be a torch.Tensor, got {type(array).__name__}. Use "
                "torch.as_tensor."
            )
        if array.dtype not in INTEGERS:
            raise ArgumentError(
                f"ranges: {name} has dtype {str(array.dtype).removeprefix('torch.')}; expected "
                "int32 or int64. Convert it first."
            )
        for first in arrays[:1]:
            if isinstance(first, torch.Tensor) and array.device != first.device:
                raise ArgumentError(
                    f"ranges: {name} is on device {array.device}, and the arrays on "
                    f"{first.device}. Move one of them."
                )
    return tuple(ranges) if axis == 1 else (*ranges[3:], *ranges[:3])


def _refuse_types(names: Sequence[str], arrays: Sequence[Any]) -> None:
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, torch.Tensor):
            raise ArgumentTypeError(
                f"{name} must be a torch.Tensor, got {type(array).__name__}. Use torch.as_tensor, "
                "or the jaxkeops door of its library."
            )


def _check_devices(names: Sequence[str], arrays: Sequence[torch.Tensor]) -> None:
    for name, array in zip(names, arrays, strict=True):
        if array.device.type not in DEVICES:
            raise NoBackendError(
                f"{name} is on device {array.device}, and jaxkeops computes on CPUs and CUDA GPUs. "
                f"Move the arrays to the CPU: {name}.cpu()."
            )
        if array.device != arrays[0].device:
            raise ArgumentError(
                f"All arrays must be on one device: {names[0]} is on {arrays[0].device}, {name} "
                f"on {array.device}. Move one of them."
            )
