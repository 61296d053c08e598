"""Reductions of formulas over all pairs of rows, for JAX, NumPy and PyTorch.

`from jaxkeops import Genred` is the JAX door. Each door is loaded when it is first named, so that
`import jaxkeops.numpy` loads neither JAX nor PyTorch. Only where JAX is there already, its door is
loaded at once: a process that runs exported programs names nothing of it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

__version__ = "0.1.0"
default_device_id = 0  # may be set: the GPU for data of the host, where a call names none
_ROOMS = ("config", "drop_in", "errors", "health", "jax", "numpy", "torch")
_NAMES = {
    "jax": (
        "EXPORT_CHECKS",
        "ComplexLazyTensor",
        "Genred",
        "KernelSolve",
        "LazyTensor",
        "Pm",
        "Vi",
        "Vj",
        "generic_argkmin",
        "generic_argmax",
        "generic_argmin",
        "generic_kmin",
        "generic_logsumexp",
        "generic_max",
        "generic_min",
        "generic_sum",
        "reduce_pairs",
    ),
    "config": ("clean_jaxkeops", "get_build_folder", "set_build_folder", "set_verbose"),
    "drop_in": ("install_as_pykeops",),
    "health": ("check_health", "test_jax_bindings", "test_numpy_bindings", "test_torch_bindings"),
}
_HOME = {name: room for room, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name == "clean_pykeops":  # what users of PyKeOps call
        return __getattr__("clean_jaxkeops")
    if name == "verbose":
        return import_module(".config", __name__).is_verbose()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_HOME, "clean_pykeops", "verbose"})


if "jax" in sys.modules:
    with suppress(ImportError):  # which is raised again for those who name that door
        import_module(".jax", __name__)
