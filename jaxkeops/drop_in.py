"""PyKeOps' module names for jaxkeops, so that programs written for PyKeOps run unchanged."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .config import is_verbose, set_verbose
from .errors import ImportConflictError, SettingWarning

RELEASE = "2.3"  # the release of PyKeOps whose names these are
PACKAGES = ("pykeops", "keopscore")

# Modules that are none of jaxkeops, and what they hold.
OWN_NAMES: Mapping[str, Mapping[str, Any]] = {
    "pykeops": {"__version__": RELEASE},
    "keopscore": {"__version__": RELEASE, "auto_factorize": False},
}
# Settings of modules that are written as attributes, and why that changes nothing.
WITHOUT_EFFECT = {
    "use_cuda": "a call computes where its arrays are, and backend says where if they are NumPy's",
    "gpu_available": "it tells whether there is a GPU that can be used",
    "auto_factorize": "what occurs twice in a formula is computed once anyway",
}
# A module of PyKeOps, and the module of jaxkeops that has its names.
MODULES = {
    "pykeops.config": "config",
    "pykeops.common": "config",
    "pykeops.common.gpu_utils": "config",
    "keopscore.config": "config",
    "keopscore.config.config": "config",
}
for _door in ("numpy", "torch"):
    MODULES |= {
        f"pykeops.{_door}": _door,
        f"pykeops.{_door}.cluster": f"{_door}.cluster",
        f"pykeops.{_door}.cluster.matrix": f"{_door}.cluster",
        f"pykeops.{_door}.cluster.utils": f"{_door}.cluster",
        f"pykeops.{_door}.generic": _door,
        f"pykeops.{_door}.generic.generic_ops": _door,
        f"pykeops.{_door}.generic.generic_red": _door,
        f"pykeops.{_door}.lazytensor": _door,
        f"pykeops.{_door}.lazytensor.LazyTensor": _door,
        f"pykeops.{_door}.operations": _door,
        f"pykeops.{_door}.test_install": "health",
        f"pykeops.{_door}.utils": f"{_door}.utils",
    }
# Names of the package itself. Others of `jaxkeops` are JAX's, which PyKeOps has not.
NAMES = (
    "check_health",
    "clean_pykeops",
    "default_device_id",
    "get_build_folder",
    "set_build_folder",
    "set_verbose",
    "test_numpy_bindings",
    "test_torch_bindings",
)


def install_as_pykeops() -> None:
    """Makes `import pykeops` and `import keopscore` give jaxkeops, in this process, from now on.

    Call it before anything imports PyKeOps: an installed one is not loaded any more. Modules are
    made when they are first imported, so nobody loads PyTorch who does not ask for it.
    Raises `ImportConflictError` if PyKeOps itself is loaded already.
    """
    loaded = [name for name in PACKAGES if name in sys.modules and not _is_ours(name)]
    if loaded:
        raise ImportConflictError(
            f"{loaded[0]} itself is loaded already: {sys.modules[loaded[0]]!r}. Call "
            "install_as_pykeops() before anything imports it."
        )
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


class Finder(MetaPathFinder, Loader):
    """What the import system asks for modules of PyKeOps."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.split(".")[0] not in PACKAGES:
            return None
        known = name in MODULES or name in OWN_NAMES
        return ModuleSpec(name, self, origin="jaxkeops", is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        source = MODULES.get(module.__name__)
        if source is None:
            module.__dict__.update(OWN_NAMES[module.__name__])
            return
        target = import_module(f".{source}", __package__)
        module.__doc__ = target.__doc__
        module.__dict__["_target"] = target
        if hasattr(target, "__all__"):
            module.__dict__["__all__"] = list(target.__all__)


class Alias(ModuleType):
    """A module of PyKeOps: names are looked up in that of jaxkeops, and in modules below.

    Settings may be written. `verbose` is what `set_verbose` sets, `default_device_id` that of
    jaxkeops; of others a `SettingWarning` says that they change nothing.
    """

    def __getattr__(self, name: str) -> Any:
        target = self.__dict__.get("_target")
        if target is not None and hasattr(target, name):
            return getattr(target, name)
        if self.__name__ in PACKAGES and name == "verbose":
            return is_verbose()
        if self.__name__ == "pykeops" and name in NAMES:
            return getattr(import_module(__package__), name)
        below = f"{self.__name__}.{name}"
        if below in MODULES or below in OWN_NAMES:
            return import_module(below)
        raise AttributeError(f"module {self.__name__!r}, which is jaxkeops, has no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__name__ in PACKAGES and name == "verbose":
            set_verbose(bool(value))
            return
        if self.__name__ == "pykeops" and name == "default_device_id":
            setattr(import_module(__package__), name, value)
            return
        if name in WITHOUT_EFFECT and hasattr(self, name) and value != getattr(self, name):
            warnings.warn(
                f"{self.__name__}.{name} = {value!r} changes nothing of what jaxkeops does: "
                f"{WITHOUT_EFFECT[name]}.",
                SettingWarning,
                stacklevel=2,
            )
        super().__setattr__(name, value)


def _is_ours(name: str) -> bool:
    return isinstance(sys.modules[name], Alias)
