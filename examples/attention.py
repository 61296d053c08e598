"""Attention: with heads and a causal mask as jax.nn has it, and as a filter of images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from gallery import panels, run
from matplotlib.figure import Figure

from jaxkeops import LazyTensor, Vi, Vj

NOISE, PATCH = 0.2, 7


def attend(scores: LazyTensor, values: jax.Array) -> jax.Array:
    """For each query, the mean (..., M, E) of values (..., N, E), weighted by exp(scores)."""
    return scores.sumsoftmaxweight(LazyTensor(values[..., None, :, :]), axis=-2)


def self_attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Causal, of queries, keys and values (batch, T, heads, D), to the same shape."""
    q, k, v = (jnp.moveaxis(each, 1, 2) for each in (q, k, v))
    scores = LazyTensor(q[..., :, None, :]) | LazyTensor(k[..., None, :, :])
    return jnp.moveaxis(attend((scores / q.shape[-1] ** 0.5).causal(), v), 2, 1)


def differences(rng: np.random.Generator, words: int) -> list[float]:
    """The greatest of values and gradients, from those of jax.nn."""
    q, k, v, weights = rng.normal(size=(4, 2, words, 3, 16)).astype(np.float32)

    def values_and_gradients(attention: Callable[..., jax.Array]) -> list[np.ndarray]:
        values, transposed = jax.vjp(attention, q, k, v)
        return [np.asarray(each) for each in (values, *transposed(weights))]

    ours = values_and_gradients(jax.jit(self_attention))
    known = values_and_gradients(jax.jit(partial(jax.nn.dot_product_attention, is_causal=True)))
    return [np.abs(one - other).max() for one, other in zip(ours, known, strict=True)]


def picture(side: int) -> np.ndarray:
    """An image (S, S) of discs and stripes, of 0 and 1."""
    x, y = np.meshgrid(*[np.arange(side)] * 2)
    discs = np.hypot(x % 12 - 5.5, y % 12 - 5.5) < 4.5
    stripes = (x + y) % 12 < 6
    return np.where(x < side / 2, discs, stripes).astype(np.float32)


def patches(image: np.ndarray) -> np.ndarray:
    """What is around each pixel: (S * S, PATCH * PATCH)."""
    padded = np.pad(image, PATCH // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH))
    return windows.reshape(-1, PATCH**2)


@jax.jit
def filtered(image: jax.Array, around: jax.Array) -> jax.Array:
    """Each pixel as the mean of those with like surroundings: Buades, Coll, Morel 2005, A non-local
    algorithm for image denoising."""
    # Of two noisy copies of one patch, the squared distance is 2 NOISE^2 PATCH^2 on the average.
    # That of a pixel from itself is 0: it would see little else.
    scores = -Vi(around).sqdist(Vj(around)) / (0.5 * NOISE**2 * PATCH**2)
    number = jnp.arange(image.size, dtype=image.dtype)[:, None]
    others = scores - 1e3 * (Vi(number) == Vj(number))
    return attend(others, image.reshape(-1, 1)).reshape(image.shape)


def main(side: int = 96, words: int = 500) -> Figure:
    """Compares attention with that of jax.nn, and takes the noise off an image."""
    rng = np.random.default_rng(0)
    found = differences(rng, words)
    print("values and gradients differ from those of jax.nn by", *(f"{each:.0e}" for each in found))
    assert max(found) < 1e-4

    clean = picture(side)
    noisy = clean + NOISE * rng.normal(size=clean.shape).astype(np.float32)
    images = {"clean": clean, "noisy": noisy}
    images["filtered"] = np.asarray(filtered(noisy, patches(noisy)))
    errors = {name: np.sqrt(((image - clean) ** 2).mean()) for name, image in images.items()}
    print(
        f"error {errors['noisy']:.3f} -> {errors['filtered']:.3f}, {side**4:.0e} pairs of patches"
    )
    # A mean of n independent values is sqrt(n) times as exact: each takes four or more.
    assert errors["filtered"] < errors["noisy"] / 2

    figure, axes = panels(*images, height=2.6)
    for panel, image in zip(axes, images.values(), strict=True):
        panel.imshow(image, cmap="gray", vmin=-0.5, vmax=1.5)
    return figure


if __name__ == "__main__":
    run(main)
