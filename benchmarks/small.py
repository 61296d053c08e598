"""Measures in this process what a call costs where there is little to compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pykeops
import pykeops.numpy
import pykeops.torch
import torch
from scipy.spatial.distance import cdist

import jaxkeops
import jaxkeops.numpy
import jaxkeops.torch
from jaxkeops.compiler import kernel
from jaxkeops.frontend.genred import declare_formula

from .engines import jax as jnp_engine, torch as torch_engine
from .processes import emit, read_job
from .timing import Call, medians, turns
from .workload import Arrays, Workload
from .workloads import WORKLOADS

ROWS = (100, 1000)


def calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    """Each way to the Gaussian sum of these arrays; first those of jaxkeops."""
    given = workload.formula, workload.aliases, "Sum", 1
    tensors = [torch.from_numpy(array) for array in arrays]
    device = [jnp.asarray(array) for array in arrays]
    numpy_door, torch_door = jaxkeops.numpy.Genred(*given), jaxkeops.torch.Genred(*given)
    jax_door = jaxkeops.Genred(*given)
    jitted = jax.jit(jax_door)
    peer_numpy, peer_torch = pykeops.numpy.Genred(*given), pykeops.torch.Genred(*given)
    dense = jax.jit(lambda *a: workload.compute(jnp_engine.LIBRARY, *a))
    nothing = jax.jit(lambda g, x, y, b: x)
    g, x, y, b = arrays
    return {
        "jaxkeops, NumPy": lambda: numpy_door(*arrays),
        "jaxkeops, PyTorch": lambda: torch_door(*tensors),
        "jaxkeops, jitted JAX": lambda: jitted(*device).block_until_ready(),
        "jaxkeops, eager JAX": lambda: jax_door(*device).block_until_ready(),
        "its kernel alone": kernel_alone(workload, arrays),
        "an empty jitted JAX function": lambda: nothing(*device).block_until_ready(),
        "PyKeOps, NumPy": lambda: peer_numpy(*arrays, backend="CPU"),
        "PyKeOps, PyTorch": lambda: peer_torch(*tensors, backend="CPU"),
        "PyTorch, dense": _without_gradients(workload, tensors),
        "SciPy cdist, dense": lambda: np.exp(-g * cdist(x, y, "sqeuclidean")) @ b,
        "jnp, dense and jitted": lambda: dense(*device).block_until_ready(),
    }


def kernel_alone(workload: Workload, arrays: Arrays) -> Call:
    """The compiled kernel on addresses: no door, no checks of arrays, no new result."""
    declared = declare_formula(workload.formula, workload.aliases, "Sum", 1)
    compiled = kernel(declared.formula, arrays[0].dtype.name)
    out = np.empty((len(arrays[1]), 1), arrays[0].dtype)
    inputs = [(array.ctypes.data, array.shape) for array in arrays]
    outputs = [(out.ctypes.data, out.shape)]

    def call() -> np.ndarray:
        compiled.run(inputs, outputs)
        return out  # and so keeps it: `outputs` holds its address alone

    return call


def _without_gradients(workload: Workload, tensors: list[torch.Tensor]) -> Callable[[], Any]:
    def call() -> torch.Tensor:
        with torch.no_grad():
            return workload.compute(torch_engine.LIBRARY, *tensors)

    return call


def main() -> None:
    """Of each size, emits seconds of a call for each way."""
    job = read_job()
    pykeops.set_verbose(False)
    rng = np.random.default_rng(0)
    for rows in ROWS:
        arrays = tuple(
            array.astype("float32")
            for array in (
                np.full(1, 0.5),
                rng.normal(size=(rows, 3)),
                rng.normal(size=(rows, 3)),
                rng.normal(size=(rows, 1)),
            )
        )
        ways = calls(WORKLOADS["gaussian"], arrays)
        for call in ways.values():
            call()
        taken = turns(ways, job["rounds"])
        seconds = {name: medians(times).wall for name, times in taken.items()}
        emit(event="result", rows=rows, seconds=seconds)


if __name__ == "__main__":
    main()
