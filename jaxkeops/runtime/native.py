"""The door to the C++ runtime: the only import of `_native`.

Where that is missing, importing this module still works: JAX arrays are then reduced by XLA. Each
of its names raises an `ImportError` that says what to do, and so does `require`.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

try:
    from .. import _native
except ImportError as error:
    _native = None
    MISSING = str(error)
else:
    MISSING = ""

AVAILABLE = _native is not None

if _native is not None:
    Kernel = _native.Kernel
    CudaKernel = _native.CudaKernel
    cuda_devices = _native.cuda_devices
    find_nvrtc = _native.find_nvrtc
    compile_cuda = _native.compile_cuda
    find = _native.find
    publish = _native.publish
    find_or_compile = _native.find_or_compile
    set_compile_hook = _native.set_compile_hook
    registrations = _native.registrations
    types = _native.types
    ffi_api_version = _native.ffi_api_version
    num_threads = _native.num_threads
    set_num_threads = _native.set_num_threads

__all__ = [
    "CudaKernel",
    "Kernel",
    "compile_cuda",
    "cuda_devices",
    "ffi_api_version",
    "find",
    "find_nvrtc",
    "find_or_compile",
    "num_threads",
    "publish",
    "registrations",
    "set_compile_hook",
    "set_num_threads",
    "types",
]


def require() -> None:
    """Raises `ImportError` if there is no extension module."""
    if not AVAILABLE:
        raise ImportError(
            "jaxkeops needs its extension module jaxkeops._native, which could not be loaded "
            f"({MISSING}). Install jaxkeops for this Python with `pip install jaxkeops`; in a "
            "checkout, `pip install -e .` builds it (a C++17 compiler is needed). JAX arrays can "
            "be reduced without it, by XLA: use jaxkeops.jax."
        )


def __getattr__(name: str) -> Any:
    if name in __all__:
        require()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _read_num_threads(text: str | None) -> None:
    """Applies JAXKEOPS_NUM_THREADS; a value that is no count is reported, and not used."""
    if not text:
        return
    try:
        set_num_threads(int(text))
    except (ValueError, TypeError):
        warnings.warn(
            f"JAXKEOPS_NUM_THREADS: expected a whole number from 1 to 4096, got {text!r}; "
            f"using {num_threads()} threads instead. Correct or unset the variable.",
            RuntimeWarning,
            stacklevel=2,
        )


if AVAILABLE:
    _read_num_threads(os.environ.get("JAXKEOPS_NUM_THREADS"))
