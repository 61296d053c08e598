"""The three doors as tests see them: arrays go in from float64 NumPy, and come out so."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Door:
    """A door: `door.LazyTensor`, `door.Vi`, ... are its own."""

    name: str
    module: Any
    library: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def array(self, values: Any, dtype: str = "float64") -> Any:
        array = np.asarray(values)
        array = array.astype(dtype) if array.dtype.kind == "f" else array
        return array if self.name == "numpy" else self.library.asarray(array)

    @staticmethod
    def values(result: Any) -> Any:
        if isinstance(result, tuple):
            return tuple(map(Door.values, result))
        return np.asarray(result.detach() if hasattr(result, "detach") else result)


def _door(name: str) -> Door:
    if name == "jax":
        jax = pytest.importorskip("jax")
        return Door(name, import_module("jaxkeops.jax"), jax.numpy)
    library = pytest.importorskip(name)
    return Door(name, import_module(f"jaxkeops.{name}"), library)


@pytest.fixture(params=["numpy", "torch", "jax"])
def door(request):
    found = _door(request.param)
    if request.param != "jax":
        yield found
    else:
        jax = import_module("jax")
        with jax.enable_x64(True):
            yield found


@pytest.fixture
def numpy_door():
    return _door("numpy")


def assert_close(result: Any, expected: Any, units: float = 500) -> None:
    """Equal to some units in the last place of the largest value of the expected."""
    result, expected = Door.values(result), np.asarray(expected)
    assert result.shape == expected.shape
    finite = np.abs(expected[np.isfinite(expected)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    eps = float(np.finfo(result.dtype).eps) if result.dtype.kind in "fc" else 0.0
    np.testing.assert_allclose(result, expected, rtol=0, atol=units * eps * scale)


@pytest.fixture
def close():
    return assert_close
