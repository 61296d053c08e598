"""Dense kernels of NumPy arrays to compare with, in the module where PyKeOps has them.

Each forms an (M, N) matrix, for x: (M, D) and y: (N, D). kernel: "gaussian", "laplacian",
"cauchy" or "inverse_multiquadric", of the scale s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeVar

import numpy as np

from ..errors import ArgumentError, NoBackendError
from .genred import Genred

__all__ = [
    "WarmUpGpu",
    "chain_rules",
    "differences",
    "grad_np_kernel",
    "log_np_kernel",
    "log_sum_exp",
    "np_kernel",
    "np_kernel_sphere",
    "squared_distances",
]

Profile = Callable[[np.ndarray], np.ndarray]
Kernel = TypeVar("Kernel")


class Radial(NamedTuple):
    """A kernel k of t = (|x - y| / s)^2: log k, and the derivative of k in t."""

    log: Profile
    derivative: Profile


RADIAL = {
    "gaussian": Radial(np.negative, lambda t: -np.exp(-t)),
    "laplacian": Radial(lambda t: -np.sqrt(t), lambda t: -np.exp(-np.sqrt(t)) / (2 * np.sqrt(t))),
    "cauchy": Radial(lambda t: -np.log1p(t), lambda t: -1 / (1 + t) ** 2),
    "inverse_multiquadric": Radial(lambda t: -np.log1p(t) / 2, lambda t: -0.5 * (1 + t) ** -1.5),
}
# Of unit normals (M, 3): kernels of the scalar product u and the scale s.
SPHERICAL: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "binet": lambda u, s: u**2,
    "linear": lambda u, s: u,
    "gaussian_unoriented": lambda u, s: np.exp((2 * u**2 - 2) / s**2),
    "gaussian_oriented": lambda u, s: np.exp((2 * u - 2) / s**2),
}


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|x_i - y_j|^2, (M, N), in memory M * N * D."""
    return ((x[:, None] - y) ** 2).sum(-1)


def differences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x_i - y_j, coordinates first: (D, M, N)."""
    return x.T[:, :, None] - y.T[:, None, :]


def np_kernel(x: np.ndarray, y: np.ndarray, s: float, kernel: str) -> np.ndarray:
    """The values of a kernel, (M, N)."""
    return np.exp(log_np_kernel(x, y, s, kernel))


def log_np_kernel(x: np.ndarray, y: np.ndarray, s: float, kernel: str) -> np.ndarray:
    """The logarithms of the values of a kernel, (M, N)."""
    return _named(RADIAL, kernel).log(squared_distances(x, y) / s**2)


def grad_np_kernel(x: np.ndarray, y: np.ndarray, s: float, kernel: str) -> np.ndarray:
    """The derivatives of a kernel for the squared distance, (M, N)."""
    return _named(RADIAL, kernel).derivative(squared_distances(x, y) / s**2) / s**2


def np_kernel_sphere(nalpha: np.ndarray, nbeta: np.ndarray, s: float, kernel: str) -> np.ndarray:
    """A kernel of unit normals: "binet", "linear", "gaussian_oriented", "gaussian_unoriented"."""
    return _named(SPHERICAL, kernel)(nalpha @ nbeta.T, s)


def chain_rules(
    q: np.ndarray, ax: np.ndarray, by: np.ndarray, Aa: np.ndarray, p: np.ndarray
) -> np.ndarray:
    """The gradient for x of sum_ij k(|x_i - y_j|^2) <q_i, p_j>, (M, D) of float32.

    ax: (M, D), by: (N, D), the points; Aa: (M, N), the derivatives of k; q: (M, E), p: (N, E).
    """
    weights = 2 * Aa * (q @ p.T)
    return (weights.sum(1, keepdims=True) * ax - weights @ by).astype("float32")


def log_sum_exp(mat: np.ndarray, axis: int = 0) -> np.ndarray:
    """log(sum(exp(mat))) over an axis, which is left out of the result."""
    return np.logaddexp.reduce(mat, axis=axis)


def WarmUpGpu() -> None:
    """Computes a little on the GPU, if there is one, so that what is timed next finds it ready."""
    with suppress(NoBackendError):
        Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], axis=1)(*np.ones((2, 10, 1)), backend="GPU")


def _named(kernels: Mapping[str, Kernel], name: str) -> Kernel:
    if name not in kernels:
        raise ArgumentError(f"kernel is one of {', '.join(kernels)}, got {name!r}.")
    return kernels[name]
