"""A Gaussian mixture fitted by expectation and maximisation: two reductions for each step."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gallery import BLUE, RED, panels, run
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxkeops import LazyTensor, Vi, Vj

D = 2


class Mixture(NamedTuple):
    """K Gaussians: their shares (K,), means (K, D) and covariances (K, D, D)."""

    shares: jax.Array
    means: jax.Array
    covariances: jax.Array


def log_terms(points: jax.Array, mixture: Mixture) -> LazyTensor:
    """For each point and each Gaussian, the log of its share times its density: (N, K), lazy."""
    whiten = jnp.linalg.inv(jnp.linalg.cholesky(mixture.covariances))  # (K, D, D)
    scale = jnp.log(mixture.shares) + jnp.linalg.slogdet(whiten)[1] - D / 2 * jnp.log(2 * jnp.pi)
    white = Vj(whiten.reshape(-1, D * D)).matvecmult(Vi(points) - Vj(mixture.means))
    return Vj(scale[:, None]) - white.sqnorm2() / 2


@jax.jit
def log_likelihood(points: jax.Array, mixture: Mixture) -> jax.Array:
    """The log of the density at each point, (N, 1)."""
    return log_terms(points, mixture).logsumexp(axis=1)


@partial(jax.jit, static_argnames="steps")
def fit(points: jax.Array, mixture: Mixture, steps: int) -> tuple[Mixture, jax.Array]:
    """The mixture after `steps`, and before each the mean log likelihood."""
    squares = (points[:, :, None] * points[:, None]).reshape(-1, D * D)

    def step(mixture: Mixture, _: None) -> tuple[Mixture, jax.Array]:
        log_density = log_likelihood(points, mixture)
        belongs = (log_terms(points, mixture) - Vi(log_density)).exp()  # (N, K), lazy
        moments = LazyTensor.cat((LazyTensor([1.0]), Vi(points), Vi(squares)))
        count, first, second = jnp.split((belongs * moments).sum(axis=0), (1, 1 + D), axis=1)
        means = first / count
        spread = (second / count).reshape(-1, D, D) - means[:, :, None] * means[:, None]
        return Mixture(count[:, 0] / len(points), means, spread), log_density.mean()

    return jax.lax.scan(step, mixture, length=steps)


def petals(K: int) -> Mixture:
    """Long Gaussians around a circle."""
    angles = 2 * np.pi * np.arange(K, dtype=np.float32) / K
    along = np.stack([np.cos(angles), np.sin(angles)], -1)
    across = np.stack([-np.sin(angles), np.cos(angles)], -1)
    frames = np.stack([0.5 * along, 0.12 * across], -1)
    return Mixture(np.full(K, 1 / K, np.float32), 1.3 * along, frames @ frames.mT)


def draw(rng: np.random.Generator, mixture: Mixture, points: int) -> np.ndarray:
    """Points (N, D) of a mixture with equal shares."""
    which = rng.integers(len(mixture.shares), size=points)
    factors = np.linalg.cholesky(mixture.covariances)[which]
    noise = rng.normal(size=(points, D, 1)).astype(np.float32)
    return mixture.means[which] + (factors @ noise)[..., 0]


def ellipses(axes: Axes, mixture: Mixture, colour: str) -> None:
    """Each Gaussian, two standard deviations from its mean."""
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    for mean, factor in zip(mixture.means, np.linalg.cholesky(mixture.covariances), strict=True):
        axes.plot(*(mean[:, None] + 2 * factor @ circle), color=colour, linewidth=1)


def main(points: int = 50_000, petal: int = 7, steps: int = 60) -> Figure:
    """Recovers long Gaussians from round ones."""
    rng = np.random.default_rng(0)
    truth = petals(petal)
    x = draw(rng, truth, points)
    near = truth.means + 0.3 * rng.normal(size=truth.means.shape).astype(np.float32)
    start = Mixture(truth.shares, near, np.tile(0.2 * np.eye(D, dtype=np.float32), (petal, 1, 1)))
    found, log_likelihoods = jax.tree.map(np.asarray, fit(x, start, steps))

    # Each step makes the likelihood larger, or leaves it.
    assert (np.diff(log_likelihoods) > -1e-5).all()
    # The most likely of all mixtures is likelier than that which the points are drawn from: by half
    # the number of parameters, on the average over draws and after division by N.
    parameters = petal * (1 + D + D * (D + 1) // 2) - 1
    expected = parameters / 2 / points
    gain = log_likelihood(x, found).mean() - log_likelihood(x, truth).mean()
    print(f"log likelihood of a point: {gain:.5f} above the truth's, by theory {expected:.5f}")
    assert 0 < gain < 2 * expected

    figure, (first, last) = panels("start", f"after {steps} steps")
    for panel, mixture, colour in ((first, start, RED), (last, found, BLUE)):
        panel.scatter(*x[:5000].T, s=0.5, color="#bbbbbb")
        ellipses(panel, mixture, colour)
    return figure


if __name__ == "__main__":
    run(main)
