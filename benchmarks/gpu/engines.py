"""The competitors on a GPU: for each, the calls that start a workload and the wait for its end."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..workload import Arrays, Workload

PIECE = 200_000_000  # entries of a piece of the (M, N) matrix: 0.8 GB, some of which live at once
PRODUCTS = ("squared", "dot", "total")  # of `Library`: what uses products of matrices
OURS = ("jaxkeops.torch", "jaxkeops.jax")
NAMES = (*OURS, "PyKeOps", "torch", "torch.compile", "torch SDPA", "jnp")


@dataclass(frozen=True)
class Engine:
    """start: begins a call and gives its result; wait: until a result is there."""

    start: Callable[[], Any]
    wait: Callable[[Any], None]
    read: Callable[[Any], np.ndarray]


def missing() -> dict[str, str]:
    """Which engines cannot run here, and why: asks no GPU for anything but its presence."""
    found: dict[str, str] = {}
    torch = _installed("torch")
    if torch is None or not torch.cuda.is_available():
        why = "PyTorch is not installed" if torch is None else "PyTorch finds no GPU"
        found |= dict.fromkeys(
            [name for name in NAMES if "torch" in name or name == "PyKeOps"], why
        )
    elif importlib.util.find_spec("pykeops") is None:
        found["PyKeOps"] = "PyKeOps is not installed"
    jax = _installed("jax")
    if jax is None or jax.default_backend() != "gpu":
        why = "JAX is not installed" if jax is None else "JAX finds no GPU"
        found |= {"jaxkeops.jax": why, "jnp": why}
    return found


def _installed(name: str) -> Any:
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def make(name: str, workload: Workload, arrays: Arrays) -> Engine | None:
    """The engine for arrays that it puts on the GPU first; None if it does not apply."""
    if name in ("jaxkeops.jax", "jnp"):
        return _in_jax(name, workload, arrays)
    return _in_torch(name, workload, arrays)


def _in_torch(name: str, workload: Workload, arrays: Arrays) -> Engine | None:
    torch = importlib.import_module("torch")
    tensors = [torch.from_numpy(array).cuda() for array in arrays]

    def wait(result: Any) -> None:
        torch.cuda.synchronize()

    def engine(start: Callable[[], Any]) -> Engine:
        return Engine(start, wait, lambda result: result.cpu().numpy())

    if name == "jaxkeops.torch":
        ours = importlib.import_module("jaxkeops.torch")
        operation = ours.Genred(workload.formula, workload.aliases, **workload.options)
        return engine(lambda: operation(*tensors))
    if name == "PyKeOps":
        peer = importlib.import_module("pykeops.torch")
        operation = peer.Genred(workload.formula, workload.aliases, **workload.options)
        return engine(lambda: operation(*tensors, backend="GPU"))
    if name == "torch SDPA":
        if workload.reduction != "SumSoftMaxWeight":
            return None
        attend = torch.nn.functional.scaled_dot_product_attention
        x, y, b = (tensor[None, None] for tensor in tensors)
        return engine(lambda: attend(x, y, b, scale=1.0)[0, 0])
    library = importlib.import_module("benchmarks.engines.torch").LIBRARY

    def dense(*given: Any) -> Any:
        return workload.compute(library, *given)

    if name == "torch.compile":
        dense = torch.compile(dense, dynamic=False)

    def start() -> Any:
        with torch.no_grad():
            return torch.cat([dense(*piece) for piece in _pieces(workload, tensors)])

    return engine(start)


def _in_jax(name: str, workload: Workload, arrays: Arrays) -> Engine:
    jax = importlib.import_module("jax")
    given = [jax.device_put(array) for array in arrays]
    if name == "jnp":
        library = importlib.import_module("benchmarks.engines.jax").LIBRARY
        products = {name: _accurate(jax, getattr(library, name)) for name in PRODUCTS}
        library = replace(library, **products)
        one = jax.jit(lambda *piece: workload.compute(library, *piece))

        def start() -> Any:
            return jax.numpy.concatenate([one(*piece) for piece in _pieces(workload, given)])
    else:
        ours = importlib.import_module("jaxkeops")
        operation = ours.Genred(workload.formula, workload.aliases, **workload.options)
        compiled = jax.jit(operation)

        def start() -> Any:
            return compiled(*given)

    return Engine(start, jax.block_until_ready, np.asarray)


def _accurate(jax: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """With products in float32: XLA's default on a GPU is TF32, of 10 bits."""

    def product(x: Any, y: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return function(x, y)

    return product


def _pieces(workload: Workload, arrays: list[Any]) -> Iterator[list[Any]]:
    """The arrays with some rows of those that the result keeps."""
    M, N = workload.rows
    length = max(1, min(M, PIECE // N))
    for first in range(0, M, length):
        yield [
            array[first : first + length] if given.axis == "i" else array
            for given, array in zip(workload.arguments, arrays, strict=True)
        ]
