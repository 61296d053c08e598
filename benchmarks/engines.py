"""Times the competitors of each workload in this process, and prints one line of JSON for each.

python benchmarks/engines.py DTYPE ROWS ROUNDS [engines to leave out]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection

import jax
import jax.numpy as jnp
import numpy as np
import pykeops
import pykeops.numpy
import torch
from workloads import WORKLOADS, Arrays, Workload, genred, naive_torch, relative_error

pykeops.set_verbose(False)
jax.config.update("jax_enable_x64", True)

Engine = Callable[[], np.ndarray]


def measure(
    workload: Workload, dtype: str, rows: int, rounds: int, skip: Collection[str]
) -> dict[str, object]:
    """Median seconds and error of each engine, and the first call's seconds."""
    arrays = workload.arrays(rows, dtype, np.random.default_rng(0))
    first, errors, runs = {}, {}, {}
    for name, engine in _engines(workload, arrays, skip).items():
        start = time.perf_counter()
        result = engine()
        first[name] = time.perf_counter() - start
        errors[name] = relative_error(workload, result, arrays)
        runs[name] = engine
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, engine in runs.items():
            start = time.perf_counter()
            engine()
            times[name].append(time.perf_counter() - start)
    return {
        "workload": workload.name,
        "pairs": rows * rows,
        "seconds": {name: float(np.median(values)) for name, values in times.items()},
        "first_call": first,
        "errors": errors,
    }


def _engines(workload: Workload, arrays: Arrays, skip: Collection[str]) -> dict[str, Engine]:
    """Each gives a NumPy array; conversions are views, and jnp waits for its result."""
    ours = genred(workload)
    peer = pykeops.numpy.Genred(
        workload.formula, list(workload.aliases), reduction_op=workload.reduction, axis=1
    )
    in_jax = [jnp.asarray(array) for array in arrays]
    in_torch = [torch.from_numpy(array) for array in arrays]
    compiled = torch.compile(naive_torch(workload), dynamic=False)
    engines: dict[str, Engine] = {
        "jaxkeops": lambda: ours(*arrays),
        "pykeops": lambda: peer(*arrays, backend="CPU"),
        "jnp": lambda: np.asarray(workload.jnp(*in_jax)),
        "torch": lambda: workload.torch(*in_torch).numpy(),
        "torch.compile": lambda: compiled(*in_torch).numpy(),
    }
    return {name: engine for name, engine in engines.items() if name not in skip}


if __name__ == "__main__":
    given_dtype, given_rows, given_rounds, *left_out = sys.argv[1:]
    for each in WORKLOADS:
        found = measure(each, given_dtype, int(given_rows), int(given_rounds), left_out)
        print(json.dumps(found), flush=True)
