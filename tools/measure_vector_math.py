"""Prints the table of docs/design/vector-math.md: errors and cycles of the vector math.

Run as `python tools/measure_vector_math.py GHZ`, where GHZ is the clock of an idle core.  Errors
are over the samples of tests/backends/test_llvm_math.py with 2^17 values a range, against long
doubles.  Cycles are for one full vector, in a loop over 512 values that stay in the first cache.
"""

import ctypes
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from jaxkeops.backends.llvm.build import compile_object, load
from jaxkeops.backends.llvm.host import levels

TESTS = Path(__file__).parents[1] / "tests" / "backends" / "test_llvm_math.py"
SIZE, CALLS, REPEATS = 512, 100, 300


def load_tests() -> ModuleType:
    """The tests' module: it knows how to sample, to apply and to judge each function."""
    spec = importlib.util.spec_from_file_location("test_llvm_math", TESTS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def largest_error(tests: ModuleType, name: str, dtype: str, level: str) -> float:
    """In ULP."""
    operands = tests.sample(name, dtype, np.random.default_rng(1), 1 << 17)
    got = tests.apply(name, level, dtype, tests.widest(level, dtype), *operands)
    error = tests.errors_in_ulp(got, tests.reference(name, dtype, operands), dtype)
    return float(error.max())


def cycles(tests: ModuleType, name: str, dtype: str, level: str, ghz: float) -> float:
    """For one vector: the least of many short runs, less than a time slice each."""
    machine = levels()[level]
    width = machine.lanes(dtype)
    count = tests.OPERANDS.get(name, 1)
    text = tests.elementwise(name, machine, dtype, width)
    code = load(compile_object(text, machine), ["apply"])
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (count + 1), ctypes.c_int64)(
        code.addresses["apply"]
    )
    # A page and two lines apart: no load waits for a store that only looks like its own.
    arrays = spread_arrays(count + 1, dtype)
    rng = np.random.default_rng(0)
    for array in arrays[:-1]:
        array[:] = rng.uniform(0.1, 0.9 if name in ("asin", "acos") else 10, SIZE)
    pointers = [array.ctypes.data for array in arrays]
    empty, full = times_of(lambda: call(*pointers, width), lambda: call(*pointers, SIZE))
    return (full - empty) * ghz * 1e9 / (SIZE // width - 1)


def spread_arrays(count: int, dtype: str) -> list[np.ndarray]:
    """`count` arrays of SIZE values, aligned to 64 bytes."""
    stride = 4096 * 3 + 128
    memory = np.zeros(stride * (count + 1), np.uint8)
    start = -memory.ctypes.data % 4096
    bytes_ = SIZE * np.dtype(dtype).itemsize
    return [memory[start + k * stride :][:bytes_].view(dtype) for k in range(count)]


def times_of(*calls: Callable[[], None]) -> list[float]:
    """The least time of each call; they take turns, so that noise does not hit one alone."""
    best = [np.inf] * len(calls)
    for _ in range(REPEATS):
        for k, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            best[k] = min(best[k], time.perf_counter() - start)
    return [value / CALLS for value in best]


def main(ghz: float) -> None:
    tests = load_tests()
    names = sorted(levels())
    for dtype in ("float32", "float64"):
        print(f"\n| {dtype} | " + " | ".join(f"{level}" for level in names) + " |")
        print("|---|" + "---|" * len(names))
        for name in tests.BOUNDS:
            cells = [
                f"{largest_error(tests, name, dtype, level):.2f} / "
                f"{cycles(tests, name, dtype, level, ghz):.1f}"
                for level in names
            ]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
