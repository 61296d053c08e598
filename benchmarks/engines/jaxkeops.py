"""jaxkeops: NumPy arrays through its NumPy door, gradients through its PyTorch door."""

from __future__ import annotations

import jaxkeops.numpy
import jaxkeops.torch

from ..blocks import ranges
from ..workload import Arrays, Workload
from . import OURS, Call, Engine
from .tensors import with_gradients


def genred(workload: Workload) -> jaxkeops.numpy.Genred:
    """The workload as a reduction of NumPy arrays."""
    return jaxkeops.numpy.Genred(workload.formula, workload.aliases, **workload.options)


def _calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    if workload.gradients:
        operation = jaxkeops.torch.Genred(workload.formula, workload.aliases, **workload.options)
        return {"autograd": with_gradients(operation, arrays)}
    operation, blocks = genred(workload), ranges(workload)
    if blocks is None:
        return {"NumPy": lambda: operation(*arrays)}
    return {"NumPy": lambda: operation(*arrays, ranges=blocks)}


ENGINES = (
    Engine(
        OURS,
        "jaxkeops",
        "`jaxkeops.numpy.Genred`; for gradients `jaxkeops.torch.Genred` and `torch.autograd.grad`. "
        "All workloads.",
        _calls,
    ),
)
