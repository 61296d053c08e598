"""A Gaussian kernel sum in the three doors, beside a dense float64 reference: errors and times."""

from __future__ import annotations

import time

import jax.numpy as jnp
import numpy as np
import torch

import jaxkeops
import jaxkeops.numpy
import jaxkeops.torch

FORMULA = "Exp(-G * SqDist(X,Y)) * B"
ALIASES = ["G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "B = Vj(2)"]
M, N, REPEATS = 1000, 2000, 100


def main() -> None:
    rng = np.random.default_rng(0)
    gamma = np.array([0.5], np.float32)
    x, y, b = (rng.normal(size=size).astype(np.float32) for size in ((M, 3), (N, 3), (N, 2)))

    wide = [array.astype(np.float64) for array in (x, y, b)]
    squared = ((wide[0][:, None] - wide[1][None]) ** 2).sum(-1)
    reference = np.exp(-0.5 * squared) @ wide[2]

    doors = {
        "jax": (jaxkeops.Genred, jnp.asarray, lambda result: result.block_until_ready()),
        "numpy": (jaxkeops.numpy.Genred, lambda array: array, lambda result: result),
        "torch": (jaxkeops.torch.Genred, torch.from_numpy, lambda result: result),
    }
    print(f"sum over j of {FORMULA}, M={M}, N={N}, float32")
    print("the first door compiles the kernel, the others find it")
    print(f"{'door':6} {'shape':>10} {'max rel. error':>15} {'first call':>12} {'later calls':>12}")
    for door, (make, convert, wait) in doors.items():
        arrays = [convert(array) for array in (gamma, x, y, b)]
        start = time.perf_counter()
        reduce = make(FORMULA, ALIASES, reduction_op="Sum", axis=1)
        result = wait(reduce(*arrays, backend="CPU"))
        first = time.perf_counter() - start
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            wait(reduce(*arrays))
            times.append(time.perf_counter() - start)
        error = np.abs(np.asarray(result) - reference).max() / np.abs(reference).max()
        shape = "x".join(map(str, result.shape))
        print(
            f"{door:6} {shape:>10} {error:15.1e} {first * 1e3:9.1f} ms "
            f"{np.median(times) * 1e3:9.3f} ms"
        )


if __name__ == "__main__":
    main()
