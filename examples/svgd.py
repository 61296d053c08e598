"""Stein variational gradient descent: particles that settle as samples of a density."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from gallery import BLUE, GREY, ORANGE, panels, run
from matplotlib.figure import Figure

from jaxkeops import LazyTensor, Vi, Vj

BEND, NOISE = 0.6, 0.4  # of the banana
WIDTH, RATE = 0.3, 0.3  # of the kernel, and of the descent


def log_density(x: jax.Array) -> jax.Array:
    """Of a banana, at a point (2,): a standard normal coordinate, and one around its square."""
    return -(x[0] ** 2 + ((x[1] - BEND * (x[0] ** 2 - 1)) / NOISE) ** 2) / 2


scores = jax.vmap(jax.grad(log_density))


def kernel(x: jax.Array) -> LazyTensor:
    """1 / sqrt(1 + |x_i - x_j|^2 / w^2), lazy: its tail reaches particles that are far away."""
    return (1 + Vi(x).sqdist(Vj(x)) / WIDTH**2).rsqrt()


@partial(jax.jit, static_argnames="steps")
def descend(x: jax.Array, steps: int) -> jax.Array:
    """The particles (N, 2) after `steps`: Liu and Wang 2016, Stein variational gradient descent.

    Each goes where the density grows around it, and is pushed away by its neighbours.
    """

    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        K = kernel(x)
        forces = K * Vj(scores(x)) + K**3 * (Vi(x) - Vj(x)) / WIDTH**2
        return x + RATE * forces.sum(axis=1) / len(x), None

    return jax.lax.scan(step, x, length=steps)[0]


@jax.jit
def discrepancy(x: jax.Array) -> jax.Array:
    """How far () the particles are from samples: Gorham and Mackey 2017, Measuring sample quality
    with kernels."""
    K, s, D = kernel(x), scores(x), x.shape[1]
    difference = (Vi(x) - Vj(x)) / WIDTH**2
    squared = Vi(x).sqdist(Vj(x)) / WIDTH**2
    stein = K * (Vi(s) | Vj(s)) + K**3 * ((Vi(s) - Vj(s)) | difference)
    stein = stein + (D * K**3 - 3 * squared * K**5) / WIDTH**2
    return jnp.sqrt(stein.sum(axis=1).mean() / len(x))


def main(particles: int = 1000, steps: int = 3000) -> Figure:
    """Lets particles from one spot spread over a banana."""
    rng = np.random.default_rng(0)
    start = (0.3 * rng.normal(size=(particles, 2)) + [0, 2]).astype(np.float32)
    draws = rng.normal(size=(particles, 2)).astype(np.float32) * np.float32([1, NOISE])
    draws[:, 1] += BEND * (draws[:, 0] ** 2 - 1)

    settled = np.asarray(descend(start, steps))
    # Particles that push each other away cover the density more evenly than independent draws.
    names = {"start": start, "settled": settled, "independent draws": draws}
    found = {name: float(discrepancy(x)) for name, x in names.items()}
    print("discrepancies:", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    assert found["settled"] < found["independent draws"] / 2 < found["start"] / 2
    # Of the banana, the mean is 0 and the variances are 1 and NOISE^2 + 2 BEND^2.
    variances = settled.var(0), np.array([1, NOISE**2 + 2 * BEND**2])
    print(f"mean {settled.mean(0)}, variances {variances[0]} instead of {variances[1]}")
    error = np.sqrt(variances[1] / particles)  # of the mean of independent draws
    assert (np.abs(settled.mean(0)) < 4 * error).all()

    line = np.linspace(-3, 3, 100)
    pixels = np.stack(np.meshgrid(line, line + 1.5), -1).astype(np.float32)
    density = np.exp(jax.vmap(jax.vmap(log_density))(pixels))
    figure, axes = panels(*(f"{name}: {found[name]:.3f}" for name in names), height=2.6)
    colours = (ORANGE, BLUE, GREY)
    for panel, x, colour in zip(axes, names.values(), colours, strict=True):
        panel.contour(line, line + 1.5, density, levels=4, colors="#cccccc", linewidths=0.7)
        panel.scatter(*x.T, s=1, color=colour)
        panel.set(xlim=(-3, 3), ylim=(-1.7, 4.3))
    return figure


if __name__ == "__main__":
    run(main)
