"""The emulator finds the faults that it is there to find."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import EXTREMUM, GAUSSIAN, SHIFTED_EXP, SUM
from emulation import build
from samples import LOOPS, MATRICES, SMALL, arrays_of, program_of, program_with_loops

from jaxkeops.backends import cuda

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
MAIN = "DEVICE void reduce("
BARRIER = "__syncthreads();\n"
LAST_ROW = "smaller(first + r * THREADS, tile.end - 1)"
READ_TOO_FAR = """
import sys
sys.path[:0] = {paths!r}
import numpy as np
from pathlib import Path
import test_emulator
test_emulator.read_too_far(Path({folder!r}), {planted!r})
"""


def source(program):
    return cuda.emit(program, SMALL)


def planted(given: cuda.Source, old: str, new: str) -> cuda.Source:
    """The same text with a fault in its main step."""
    head, main = given.text.split(MAIN, 1)
    assert old in main
    return replace(given, text=f"{head}{MAIN}{main.replace(old, new)}")


def test_a_missing_barrier_shows_in_another_order_of_threads(tmp_path, rng):
    program = program_of(*SUM, "float64")
    good = source(program)
    faulty = planted(good, BARRIER, "")
    kernels = build(tmp_path, [(program, good), (program, faulty)])
    arrays = arrays_of(program, rng, 60, 200)
    results = [
        [kernel.run(arrays, 60, 200, order=order)[0] for order in (0, 1, 2)] for kernel in kernels
    ]
    for right, wrong in zip(*results, strict=True):
        np.testing.assert_array_equal(right, results[0][0])
        assert not np.array_equal(wrong, results[0][0])


@pytest.mark.parametrize("units", [False, True])
def test_every_barrier_of_a_tile_of_pairs_is_needed(units, tmp_path, rng):
    aliases = ["g = Pm(1)", "x = Vi(26)", "y = Vj(26)", "b = Vj(40)"]
    program = program_with_loops("Sum", GAUSSIAN, "float32" if units else "float64", aliases)
    good = cuda.emit(program, replace(MATRICES if units else LOOPS, passes=False))
    pieces = good.text.split("__syncthreads();")

    def place_of(name: str) -> int:
        return next(k for k, piece in enumerate(pieces) if name in piece)

    if units:
        first, last = place_of("bool multiply_tile"), place_of("struct SweptRows") + 1
    else:
        first, last = place_of("bool sweep"), place_of("struct Rows ") + 5
    faulty = [
        replace(
            good,
            text="__syncthreads();".join(pieces[: k + 1])
            + "__syncthreads();".join(pieces[k + 1 :]),
        )
        for k in range(first, last)
        if not pieces[k].endswith("if (start > 0) ")  # between shares of columns, for units alone
    ]
    kernels = build(tmp_path, [(program, each) for each in (good, *faulty)])
    arrays = arrays_of(program, rng, 60, 200)
    results = [
        [kernel.run(arrays, 60, 200, order=order)[0] for order in (0, 1, 2)] for kernel in kernels
    ]
    right = results[0][0]
    for result in results[0]:
        np.testing.assert_array_equal(result, right)
    for number, wrong in enumerate(results[1:]):
        assert any(not np.array_equal(result, right) for result in wrong), number


def test_the_barrier_before_rows_are_scaled_is_needed(tmp_path, rng):
    program = program_of(*SUM, "float32")
    right = cuda.emit(program, replace(SMALL, scaled=True))
    barrier = f"{BARRIER}    Real squares"
    assert right.text.count(barrier) == 1
    faulty = replace(right, text=right.text.replace(barrier, "Real squares"))
    kernels = build(tmp_path, [(program, right), (program, faulty)])
    arrays = arrays_of(program, rng, 60, 200)
    for kernel, differs in zip(kernels, (False, True), strict=True):
        same, other = (kernel.run(arrays, 60, 200, order=order)[0] for order in (0, 1))
        assert np.array_equal(same, other) != differs


def test_a_barrier_that_not_all_threads_reach_is_a_deadlock(tmp_path, rng):
    program = program_of(*SUM, "float64")
    faulty = planted(
        source(program), BARRIER, "if (threadIdx.x) from_lane(0, 1); else __syncthreads();\n"
    )
    (kernel,) = build(tmp_path, [(program, faulty)])
    with pytest.raises(AssertionError, match="deadlock"):
        kernel.run(arrays_of(program, rng, 60, 200), 60, 200)


def test_more_shared_memory_than_there_is_is_refused(tmp_path, rng):
    program = program_of(*SUM, "float64")
    given = cuda.emit(program, replace(SMALL, tile=64 * 256))
    (kernel,) = build(tmp_path, [(program, given)])
    with pytest.raises(AssertionError, match="shared memory"):
        kernel.run(arrays_of(program, rng, 60, 200), 60, 200)


@pytest.mark.parametrize("fault", [False, True])
def test_a_read_beyond_an_array_is_found(fault, tmp_path):
    found = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip("needs libasan")
    here = Path(__file__).parent
    script = READ_TOO_FAR.format(
        paths=[str(here), str(here.parent.parent), *sys.path], folder=str(tmp_path), planted=fault
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"LD_PRELOAD": found, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode != 0) == fault, ran.stderr
    assert ("AddressSanitizer: heap-buffer-overflow" in ran.stderr) == fault, ran.stderr


def read_too_far(folder: Path, fault: bool) -> None:
    """In a process with AddressSanitizer: every kind of kernel, or one that reads too many rows."""
    rng = np.random.default_rng(0)
    programs = [program_of(*case, "float32") for case in (SUM, SHIFTED_EXP, EXTREMUM)]
    programs.append(program_of("KMin_ArgKMin", "SqDist(x, y)", "float32", count=5))
    sources = [source(program) for program in programs]
    for program in programs[:2]:
        programs.append(program)
        sources.append(cuda.emit(program, replace(SMALL, scaled=True)))
    aliases = ["g = Pm(1)", "x = Vi(27)", "y = Vj(27)", "b = Vj(30)", "e = Vi(30)"]
    for formula in (GAUSSIAN, f"Grad({GAUSSIAN}, y, e)"):
        programs.append(program_with_loops("Sum", formula, "float32", aliases))
        sources.append(cuda.emit(programs[-1], LOOPS))
    if fault:
        programs, sources = programs[:1], [planted(sources[0], LAST_ROW, "first + r * THREADS")]
    flags = ["-O1", "-g", "-fsanitize=address"]
    for kernel in build(folder, list(zip(programs, sources, strict=True)), flags=flags):
        arrays = arrays_of(kernel.program, rng, 33, 67)
        for splits in (1, 2):
            kernel.run(arrays, 33, 67, splits=splits)
