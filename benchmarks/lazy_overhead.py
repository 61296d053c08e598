"""What a lazy tensor costs beside the Genred call of the same formula: microseconds, per door.

    python benchmarks/lazy_overhead.py

Prints the time of a call of `Genred`, that of the expression and its reduction, and the
difference: on arrays of few rows, where nothing else takes time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

ROWS = 10
CALLS = 50  # few, so that some rounds are left alone by other processes
ROUNDS = 200
ALIASES = ["x = Vi(3)", "y = Vj(3)", "b = Vj(1)", "p = Pm(1)"]


def microseconds(*functions: Callable[[], Any]) -> list[float]:
    """Of each function, the least mean time of a call among the rounds, which take turns."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, known in zip(functions, times, strict=True):
            wait = hasattr(function(), "block_until_ready")
            start = time.perf_counter()
            for _ in range(CALLS):
                result = function()
                if wait:
                    result.block_until_ready()
            known.append((time.perf_counter() - start) / CALLS)
    return [min(known) * 1e6 for known in times]


def pairs_of_calls(door: Any, array: Callable[[np.ndarray], Any]) -> dict[str, tuple[Any, Any]]:
    """For each workload, the Genred call and the lazy one."""
    rng = np.random.default_rng(0)
    x, y, b = (array(rng.normal(size=(ROWS, dim)).astype(np.float32)) for dim in (3, 3, 1))
    p = array(np.array([0.5], np.float32))
    x_i, y_j = x[:, None, :], y[None, :, :]
    total = door.Genred("Exp(-p * SqDist(x, y)) * b", ALIASES, axis=1)
    nearest = door.Genred("SqDist(x, y)", ALIASES[:2], "ArgKMin", axis=1, opt_arg=3)
    logs = door.Genred("b - p * SqDist(x, y)", ALIASES, "LogSumExp", axis=1)
    Vi, Vj, LazyTensor = door.Vi, door.Vj, door.LazyTensor

    def gaussian() -> Any:
        return (-((Vi(x) - Vj(y)) ** 2).sum() * 0.5).exp() @ b

    def cubes() -> Any:
        return (-((LazyTensor(x_i) - LazyTensor(y_j)) ** 2).sum(-1) / 2.0).exp() @ b

    def logsumexp() -> Any:
        return (Vj(b) - Vi(x).sqdist(Vj(y)) * p).logsumexp(1)

    return {
        "Gaussian, Vi and Vj": (lambda: total(x, y, b, p), gaussian),
        "Gaussian, LazyTensor": (lambda: total(x, y, b, p), cubes),
        "LogSumExp": (lambda: logs(x, y, b, p), logsumexp),
        "argKmin": (lambda: nearest(x, y), lambda: Vi(x).sqdist(Vj(y)).argKmin(3, dim=1)),
    }


def main() -> None:
    doors = {"numpy": np.asarray}
    for name, module, function in (
        ("torch", "torch", "as_tensor"),
        ("jax", "jax.numpy", "asarray"),
    ):
        try:
            doors[name] = getattr(import_module(module), function)
        except ImportError:
            print(f"{name} is not installed")
    print(f"{'':28} Genred   lazy  difference, us")
    for name, array in doors.items():
        door = import_module(f"jaxkeops.{name}")
        for workload, (direct, lazy) in pairs_of_calls(door, array).items():
            least, most = microseconds(direct, lazy)
            print(f"{name + ', ' + workload:28} {least:6.1f} {most:6.1f} {most - least:6.1f}")


if __name__ == "__main__":
    main()
