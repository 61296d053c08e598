"""k-nearest neighbours: a classifier beside the best one that there can be."""

from __future__ import annotations

import jax
import numpy as np
from gallery import CLASSES, panels, run
from matplotlib.figure import Figure

from jaxkeops import Vi, Vj

ARMS, NODES, SIGMA = 3, 60, 0.09
EDGE = 1.2


def spirals() -> np.ndarray:
    """The nodes (ARMS, NODES, 2) of spirals, around which the points of each class lie."""
    t = np.linspace(0.15, 1, NODES)
    angles = 2 * np.pi * (t + np.arange(ARMS)[:, None] / ARMS)
    return (t[:, None] * np.stack([np.cos(angles), np.sin(angles)], -1)).astype(np.float32)


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) and their classes (N,)."""
    labels = rng.integers(ARMS, size=count)
    nodes = rng.integers(NODES, size=count)
    noise = rng.normal(size=(count, 2)).astype(np.float32)
    return spirals()[labels, nodes] + np.float32(SIGMA) * noise, labels


@jax.jit(static_argnames="K")
def votes(points: jax.Array, known: jax.Array, labels: jax.Array, K: int) -> jax.Array:
    """The share (M, ARMS) of each class among the K nearest of `known`."""
    neighbours = Vi(points).sqdist(Vj(known)).argKmin(K, axis=1)
    return jax.nn.one_hot(labels[neighbours], ARMS).mean(1)


@jax.jit
def probabilities(points: jax.Array) -> jax.Array:
    """The probability (M, ARMS) of each class, by the density that the points are drawn from."""

    def log_density(nodes: jax.Array) -> jax.Array:
        return (-Vi(points).sqdist(Vj(nodes)) / (2 * SIGMA**2)).logsumexp(axis=1)[:, 0]

    return jax.nn.softmax(jax.vmap(log_density, out_axes=1)(spirals()), axis=1)


def main(points: int = 20_000, side: int = 200, K: int = 25) -> Figure:
    """Learns which of three spirals a point belongs to."""
    rng = np.random.default_rng(0)
    (x, labels), (new, truth) = draw(rng, points), draw(rng, points)
    errors = {
        "nearest neighbours": (votes(new, x, labels, K).argmax(1) != truth).mean(),
        "best possible": (probabilities(new).argmax(1) != truth).mean(),
    }
    print(", ".join(f"{name}: {error:.1%} wrong" for name, error in errors.items()))

    # No classifier beats the densities but by chance, whose standard error this is. K votes come
    # near them: an error of the order 1 / K, for the share of one class has the variance p q / K.
    chance = (errors["best possible"] / points) ** 0.5
    excess = errors["nearest neighbours"] - errors["best possible"]
    assert -4 * chance < excess < 1 / K + 4 * chance

    line = np.linspace(-EDGE, EDGE, side, dtype=np.float32)
    pixels = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    figure, axes = panels("points", f"votes of {K} neighbours", "probabilities", height=3)
    axes[0].scatter(*x[:3000].T, c=CLASSES[labels[:3000]], s=1)
    shares = votes(pixels, x, labels, K), probabilities(pixels)
    for panel, share in zip(axes[1:], shares, strict=True):
        colours = (np.asarray(share) @ CLASSES).reshape(side, side, 3)
        panel.imshow(colours, origin="lower", extent=[-EDGE, EDGE] * 2)
    for panel in axes:
        panel.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE))
    return figure


if __name__ == "__main__":
    run(main)
