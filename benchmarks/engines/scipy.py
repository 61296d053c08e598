"""SciPy: cdist in chunks, and a kd-tree, which does not compare all pairs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from ..library import DENSE
from ..workload import NEAREST, Arrays, Workload
from . import Call, Engine
from .pieces import in_pieces

LIBRARY = replace(
    DENSE,
    squared=partial(cdist, metric="sqeuclidean"),
    manhattan=partial(cdist, metric="cityblock"),
    chebyshev=partial(cdist, metric="chebyshev"),
)
DISTANCES = {"squared", "manhattan", "chebyshev"}
TREE_DIM = 3  # above, a tree visits most of the points


def _cdist(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    if workload.gradients or not DISTANCES & set(workload.uses):
        return {}
    return {"cdist": in_pieces(workload, LIBRARY, arrays)}


def _tree(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    if workload.reduction not in NEAREST or arrays[1].shape[1] > TREE_DIM:
        return {}
    x, y = arrays
    nearest = list(range(1, (workload.count or 1) + 1))
    return {"kd-tree": lambda: KDTree(y).query(x, nearest)[1]}


ENGINES = (
    Engine(
        "SciPy",
        "scipy",
        "Chunks of `scipy.spatial.distance.cdist`, which computes in float64. Workloads of "
        "Euclidean, Manhattan or Chebyshev distances, without gradients.",
        _cdist,
    ),
    Engine(
        "kd-tree",
        "scipy",
        "`scipy.spatial.KDTree`, made and asked. Nearest neighbours in D=3. It does not compare "
        "all pairs, so it is no brute-force code: it is there to show where a tree is better.",
        _tree,
    ),
)
