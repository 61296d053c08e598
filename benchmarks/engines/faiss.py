"""FAISS: the flat indices, which compare all pairs."""

from __future__ import annotations

import os

import faiss

from ..workload import NEAREST, Arrays, Workload
from . import Call, Engine

METRICS = {"squared": faiss.METRIC_L2, "manhattan": faiss.METRIC_L1}

faiss.omp_set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def _calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    if workload.reduction not in NEAREST or arrays[0].dtype != "float32":
        return {}
    x, y = arrays
    index = faiss.IndexFlat(y.shape[1], METRICS[workload.uses[0]])
    index.add(y)
    return {"flat": lambda: index.search(x, workload.count or 1)[1]}


ENGINES = (
    Engine(
        "FAISS",
        "faiss-cpu",
        "`IndexFlat`, filled beforehand. Nearest neighbours in float32.",
        _calls,
    ),
)
