"""Threads, forks, many processes on one cache, and a cache that someone damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jaxkeops.numpy import Genred
from jaxkeops.runtime import native

ALIASES = ["x = Vi(2)", "y = Vj(2)"]

PROGRAM = """
import sys, time
import numpy as np
from jaxkeops.numpy import Genred
x, y = np.ones((50, 2)), np.full((60, 2), 2.0)
for k in range(4):
    r = Genred(f"Exp(-SqDist(x, y) / {k + 2})", ["x = Vi(2)", "y = Vj(2)"], axis=1)(x, y)
    assert np.allclose(r, 60 * np.exp(-2 / (k + 2))), r
print("right")
"""


def run_process(folder, program=PROGRAM):
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"JAXKEOPS_CACHE_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sixteen_threads_make_and_call_different_formulas(rng):
    x, y = rng.normal(size=(300, 2)), rng.normal(size=(400, 2))
    squared = ((x[:, None] - y) ** 2).sum(-1)
    start = threading.Barrier(16)

    def work(k):
        start.wait()
        worst = 0.0
        for turn in range(6):
            scale = 1 + (k + turn) % 5 + 0.001 * turn
            reduce = Genred(f"Exp(-{scale} * SqDist(x, y))", ALIASES, axis=1)
            expected = np.exp(-scale * squared).sum(1, keepdims=True)
            for _ in range(3):
                worst = max(worst, np.abs(reduce(x, y) / expected - 1).max())
        return worst

    with ThreadPoolExecutor(16) as pool:
        assert max(pool.map(work, range(16))) < 1e-12


def test_one_object_serves_many_threads(rng):
    reduce = Genred("Exp(-SqDist(x, y))", ALIASES, axis=1)
    given = [(rng.normal(size=(200 + k, 2)), rng.normal(size=(300, 2))) for k in range(8)]
    alone = [reduce(*pair) for pair in given]
    with ThreadPoolExecutor(8) as pool:
        for pair, result in zip(alone, pool.map(lambda p: reduce(*p), given), strict=True):
            np.testing.assert_array_equal(result, pair)


def test_the_number_of_threads_does_not_change_results(rng):
    x, y = rng.normal(size=(999, 2)), rng.normal(size=(1001, 2))
    reduce = Genred("Exp(-SqDist(x, y)) * (x | y)", ALIASES, axis=1)
    before = native.num_threads()
    try:
        results = []
        for count in (1, 2, 5):
            native.set_num_threads(count)
            results.append(reduce(x, y))
    finally:
        native.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_python_runs_while_a_kernel_does(rng):
    """The kernel holds no GIL: another thread counts on while it works."""
    x = rng.normal(size=(20_000, 2))
    reduce = Genred("Exp(-SqDist(x, y)) * (x | y)", ALIASES, axis=1)
    reduce(x[:10], x)
    before = native.num_threads()
    native.set_num_threads(1)
    try:
        worker = threading.Thread(target=reduce, args=(x, x))
        worker.start()
        turns = 0
        while worker.is_alive():
            time.sleep(0.0005)
            turns += 1
    finally:
        native.set_num_threads(before)
    assert turns > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes(rng):
    x, y = rng.normal(size=(2000, 2)), rng.normal(size=(2000, 2))
    known = Genred("Exp(-SqDist(x, y))", ALIASES, axis=1)
    expected = known(x, y)
    child = os.fork()
    if child == 0:
        # A child that hangs is killed by the alarm, and fails below.
        signal.alarm(60)
        right = np.array_equal(known(x, y), expected)
        new = Genred("Exp(-3 * SqDist(x, y))", ALIASES, axis=1)(x, y)
        os._exit(0 if right and np.isfinite(new).all() else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    np.testing.assert_array_equal(known(x, y), expected)


def test_eight_processes_race_on_a_cold_cache(tmp_path):
    running = [run_process(tmp_path) for _ in range(8)]
    for process in running:
        out, error = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "right\n"), error
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4


@pytest.mark.parametrize("damage", ["truncate", "empty", "garble"])
def test_a_damaged_cache_file_is_compiled_again(damage, tmp_path):
    run_process(tmp_path).communicate(timeout=120)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    whole = {path: path.read_bytes() for path in files}
    for path, content in whole.items():
        middle = len(content) // 2
        path.write_bytes(
            {
                "truncate": content[:middle],
                "empty": b"",
                "garble": content[:middle] + bytes(64) + content[middle + 64 :],
            }[damage]
        )
    out, error = run_process(tmp_path).communicate(timeout=120)
    assert out == "right\n", error
    assert {path: path.read_bytes() for path in files} == whole


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    out, error = run_process(blocked / "cache").communicate(timeout=120)
    assert out == "right\n", error


@pytest.mark.skipif(sys.platform != "linux", reason="reserves address space as Linux does")
def test_kernels_load_in_a_process_full_of_mappings(tmp_path):
    """Code and its constants must lie near each other wherever there is room for either."""
    program = """
import mmap
import numpy as np
from jaxkeops.numpy import Genred
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE, named from 3.13 on
held = []
for k in range(60):
    held += [mmap.mmap(-1, 1 << 32, flags=flags, prot=mmap.PROT_READ) for _ in range(5)]
    Genred(f"Sin({k}.5 * x) + Log(x)", ["x = Vi(1)"], axis=1)(np.ones((5, 1)))
print("right")
"""
    out, error = run_process(tmp_path, program).communicate(timeout=200)
    assert out == "right\n", error


def test_calls_leave_memory_flat(rng):
    resource = pytest.importorskip("resource")
    x, y = rng.normal(size=(64, 2)), rng.normal(size=(64, 2))
    reduce = Genred("Exp(y) * SqDist(x, y)", ALIASES, axis=1)
    for _ in range(1000):
        reduce(x, y)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20_000):
        reduce(x, y)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4096  # KiB
