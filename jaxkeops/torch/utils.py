"""Dense kernels of PyTorch tensors to compare with, in the module where PyKeOps has them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import ArgumentError

__all__ = ["squared_distances", "torch_kernel"]

# Of t = (|x - y| / s)^2.
RADIAL: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gaussian": lambda t: torch.exp(-t),
    "laplacian": lambda t: torch.exp(-torch.sqrt(t)),
    "cauchy": lambda t: 1 / (1 + t),
    "inverse_multiquadric": lambda t: torch.rsqrt(1 + t),
}


def squared_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """|x_i - y_j|^2 of x: (M, D) and y: (N, D), (M, N), in memory M * N * D."""
    return ((x[:, None] - y) ** 2).sum(-1)


def torch_kernel(
    x: torch.Tensor, y: torch.Tensor, s: float | torch.Tensor, kernel: str
) -> torch.Tensor:
    """The values of a kernel of scale s, (M, N), for x: (M, D) and y: (N, D).

    kernel: "gaussian", "laplacian", "cauchy" or "inverse_multiquadric".
    """
    if kernel not in RADIAL:
        raise ArgumentError(f"kernel is one of {', '.join(RADIAL)}, got {kernel!r}.")
    return RADIAL[kernel](squared_distances(x, y) / s**2)
