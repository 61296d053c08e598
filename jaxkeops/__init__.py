"""Reductions of formulas over all pairs of rows, for JAX, NumPy and PyTorch.

`from jaxkeops import Genred` is the JAX door. Each door is loaded when it is first named, so that
`import jaxkeops.numpy` loads neither JAX nor PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_ROOMS = ("errors", "jax", "numpy", "torch")
_JAX_NAMES = ("EXPORT_CHECKS", "Genred")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _JAX_NAMES:
        return getattr(import_module(".jax", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_JAX_NAMES})
