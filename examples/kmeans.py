"""k-means: Lloyd's algorithm, from several starts at once by vmap."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from clusters import CLUSTERS, check, draw, mixture
from gallery import run
from matplotlib.figure import Figure

from jaxkeops import Vi, Vj


def nearest(points: jax.Array, centres: jax.Array) -> jax.Array:
    """The number (N,) of the nearest centre."""
    return Vi(points).sqdist(Vj(centres)).argmin(axis=1)[:, 0]


def spread_out(key: jax.Array, points: jax.Array) -> jax.Array:
    """Starts (K, 2), each drawn by the squared distance to those before: k-means++."""

    def draw_one(squared: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        chosen = points[jax.random.categorical(key, jnp.log(squared))]
        return jnp.minimum(squared, ((points - chosen) ** 2).sum(-1)), chosen

    return jax.lax.scan(draw_one, jnp.ones(len(points)), jax.random.split(key, CLUSTERS))[1]


def lloyd(points: jax.Array, centres: jax.Array, steps: int) -> tuple[jax.Array, jax.Array]:
    """The centres (K, 2) after `steps`, and before each step the mean squared distance to them."""

    def step(centres: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        labels = nearest(points, centres)
        totals = jax.ops.segment_sum(points, labels, CLUSTERS)
        counts = jnp.bincount(labels, length=CLUSTERS)[:, None]
        means = jnp.where(counts > 0, totals / jnp.maximum(counts, 1), centres)
        return means, ((points - centres[labels]) ** 2).sum(-1).mean()

    return jax.lax.scan(step, centres, length=steps)


@partial(jax.jit, static_argnames=("starts", "steps"))
def kmeans(key: jax.Array, points: jax.Array, starts: int, steps: int):
    """What `lloyd` gives, from several starts: (starts, K, 2) and (starts, steps)."""

    def from_one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return lloyd(points, spread_out(key, points), steps)

    return jax.vmap(from_one)(jax.random.split(key, starts))


def main(points: int = 50_000, starts: int = 8, steps: int = 20) -> Figure:
    """Finds the centres of a mixture of 16 Gaussians."""
    x, truth = mixture(points)
    centres, inertia = map(np.asarray, kmeans(jax.random.key(0), x, starts, steps))
    best = centres[inertia[:, -1].argmin()]
    check(inertia, np.sqrt(Vi(truth).sqdist(Vj(best)).min(axis=1)), points)
    return draw(x, nearest(x, best), best, inertia)


if __name__ == "__main__":
    run(main)
