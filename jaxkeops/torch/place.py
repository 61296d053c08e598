"""Where a call computes: where its tensors are, unless `backend` says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import ArgumentError, NoBackendError
from ..frontend.genred import gpu_number

HOST = torch.device("cpu")


def place_of(args: Sequence[Any], backend: str, device_id: int) -> torch.device | None:
    """The device that tensors must be moved to; None if they are where they are reduced.

    Raises `ArgumentError` if they are on another GPU than `device_id` says, and `NoBackendError`
    if a GPU is asked for that PyTorch has not. For tensors that stay on the CPU, `device_id` means
    nothing.
    """
    first = args[0] if args else None
    if not isinstance(first, torch.Tensor):
        return None
    if backend == "CPU":
        return None if first.device.type == "cpu" else HOST
    if first.is_cuda:
        if device_id not in (-1, first.device.index):
            raise ArgumentError(
                f"device_id is {device_id}, and the tensors are on {first.device}. Move them, or "
                "leave device_id out."
            )
        return None
    if backend == "auto":
        return None
    if not torch.cuda.is_available():
        raise NoBackendError(
            f"backend={backend!r} asks for a CUDA GPU, and PyTorch {torch.__version__} finds none "
            "(torch.cuda.is_available() is False). Use backend='auto' or 'CPU', or a PyTorch that "
            "was built for CUDA, with its driver."
        )
    return torch.device("cuda", gpu_number(device_id, torch.cuda.device_count()))


def moved(tensors: Sequence[Any], device: torch.device) -> tuple[Any, ...]:
    """The tensors on a device; their derivatives come back the same way."""
    return tuple(
        tensor.to(device) if isinstance(tensor, torch.Tensor) else tensor for tensor in tensors
    )
