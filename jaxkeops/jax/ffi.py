"""XLA's side: the target, registered once, after a check that the running jaxlib can take it.

Where there is no extension module there is no target either: reductions are operations of XLA.
"""

from __future__ import annotations

import re
from pathlib import Path

import jax

from ..runtime import native

TARGET = "jaxkeops_reduce"
TYPES = {"cpu": "jaxkeops_kernel", "CUDA": "jaxkeops_cuda_kernel"}  # of what calls keep


def require_ffi_api(built: tuple[int, int], header: str, jaxlib: str) -> None:
    """Raises `ImportError` if a jaxlib with this `c_api.h` refuses handlers built for `built`.

    XLA takes handlers built for older versions of its interface than its own, and registers
    late: a handler that is too new would leave the user without any CPU backend.
    """
    found = {
        part: re.search(rf"#define XLA_FFI_API_{part} (\d+)", header) for part in ("MAJOR", "MINOR")
    }
    if not all(found.values()):
        raise ImportError(
            f"jaxkeops cannot tell which XLA FFI version jaxlib {jaxlib} has: its header c_api.h "
            "does not say. Install a released jaxlib."
        )
    running = int(found["MAJOR"][1]), int(found["MINOR"][1])
    if running[0] != built[0] or running < built:
        raise ImportError(
            f"jaxkeops was built for XLA FFI {built[0]}.{built[1]}, and jaxlib {jaxlib} has "
            f"{running[0]}.{running[1]}. Upgrade jax and jaxlib, or install a jaxkeops that was "
            "built for them."
        )


def _register() -> None:
    header = Path(jax.ffi.include_dir(), "xla/ffi/api/c_api.h").read_text(encoding="utf-8")
    require_ffi_api(native.ffi_api_version(), header, jax.lib.__version__)
    # On CUDA these wait until JAX starts a GPU, if it does.
    for platform, target in native.registrations().items():
        jax.ffi.register_ffi_type(TYPES[platform], native.types()[platform], platform=platform)
        jax.ffi.register_ffi_target(TARGET, target, platform=platform)


if native.AVAILABLE:
    _register()
