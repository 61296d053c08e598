"""Kernel ridge regression in NumPy: the width of the kernel is the best of a few."""

from __future__ import annotations

import numpy as np
from gallery import run
from matplotlib.figure import Figure
from surface import NOISE, check, draw, noisy_values, pixels

from jaxkeops.numpy import LazyTensor, Vi, Vj


def gaussian(x: np.ndarray, y: np.ndarray, width: float) -> LazyTensor:
    """The kernel (M, N), lazy."""
    return (-Vi(x).sqdist(Vj(y)) / (2 * width**2)).exp()


def predict(new: np.ndarray, x: np.ndarray, values: np.ndarray, width: float) -> np.ndarray:
    """The function (M, 1) at `new` that is near `values` (N, 1) at x, and smooth."""
    weights = gaussian(x, x, width).solve(values, alpha=NOISE**2, rtol=1e-4)
    return gaussian(new, x, width) @ weights


def main(points: int = 4000, side: int = 100) -> Figure:
    """Learns a surface from noisy values, and how smooth it is from values left aside."""
    x, values = noisy_values(points)
    half = points // 2
    errors = {
        width: ((predict(x[half:], x[:half], values[:half], width) - values[half:]) ** 2).mean()
        for width in (0.05, 0.1, 0.2, 0.3, 0.4)
    }
    print("errors by width:", ", ".join(f"{width}: {each:.3f}" for width, each in errors.items()))
    learned = predict(pixels(side), x, values, min(errors, key=errors.__getitem__))
    check(learned, side)
    return draw(x, values, learned, side)


if __name__ == "__main__":
    run(main)
