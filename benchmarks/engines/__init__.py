"""The competitors: for each, which workloads it applies to, and how users of it write them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..workload import Arrays, Workload

Call = Callable[[], Any]  # gives arrays that NumPy can read, once they are there

OURS = "jaxkeops"
PEER = "PyKeOps"
# The modules of this folder, and the engines that each has, in the order of their turns. XLA comes
# last: its threads spin for a while after they have worked.
MODULES = {
    "jaxkeops": (OURS,),
    "pykeops": (PEER,),
    "torch": ("torch", "torch.compile", "torch SDPA"),
    "sklearn": ("scikit-learn",),
    "faiss": ("FAISS",),
    "scipy": ("SciPy", "kd-tree"),
    "numba": ("Numba",),
    "jax": ("jnp",),
}
NAMES = tuple(name for names in MODULES.values() for name in names)


@dataclass(frozen=True)
class Engine:
    """A competitor. calls: the ways to write a workload, by name; none if it does not apply.

    Where there are several ways, the quickest in a trial is the one that is timed.
    distribution: what pip knows it as. how: what is called, and where it applies.
    """

    name: str
    distribution: str
    how: str
    calls: Callable[[Workload, Arrays], Mapping[str, Call]]


def load(chosen: Collection[str] = ()) -> tuple[dict[str, Engine], dict[str, str]]:
    """The engines by name, in the order of their turns, and why others are missing.

    chosen: the names of those to load; all of them by default.
    """
    found, missing = {}, {}
    for file, names in MODULES.items():
        wanted = [name for name in names if not chosen or name in chosen]
        if not wanted:
            continue
        try:
            module = importlib.import_module(f".{file}", __package__)
        except ImportError as fault:
            missing |= dict.fromkeys(wanted, str(fault))
            continue
        found |= {engine.name: engine for engine in module.ENGINES if engine.name in wanted}
    return found, missing
