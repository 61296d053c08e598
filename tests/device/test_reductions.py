"""Results of a GPU against those of the CPU, in the three doors: every schedule and dtype."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import jaxkeops.numpy
from jaxkeops.numpy import cluster

GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"
# Reduction, formula, D, E, options.
CASES = {
    "gaussian": ("Sum", GAUSSIAN, 3, 1, {}),
    "several sums": ("Sum", GAUSSIAN, 3, 5, {}),
    "gradient": ("Sum", f"Grad({GAUSSIAN}, x, e)", 3, 1, {}),
    "16 components": ("Sum", GAUSSIAN, 16, 1, {}),
    "log-sum-exp": ("LogSumExp", "-g * SqDist(x, y) + 0 * b", 3, 1, {}),
    "argmin": ("Min_ArgMin", "SqDist(x, y) * g + 0 * b", 3, 1, {}),
    "nearest": ("KMin_ArgKMin", "SqDist(x, y) * g + 0 * b", 3, 1, {"opt_arg": 10}),
    "long lists": ("KMin", "SqDist(x, y) * g + 0 * b", 3, 1, {"opt_arg": 100}),
    "64 components": ("Sum", GAUSSIAN, 64, 1, {}),
    "300 components": ("LogSumExp", "-g * SqDist(x, y) / 64 + 0 * b", 300, 1, {}),
    "nearest of 40": ("Min_ArgMin", "SqDist(x, y) * g + 0 * b", 40, 1, {}),
    "64 sums": ("Sum", GAUSSIAN, 3, 64, {}),
    "300 sums": ("Sum", GAUSSIAN, 3, 300, {}),
    "gradient of 64": ("Sum", f"Grad({GAUSSIAN}, x, e)", 64, 1, {}),
    "attention": ("SumSoftMaxWeight", "(x | y) * g / 8", 64, 64, {"formula2": "b"}),
}
DOORS = ("numpy", "torch", "jax")
SIZES = ((1, 1), (5, 3000), (300, 257), (3000, 1000))

pytestmark = pytest.mark.device


def genred(door: Any, name: str) -> Any:
    reduction, formula, D, E, options = CASES[name]
    aliases = ["g = Pm(1)", f"x = Vi({D})", f"y = Vj({D})", f"b = Vj({E})"]
    aliases += [f"e = Vi({E})"] if "e)" in formula else []
    return door.Genred(formula, aliases, reduction, axis=1, **options)


def arrays(name: str, M: int, N: int, dtype: str, rng: np.random.Generator) -> list[np.ndarray]:
    _, formula, D, E, _ = CASES[name]
    shapes = [(M, D), (N, D), (N, E)] + ([(M, E)] if "e)" in formula else [])
    scaled = [rng.uniform(-1, 1, shape) / np.sqrt(shape[1]) for shape in shapes]
    return [each.astype(dtype) for each in (np.array([0.8]), *scaled)]


def on_gpu(door: str, name: str, given: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    if door == "numpy":
        found = genred(jaxkeops.numpy, name)(*given, backend="GPU")
        return found if isinstance(found, tuple) else (found,)
    library = importlib.import_module(door)
    if door == "torch":
        if not library.cuda.is_available():
            pytest.skip("PyTorch finds no GPU")
        ours = importlib.import_module("jaxkeops.torch")
        found = genred(ours, name)(*(library.from_numpy(each).cuda() for each in given))
        several = found if isinstance(found, tuple) else (found,)
        assert all(each.is_cuda for each in several)
        return tuple(each.cpu().numpy() for each in several)
    if library.default_backend() != "gpu":
        pytest.skip("JAX finds no GPU")
    ours = importlib.import_module("jaxkeops")
    with library.enable_x64(given[0].dtype == np.float64):
        found = library.jit(genred(ours, name))(*given)
    several = found if isinstance(found, tuple) else (found,)
    return tuple(np.asarray(each) for each in several)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("door", DOORS)
def test_a_gpu_gives_what_a_cpu_gives(door, name, dtype, rng):
    for M, N in SIZES:
        given = arrays(name, M, N, dtype, rng)
        wide = [each.astype("float64") for each in given]
        expected = genred(jaxkeops.numpy, name)(*wide, backend="CPU")
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = on_gpu(door, name, given)
        for result, right in zip(found, expected, strict=True):
            if right.dtype.kind == "i":
                # Two columns may be equally far once rounded.
                assert (result != right).mean() <= 0.02
                continue
            eps = float(np.finfo(dtype).eps)
            scale = np.abs(right[np.isfinite(right)]).max(initial=0.0)
            np.testing.assert_allclose(result, right, rtol=256 * eps, atol=256 * eps * scale)


@pytest.mark.parametrize("name", ["gaussian", "argmin", "64 components", "64 sums"])
def test_ranges_on_a_gpu(name, rng):
    given = arrays(name, 500, 700, "float32", rng)
    rows = np.array([[0, 100], [100, 450]])
    columns = np.array([[0, 300], [300, 400], [410, 700]])
    ranges = cluster.from_matrix(rows, columns, np.array([[1, 0, 0], [1, 0, 1]], bool))
    operation = genred(jaxkeops.numpy, name)
    expected, found = (
        operation(*given, ranges=ranges, backend=backend) for backend in ("CPU", "GPU")
    )
    for result, right in zip(
        *(e if isinstance(e, tuple) else (e,) for e in (found, expected)), strict=True
    ):
        np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16"])
@pytest.mark.parametrize("name", ["gaussian", "64 components"])
def test_data_of_16_bits_on_a_gpu(name, dtype, rng):
    given = arrays(name, 300, 500, dtype, rng)
    operation = genred(jaxkeops.numpy, name)
    np.testing.assert_allclose(
        operation(*given, backend="GPU"), operation(*given, backend="CPU"), rtol=2e-3, atol=2e-3
    )


def test_results_have_the_same_bits_each_time(rng):
    for name in ("gaussian", "64 components", "attention"):
        given = arrays(name, 1000, 5000, "float32", rng)
        operation = genred(jaxkeops.numpy, name)
        first, second = (operation(*given, backend="GPU") for _ in range(2))
        np.testing.assert_array_equal(first, second)
