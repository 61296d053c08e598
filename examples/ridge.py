"""Kernel ridge regression: linear systems, and the gradient of a loss through their solution."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from gallery import run
from matplotlib.figure import Figure
from scipy.optimize import minimize
from surface import check, draw, noisy_values, pixels

from jaxkeops import LazyTensor, Vi, Vj


def gaussian(x: jax.Array, y: jax.Array, width: jax.Array) -> LazyTensor:
    """The kernel (M, N), lazy."""
    return (-Vi(x).sqdist(Vj(y)) / (2 * width**2)).exp()


@jax.jit
def predict(new: jax.Array, x: jax.Array, values: jax.Array, logs: jax.Array) -> jax.Array:
    """The function (M, 1) at `new` that is near `values` (N, 1) at x, and smooth.

    logs: (2,), the logarithms of the width of the kernel and of the weight of smoothness.
    """
    width, alpha = jnp.exp(logs)
    weights = gaussian(x, x, width).solve(values, alpha=alpha, rtol=1e-5)
    return gaussian(new, x, width) @ weights


def main(points: int = 4000, side: int = 100) -> Figure:
    """Learns a surface from noisy values, and how smooth it is from values left aside."""
    x, values = noisy_values(points)
    half = points // 2

    @jax.jit
    @jax.value_and_grad
    def loss(logs: jax.Array) -> jax.Array:
        """The mean squared error (), on one half, of what is learned from the other."""
        return ((predict(x[half:], x[:half], values[:half], logs) - values[half:]) ** 2).mean()

    # The gradient of the solution comes from the equation that it solves: as by differences.
    start = np.log([0.5, 1], dtype=np.float32)
    slope = loss(start)[1]
    steps = 0.02 * np.eye(2, dtype=np.float32)
    differences = [(loss(start + h)[0] - loss(start - h)[0]) / 0.04 for h in steps]
    print("slopes of the loss:", slope, "by differences:", np.array(differences))
    assert np.allclose(slope, differences, rtol=0.05, atol=1e-3)

    def in_float64(logs: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(each, np.float64) for each in loss(logs.astype(np.float32))]

    found = minimize(in_float64, start, jac=True, method="L-BFGS-B", tol=1e-4)
    logs = found.x.astype(np.float32)
    print("width {:.2f}, alpha {:.2f}".format(*np.exp(logs)), f"after {found.nfev} losses")

    learned = np.asarray(predict(pixels(side), x, values, logs))
    check(learned, side)
    return draw(x, values, learned, side)


if __name__ == "__main__":
    run(main)
