"""k-means in NumPy: one start after the other."""

from __future__ import annotations

import numpy as np
from clusters import CLUSTERS, check, draw, mixture
from gallery import run
from matplotlib.figure import Figure

from jaxkeops.numpy import Vi, Vj


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number (N,) of the nearest centre."""
    return Vi(points).sqdist(Vj(centres)).argmin(axis=1)[:, 0]


def spread_out(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Starts (K, 2), each drawn by the squared distance to those before: k-means++."""
    chosen, squared = [], np.ones(len(points))
    for _ in range(CLUSTERS):
        chosen.append(points[rng.choice(len(points), p=squared / squared.sum())])
        squared = np.minimum(squared, ((points - chosen[-1]) ** 2).sum(-1))
    return np.array(chosen)


def lloyd(points: np.ndarray, centres: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The centres (K, 2) after `steps`, and before each step the mean squared distance to them."""
    inertia = []
    for _ in range(steps):
        labels = nearest(points, centres)
        inertia.append(((points - centres[labels]) ** 2).sum(-1).mean())
        counts = np.bincount(labels, minlength=CLUSTERS)
        totals = [np.bincount(labels, column, minlength=CLUSTERS) for column in points.T]
        means = np.stack(totals, 1) / np.maximum(counts, 1)[:, None]
        centres = np.where(counts[:, None] > 0, means, centres).astype(points.dtype)
    return centres, np.array(inertia)


def main(points: int = 50_000, starts: int = 8, steps: int = 20) -> Figure:
    """Finds the centres of a mixture of 16 Gaussians."""
    x, truth = mixture(points)
    rng = np.random.default_rng(0)
    runs = [lloyd(x, spread_out(rng, x), steps) for _ in range(starts)]
    inertia = np.array([each for _, each in runs])
    best = runs[inertia[:, -1].argmin()][0]
    check(inertia, np.sqrt(Vi(truth).sqdist(Vj(best)).min(axis=1)), points)
    return draw(x, nearest(x, best), best, inertia)


if __name__ == "__main__":
    run(main)
