"""JAX's arrays as lazy tensors know them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..frontend.arrays import Arrays
from ..frontend.conjugate import Report, System
from ..frontend.shapes import Shape
from . import cluster
from .genred import Genred
from .solve import solve

# A dtype takes 2 us to say its name; of the usual ones it is known.
_NAMES = {jnp.dtype(each): each for each in ("float32", "float64")}


class JaxArrays(Arrays):
    library = "jax.Array"
    genred = Genred

    def is_array(self, x: Any) -> bool:
        return isinstance(x, jax.Array | np.ndarray)

    def dtype(self, array: Any) -> str:
        dtype = array.dtype
        if isinstance(array, np.ndarray):  # JAX may hold it in another one
            dtype = jax.dtypes.canonicalize_dtype(dtype)
        return _NAMES.get(dtype) or dtype.name

    def default_dtype(self) -> str:
        return jnp.result_type(float).name

    def argument(self, numbers: Any, dtype: str, like: Any) -> Any:
        # A Python number is an argument of a compiled function in less time than an array of it.
        return numbers if isinstance(numbers, float) else jnp.asarray(numbers, dtype)

    def cast(self, array: Any, dtype: str) -> Any:
        return jnp.asarray(array, dtype)

    def reshape(self, array: Any, shape: Shape) -> Any:
        return array.reshape(shape) if isinstance(array, np.ndarray) else _reshaped(array, shape)

    def real_view(self, array: Any) -> Any:
        array = jnp.asarray(array)
        pairs = jnp.stack([array.real, array.imag], -1)
        return pairs.reshape((*array.shape[:-1], 2 * array.shape[-1]))

    def complex_view(self, array: Any) -> Any:
        return jax.lax.complex(array[..., ::2], array[..., 1::2])

    def known(self, integers: Any) -> Any:
        return integers if isinstance(integers, jax.core.Tracer) else np.asarray(integers)

    def patterns(self) -> dict[str, Callable[..., Any]]:
        return {name: getattr(cluster, name) for name in cluster.__all__}

    def solve(self, system: System) -> tuple[Any, Report]:
        return solve(system)


@partial(jax.jit, static_argnums=1, inline=True)
def _reshaped(array: jax.Array, shape: Shape) -> jax.Array:
    """Compiled, it takes 5 us; the method of arrays 16."""
    return array.reshape(shape)
