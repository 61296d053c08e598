"""The workloads, as data: the main table, other shapes of problem, held-out formulas."""

from __future__ import annotations

from ..workload import Workload
from .held_out import HELD_OUT
from .kernels import KERNELS
from .neighbours import NEIGHBOURS
from .scaling import SCALING
from .shapes import SHAPES

WORKLOADS: dict[str, Workload] = {
    each.name: each for each in (*KERNELS, *NEIGHBOURS, *SHAPES, *HELD_OUT)
}
TABLE = WORKLOADS | {each.name: each for each in SCALING}


def matching(words: list[str]) -> list[Workload]:
    """The workloads whose name is one of `words`, or holds one that is no name; all for none."""
    if not words:
        return list(WORKLOADS.values())
    found = {
        name: each
        for word in words
        for name, each in WORKLOADS.items()
        if word == name or (word not in WORKLOADS and word in name)
    }
    return list(found.values())
