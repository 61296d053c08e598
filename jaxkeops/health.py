"""Checks of an installation: what was found, what is missing, and whether each door computes."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module, metadata
from pathlib import Path

from . import config
from .backends import cuda, llvm
from .errors import JaxKeopsError
from .runtime import native

LIBRARIES = ("numpy", "jax", "jaxlib", "torch", "llvmlite")
ARRAYS = {
    "numpy": ("numpy", "asarray"),
    "torch": ("torch", "as_tensor"),
    "jax": ("jax.numpy", "asarray"),
}


def check_health(config_type: str = "all") -> None:
    """Prints what was found and what is missing; never raises for what is missing.

    `config_type` is accepted for PyKeOps' sake: all is printed.
    """
    print("\n".join(f"{name + ':':16} {value}" for name, value in found().items()))


def found() -> dict[str, str]:
    """What an installation is made of, and whether each door computes."""
    machine = llvm.host()
    report = {
        "jaxkeops": _version("jaxkeops"),
        "Python": f"{platform.python_version()} at {sys.executable}",
        "system": platform.platform(),
        "processor": f"{machine.name}, vectors of {8 * machine.vector_bytes} bits",
        "extension": f"missing: {native.MISSING}" if native.MISSING else "found",
        "threads": str(native.num_threads()) if native.AVAILABLE else "those of XLA",
        "GPU": _gpus(),
        "NVRTC": _nvrtc(),
        "build folder": _folder(config.get_build_folder()),
    }
    report |= {name: _version(name) for name in LIBRARIES}
    report |= {f"{door} door": _works(door) for door in ARRAYS}
    return report


def check_bindings(door: str) -> None:
    """Raises unless the door named so gives the right result for a small reduction.

    `ImportError` if its array library is missing, an error of jaxkeops or `AssertionError` else.
    """
    library, function = ARRAYS[door]
    array = getattr(import_module(library), function)
    genred = import_module(f".{door}", __package__).Genred
    x = array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    y = array([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    result = genred("SqNorm2(x - y)", ["x = Vi(3)", "y = Vj(3)"], axis=0)(x, y)
    values = [float(row[0]) for row in result]
    assert values == [63.0, 90.0], f"expected [63.0, 90.0], got {values}"


def test_numpy_bindings() -> None:
    """Prints that NumPy arrays can be reduced; raises if they cannot."""
    _report("numpy")


def test_torch_bindings() -> None:
    """Prints that PyTorch tensors can be reduced; raises if they cannot."""
    _report("torch")


def test_jax_bindings() -> None:
    """Prints that JAX arrays can be reduced; raises if they cannot."""
    _report("jax")


for _function in (test_numpy_bindings, test_torch_bindings, test_jax_bindings):
    _function.__test__ = False  # pytest is not to take them for its own


def _report(door: str) -> None:
    check_bindings(door)
    print(f"jaxkeops with {door} bindings is working!")


def _works(door: str) -> str:
    try:
        check_bindings(door)
    except ImportError as error:
        return f"missing: {error}"
    except (JaxKeopsError, AssertionError, RuntimeError, ValueError, OSError) as error:
        return f"does not work: {type(error).__name__}: {error}"
    return "works"


def _gpus() -> str:
    try:
        found = native.cuda_devices()
    except (JaxKeopsError, ImportError) as error:
        return f"none: {error}"
    return ", ".join(f"{name} (sm_{architecture})" for name, architecture, _ in found)


def _nvrtc() -> str:
    """CUDA's compiler, which is looked for only where it is needed."""
    try:
        native.cuda_devices()
    except (JaxKeopsError, ImportError):
        return "not needed without a GPU"
    try:
        major, minor, file, _ = native.find_nvrtc(cuda.libraries())
    except JaxKeopsError as error:
        return f"missing: {error}"
    return f"{major}.{minor} at {file}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _folder(path: str | None) -> str:
    if path is None:
        return "none: compiled code is kept in memory"
    existing = next(each for each in (Path(path), *Path(path).parents) if each.exists())
    return path if os.access(existing, os.W_OK) else f"{path}, which cannot be written to"
