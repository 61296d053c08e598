"""Ranges for block-sparse reductions over PyTorch tensors: six int64 tensors from each function.

Made on the CPU from what the arguments hold: call these functions outside of `torch.compile`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch

from ..errors import ArgumentError, ArgumentTypeError
from ..frontend import patterns
from ..frontend.patterns import swap_axes as swap_axes

__all__ = ["block_mask", "causal", "from_matrix", "segment_ids", "swap_axes", "window"]

Tensors: TypeAlias = tuple[torch.Tensor, ...]


def from_matrix(ranges_i: torch.Tensor, ranges_j: torch.Tensor, keep: torch.Tensor) -> Tensors:
    """The pairs of blocks of rows and blocks of columns that a boolean matrix keeps.

    ranges_i: (Mc, 2) and ranges_j: (Nc, 2), [start, end) in each row; keep: (Mc, Nc), boolean; on
    one device, where the results are too. Blocks stay in order; none are merged.
    Raises `ArgumentError`, or `ArgumentTypeError` for what is not a tensor.
    """
    arrays, device = _arrays(ranges_i=ranges_i, ranges_j=ranges_j, keep=keep)
    return _tensors(patterns.from_matrix(*arrays), device)


def block_mask(mask: torch.Tensor, block: int | tuple[int, int]) -> Tensors:
    """The pairs in the cells of a regular grid that a boolean matrix keeps.

    mask: (Mc, Nc), boolean. block: the rows and columns of a cell, or one size for both. On the
    device of `mask`. Raises `ArgumentError` or `ArgumentTypeError`.
    """
    (cells,), device = _arrays(mask=mask)
    return _tensors(patterns.block_mask(cells, block), device)


def segment_ids(ids_i: torch.Tensor, ids_j: torch.Tensor) -> Tensors:
    """The pairs whose two rows bear the same id.

    ids_i: (M,) and ids_j: (N,), integers that do not decrease, on one device, where the results
    are too. Raises `ArgumentError` or `ArgumentTypeError`.
    """
    arrays, device = _arrays(ids_i=ids_i, ids_j=ids_j)
    return _tensors(patterns.segment_ids(*arrays), device)


def causal(M: int, N: int | None = None, device: torch.device | str | None = None) -> Tensors:
    """The pairs with j <= i + N - M, N by default M: row i meets [0, i + 1 + N - M).

    Exact, in blocks of one row, which cost as `window` says. device: by default, PyTorch's own.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    return _tensors(patterns.causal(M, N), device)


def window(
    M: int, N: int, before: int, after: int, device: torch.device | str | None = None
) -> Tensors:
    """The pairs with i - before <= j <= i + after: a band around the diagonal.

    Exact, in blocks of one row: on 512-bit vectors a pair costs 16 pairs of the dense
    reduction in float32 and 8 in float64, and more for cheap formulas.
    device: by default, PyTorch's own.
    Raises `ArgumentError` or `ArgumentTypeError`.
    """
    return _tensors(patterns.window(M, N, before, after), device)


def _arrays(**tensors: Any) -> tuple[list[np.ndarray], torch.device]:
    """What the tensors hold, and the device that they share."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise ArgumentTypeError(
                f"{name} must be a torch.Tensor, got {type(tensor).__name__}. Use torch.as_tensor."
            )
        if tensor.is_floating_point() or tensor.is_complex():
            raise ArgumentError(
                f"{name} has dtype {str(tensor.dtype).removeprefix('torch.')}; expected integers, "
                "or booleans for keep and mask. Convert it first."
            )
        if tensor.is_meta:
            raise ArgumentError(f"{name} is on device meta, so it holds no numbers to read.")
    devices = {name: tensor.device for name, tensor in tensors.items()}
    if len(set(devices.values())) > 1:
        places = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ArgumentError(f"The tensors must be on one device, got {places}. Move them.")
    arrays = [tensor.detach().cpu().numpy() for tensor in tensors.values()]
    return arrays, next(iter(devices.values()))


def _tensors(ranges: patterns.Ranges, device: torch.device | str | None) -> Tensors:
    return tuple(torch.as_tensor(array, device=device) for array in ranges)
