"""What was measured on, and with which versions of what."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jaxkeops.backends import llvm

DISTRIBUTIONS = (
    "jaxkeops",
    "pykeops",
    "jax",
    "torch",
    "scikit-learn",
    "faiss-cpu",
    "scipy",
    "numba",
    "numpy",
    "llvmlite",
)


def machine() -> dict[str, str]:
    """The CPU as the system names it and as LLVM does, its cores, its widest vectors."""
    host = llvm.host()
    return {
        "cpu": _cpu(),
        "llvm": host.name,
        "cores": str(os.cpu_count()),
        "vectors": f"{8 * host.vector_bytes} bits",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of all that is installed of DISTRIBUTIONS."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
