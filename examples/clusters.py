"""What the examples of k-means share: their points, and their picture."""

from __future__ import annotations

import numpy as np
from gallery import BLUE, RED, panels
from matplotlib.figure import Figure

SIDE, SIGMA = 4, 0.08  # clusters on a grid of 4 x 4, whose cells have side 1
CLUSTERS = SIDE**2


def mixture(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) around random centres (K, 2), in float32."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2)
    centres = grid + rng.uniform(-0.2, 0.2, grid.shape)
    x = centres[rng.integers(CLUSTERS, size=points)] + SIGMA * rng.normal(size=(points, 2))
    return x.astype(np.float32), centres.astype(np.float32)


def check(inertia: np.ndarray, errors: np.ndarray, points: int) -> None:
    """Asserts that k-means did what it must.

    inertia: (starts, steps), the mean squared distances to the nearest centres, step by step.
    errors: (K,), the distances of the true centres from those found.
    """
    # Neither half of a step, to label and to average, can make the mean squared distance larger.
    assert (np.diff(inertia) <= 1e-5 * inertia[:, 1:]).all()
    # A mean of n points lies within four standard errors of the centre that they are drawn around.
    bound = 4 * SIGMA * np.sqrt(2 * CLUSTERS / points)
    print(f"centres are off by {errors.max():.4f} at most, and chance explains {bound:.4f}")
    assert errors.max() < bound


def draw(x: np.ndarray, labels: np.ndarray, centres: np.ndarray, inertia: np.ndarray) -> Figure:
    """The points with their centres, and how the mean squared distances fell."""
    figure, (cells, curves) = panels("points and centres", "mean squared distance, by step")
    cells.scatter(*x[:3000].T, c=labels[:3000], s=1, cmap="tab20")
    cells.plot(*centres.T, "+", color="black")
    steps = range(0, inertia.shape[1], 5)
    curves.set(aspect="auto", xticks=steps, yticks=(0, 0.05, 0.1), ylim=(0, 0.1))
    curves.plot(inertia.T, color=BLUE, alpha=0.5)
    curves.plot(inertia[inertia[:, -1].argmin()], color=RED)
    return figure
