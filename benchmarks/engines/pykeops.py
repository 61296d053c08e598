"""PyKeOps: the same strings in its own Genred, of the same kind of arrays."""

from __future__ import annotations

from functools import partial

import pykeops
import pykeops.numpy
import pykeops.torch

from ..blocks import ranges
from ..workload import Arrays, Workload
from . import PEER, Call, Engine
from .tensors import with_gradients

pykeops.set_verbose(False)


def _calls(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    given = workload.formula, workload.aliases
    if workload.gradients:
        operation = pykeops.torch.Genred(*given, **workload.options)
        return {"autograd": with_gradients(partial(operation, backend="CPU"), arrays)}
    operation, blocks = pykeops.numpy.Genred(*given, **workload.options), ranges(workload)
    if blocks is not None:
        blocks = tuple(array.astype("int32") for array in blocks)
    return {"NumPy": lambda: operation(*arrays, backend="CPU", ranges=blocks)}


ENGINES = (
    Engine(
        PEER,
        "pykeops",
        "`pykeops.numpy.Genred`; for gradients `pykeops.torch.Genred` and `torch.autograd.grad`. "
        "All workloads.",
        _calls,
    ),
)
