"""scikit-learn: brute-force neighbours, and pairwise distances in chunks."""

from __future__ import annotations

from dataclasses import replace

from sklearn.metrics import pairwise_distances_argmin
from sklearn.metrics.pairwise import euclidean_distances, linear_kernel, manhattan_distances
from sklearn.neighbors import NearestNeighbors

from ..library import DENSE
from ..workload import NEAREST, Arrays, Workload
from . import Call, Engine
from .pieces import in_pieces

LIBRARY = replace(
    DENSE,
    squared=lambda x, y: euclidean_distances(x, y, squared=True),
    manhattan=manhattan_distances,
    dot=linear_kernel,
)
METRICS = {"squared": "sqeuclidean", "manhattan": "manhattan"}
DISTANCES = {"squared", "manhattan", "dot"}


def _calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    if workload.reduction in NEAREST:
        return _neighbours(workload, arrays)
    asked = DISTANCES & set(workload.uses)
    if workload.gradients or not asked or set(workload.uses) - DISTANCES - {"total", "logsumexp"}:
        return {}
    return {"chunks": in_pieces(workload, LIBRARY, arrays)}


def _neighbours(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    x, y = arrays
    metric = METRICS[workload.uses[0]]
    if workload.reduction == "ArgMin":
        return {"argmin": lambda: pairwise_distances_argmin(x, y, metric=metric)[:, None]}
    fitted = NearestNeighbors(n_neighbors=workload.count, algorithm="brute", metric=metric).fit(y)
    return {"kneighbors": lambda: fitted.kneighbors(x, return_distance=False)}


ENGINES = (
    Engine(
        "scikit-learn",
        "scikit-learn",
        "`NearestNeighbors(algorithm='brute')` and `pairwise_distances_argmin`; sums by chunks of "
        "its `euclidean_distances`, `manhattan_distances` or `linear_kernel`. Workloads of these "
        "three, without gradients.",
        _calls,
    ),
)
