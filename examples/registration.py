"""Registration of curves by geodesic shooting: a gradient through the flow of another gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from gallery import BLUE, GREY, RED, panels, run
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import minimize

from jaxkeops import LazyTensor, Vi, Vj

STIFF, SHARP = 0.25, 0.15  # widths of the kernels: of deformations, and of what is told apart
COST = 0.001  # of deformation, beside what remains of the misfit
STEPS = 10


def gaussian(x: jax.Array, y: jax.Array, width: float) -> LazyTensor:
    """The kernel (M, N), lazy."""
    return (-Vi(x).sqdist(Vj(y)) / (2 * width**2)).exp()


def energy(p: jax.Array, q: jax.Array) -> jax.Array:
    """The energy () of points q (M, 2) with momenta p (M, 2): Hamilton's function."""
    return (p * (gaussian(q, q, STIFF) @ p)).sum() / 2


def shoot(q: jax.Array, p: jax.Array, free: jax.Array) -> tuple[jax.Array, ...]:
    """The ends of a geodesic from q (M, 2) with momenta p (M, 2), and of points that flow along.

    By Hamilton's equations, in steps of the midpoint rule: Miller, Trouve, Younes 2006, Geodesic
    shooting for computational anatomy.
    """

    def slope(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        q, p, free = state
        velocity, force = jax.grad(energy, (0, 1))(p, q)
        return velocity, -force, gaussian(free, q, STIFF) @ p

    def moved(state: tuple, along: tuple, by: float) -> tuple:
        return jax.tree.map(lambda at, change: at + by * change, state, along)

    def step(state: tuple, _: None) -> tuple[tuple, None]:
        middle = moved(state, slope(state), 0.5 / STEPS)
        return moved(state, slope(middle), 1 / STEPS), None

    return jax.lax.scan(step, (q, p, free), length=STEPS)[0]


def misfit(one: jax.Array, other: jax.Array) -> jax.Array:
    """The squared distance () of closed curves (M, 2) and (N, 2), whatever their points are.

    Curves are measures of their tangents: Glaunes, Qiu, Miller, Younes 2008, Large deformation
    diffeomorphic metric curve mapping.
    """

    def product(x: jax.Array, y: jax.Array) -> jax.Array:
        (centres, edges), (others, their_edges) = map(segments, (x, y))
        return (gaussian(centres, others, SHARP) * (Vi(edges) | Vj(their_edges))).sum(1).sum()

    def segments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        following = jnp.roll(x, -1, 0)
        return (x + following) / 2, following - x

    return product(one, one) - 2 * product(one, other) + product(other, other)


def flower(points: int, petals: float, shift: float) -> np.ndarray:
    """Points (N, 2) around a closed curve."""
    t = 2 * np.pi * np.arange(points) / points
    radius = 0.6 + petals * np.cos(5 * t)
    curve = radius[:, None] * np.stack([np.cos(t), np.sin(t)], -1) + shift
    return curve.astype(np.float32)


def draw(panel: Axes, lattice: np.ndarray) -> None:
    """The lines of a lattice (L, L, 2)."""
    for lines in (lattice, lattice.swapaxes(0, 1)):
        panel.plot(lines[..., 0], lines[..., 1], color="#cccccc", linewidth=0.5, zorder=0)


def main(points: int = 200, lines: int = 30, iterations: int = 100) -> Figure:
    """Bends the plane so that a circle becomes a flower."""
    start, target = flower(points, 0, 0), flower(points + 50, 0.25, 0.1)
    side = np.linspace(-1.1, 1.1, lines, dtype=np.float32)
    lattice = np.stack(np.meshgrid(side, side), -1)

    @jax.jit
    @jax.value_and_grad
    def loss(p: jax.Array) -> jax.Array:
        end = shoot(start, p, start[:0])[0]
        return COST * energy(p, start) + misfit(end, target)

    def evaluate(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss(p.reshape(start.shape).astype(np.float32))
        return float(value), np.asarray(slope, np.float64).ravel()

    options = {"maxiter": iterations}
    found = minimize(evaluate, np.zeros(start.size), jac=True, method="L-BFGS-B", options=options)
    p = found.x.reshape(start.shape).astype(np.float32)
    q, last, bent = map(np.asarray, jax.jit(shoot)(start, p, lattice.reshape(-1, 2)))

    # A geodesic keeps its energy, but for the error of the steps.
    energies = energy(p, start), energy(last, q)
    print(f"energies: {energies[0]:.4f} at the start, {energies[1]:.4f} at the end")
    # Points of the bent circle lie on the flower, to a fraction of what is told apart.
    away = np.sqrt(Vi(q).sqdist(Vj(target)).min(axis=1))
    print(f"misfit {misfit(start, target):.4f} -> {misfit(q, target):.4f}, {away.max():.3f} away")
    assert np.allclose(*energies, rtol=0.01)
    assert away.max() < SHARP / 3

    figure, (before, after) = panels("circle and flower", "the plane, bent", height=3.6)
    for panel, curve, grid in ((before, start, lattice), (after, q, bent.reshape(lattice.shape))):
        draw(panel, grid)
        panel.fill(*target.T, color=GREY, alpha=0.4, linewidth=0)
        panel.plot(*np.vstack([curve, curve[:1]]).T, color=BLUE)
    before.quiver(*start.T, *p.T, color=RED, width=0.004)
    return figure


if __name__ == "__main__":
    run(main)
