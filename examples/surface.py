"""What the examples of kernel ridge regression share: a surface to learn, and its picture."""

from __future__ import annotations

import numpy as np
from gallery import panels
from matplotlib.figure import Figure

NOISE = 0.3


def surface(x: np.ndarray) -> np.ndarray:
    """The function (N, 1) of points (N, 2) that is to be learned."""
    radius = np.sqrt((x**2).sum(-1, keepdims=True))
    return np.cos(9 * radius) * np.exp(-radius) + 0.5 * x[:, :1]


def noisy_values(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) of a square, and the function there with noise, (N, 1), in float32."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (points, 2))
    values = surface(x) + NOISE * rng.normal(size=(points, 1))
    return x.astype(np.float32), values.astype(np.float32)


def pixels(side: int) -> np.ndarray:
    """A lattice of the square, (side * side, 2)."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


def check(learned: np.ndarray, side: int) -> None:
    """Asserts that what was learned, (side * side, 1), is far nearer to the surface than values."""
    error = np.sqrt(((learned - surface(pixels(side))) ** 2).mean())
    print(f"the noise is {NOISE}, what is learned is off by {error:.3f}")
    assert error < NOISE / 3


def draw(x: np.ndarray, values: np.ndarray, learned: np.ndarray, side: int) -> Figure:
    """What was given, what was learned, and the truth."""
    figure, (given, *images) = panels("values", "learned", "the surface", height=2.8)
    style = {"vmin": -1.2, "vmax": 1.2, "cmap": "viridis"}
    given.scatter(*x.T, c=values, s=2, **style)
    for panel, shown in zip(images, (learned, surface(pixels(side))), strict=True):
        panel.imshow(shown.reshape(side, side), origin="lower", extent=(-1, 1, -1, 1), **style)
    return figure
