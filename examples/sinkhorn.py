"""The Sinkhorn divergence of two point clouds: a loss that moves one onto the other."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from gallery import GREY, panels, run
from matplotlib.figure import Figure

from jaxkeops import Vi, Vj

SCALES = np.geomspace(2, 0.05, 32, dtype=np.float32)  # from the diameter to what is told apart


def softmin(eps: jax.Array, x: jax.Array, y: jax.Array, g: jax.Array) -> jax.Array:
    """-eps log of the mean over j of exp((g_j - |x_i - y_j|^2 / 2) / eps): (M, 1)."""
    terms = (Vj(g) - Vi(x).sqdist(Vj(y)) / 2) / eps
    return -eps * (terms.logsumexp(axis=1) - jnp.log(len(y)))


@jax.jit
def divergence(x: jax.Array, y: jax.Array) -> jax.Array:
    """OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2, of clouds (M, D) and (N, D) of uniform weights.

    OT is the cost |x - y|^2 / 2 of entropic optimal transport. Its dual potentials are found from
    coarse to fine scales, by averaged steps: Feydy et al. 2019, Interpolating between optimal
    transport and MMD using Sinkhorn divergences.
    """
    still_x, still_y = jax.lax.stop_gradient((x, y))

    def update(x: jax.Array, y: jax.Array, potentials: tuple, eps: jax.Array) -> tuple:
        f, g, of_x, of_y = potentials
        return (
            softmin(eps, x, still_y, g),
            softmin(eps, y, still_x, f),
            softmin(eps, x, still_x, of_x),
            softmin(eps, y, still_y, of_y),
        )

    def step(potentials: tuple, eps: jax.Array) -> tuple[tuple, None]:
        found = update(still_x, still_y, potentials, eps)
        return jax.tree.map(lambda old, new: (old + new) / 2, potentials, found), None

    zeros = jnp.zeros_like(x[:, :1]), jnp.zeros_like(y[:, :1])
    potentials, _ = jax.lax.scan(step, zeros * 2, SCALES**2)
    # At the optimum the value does not feel the potentials: x and y enter by the last update only.
    f, g, of_x, of_y = update(x, y, jax.lax.stop_gradient(potentials), SCALES[-1] ** 2)
    return (f - of_x).mean() + (g - of_y).mean()


def heart(rng: np.random.Generator, points: int) -> np.ndarray:
    """Points (N, 2) of a heart."""
    t, inside = rng.uniform(0, 2 * np.pi, points), rng.uniform(size=points)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    cloud = np.sqrt(inside)[:, None] * np.stack([16 * np.sin(t) ** 3, y], -1) / 17
    return cloud.astype(np.float32)


def rings(rng: np.random.Generator, points: int) -> np.ndarray:
    """Points (N, 2) of two rings."""
    t, radius = rng.uniform(0, 2 * np.pi, points), rng.uniform(0.4, 0.5, points)
    cloud = radius[:, None] * np.stack([np.cos(t), np.sin(t)], -1)
    cloud[:, 0] += rng.choice([-0.55, 0.55], points)
    return cloud.astype(np.float32)


def main(points: int = 2000, steps: int = 8, rate: float = 0.5) -> Figure:
    """Moves a heart onto two rings, down the gradient of the divergence."""
    rng = np.random.default_rng(0)
    x, y = heart(rng, points), rings(rng, points)
    value_and_grad = jax.jit(jax.value_and_grad(divergence))

    # Of a cloud and its shift by t, the divergence is |t|^2 / 2, and N times the gradient -t.
    t = np.array([0.3, -0.2], np.float32)
    value, slope = value_and_grad(x, x + t)
    print(f"shifted: {value:.6f}, and |t|^2 / 2 is {(t**2).sum() / 2:.6f}")
    assert np.allclose(value, (t**2).sum() / 2, rtol=1e-4)
    assert np.allclose(points * slope, -t, atol=1e-2)

    colours = np.arctan2(*x.T)
    clouds, values = [x], []
    for _ in range(steps):
        value, slope = value_and_grad(clouds[-1], y)
        clouds.append(clouds[-1] - rate * points * np.asarray(slope))
        values.append(value)
    print("divergences:", *(f"{value:.5f}" for value in values))
    # A step of rate r leaves (1 - r)^2 of what is like a shift.
    assert values[-1] < 0.02 * values[0]

    shown = [0, 1, 2, steps]
    figure, axes = panels(*(f"after {k} steps" for k in shown), height=2.4)
    for panel, k in zip(axes, shown, strict=True):
        panel.scatter(*y.T, s=0.3, color=GREY)
        panel.scatter(*clouds[k].T, s=1, c=colours, cmap="turbo")
        panel.set(xlim=(-1.1, 1.1), ylim=(-1.1, 0.9))
    return figure


if __name__ == "__main__":
    run(main)
