"""The benchmark of GPUs where there is none: its formulas, its plan, and how it walks."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "backends" / "cuda"))
import toolkit

import jaxkeops.numpy
from benchmarks.accuracy import error
from benchmarks.gpu import __main__ as command, cases, probes, run
from benchmarks.gpu.engines import Engine


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.workload.name)
def test_a_formula_and_its_dense_form_agree(case):
    workload = case.at(150)
    arrays = workload.arrays("float64")
    operation = jaxkeops.numpy.Genred(workload.formula, workload.aliases, **workload.options)
    assert error(workload, operation(*arrays, backend="CPU"), arrays) < 1e-12


def test_the_list_needs_no_gpu():
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--list"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert all(case.workload.name in ran.stdout for case in cases.CASES)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
def test_a_clone_is_built_with_the_nanobind_of_this_python(monkeypatch, tmp_path):
    pytest.importorskip("nanobind")
    ours, run_command = command.ROOT, subprocess.run
    for name in ("CMakeLists.txt", "csrc"):
        (tmp_path / name).symlink_to(ours / name)
    (tmp_path / "jaxkeops").mkdir()
    (tmp_path / "build" / "gpu").mkdir(parents=True)
    made = tmp_path / "build" / "gpu" / "_native.so"

    def configure_only(arguments, **options):
        if "--build" in arguments:
            made.write_text("built")
            return None
        return run_command(arguments, **options)

    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", configure_only)
    command._build()
    assert (tmp_path / "jaxkeops" / "_native.so").read_text() == "built"


@pytest.mark.parametrize(
    ("printed", "clock"),
    [("1980, 580.65.06", (1.98e9, "580.65.06")), ("[N/A], 580.65.06", None), ("", None)],
)
def test_a_clock_that_is_not_told_is_an_h200s(monkeypatch, tmp_path, printed, clock):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{printed}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert command._clock() == (clock or (command.PREDICTED["hertz"], "unknown"))


def test_tests_run_by_the_same_python_and_end_in_time(monkeypatch, tmp_path):
    (tmp_path / "tools").mkdir()
    check = tmp_path / "tools" / "gpu_check"
    monkeypatch.setattr(command, "ROOT", tmp_path)
    check.write_text('echo begins\necho "$PYTHON"')
    assert command._tests(20) == sys.executable
    check.write_text("echo begins\nsleep 20 | cat")
    assert command._tests(1) == "not done after 1 s"


@pytest.mark.compiles
@pytest.mark.skipif(toolkit.missing() is not None, reason=f"needs {toolkit.missing()}")
@pytest.mark.parametrize("probe", probes.PROBES, ids=lambda probe: probe.name)
def test_a_probe_holds_little_but_what_it_is_for(probe):
    (function,) = toolkit.functions(toolkit.compile_cubin(probe.text, "sm_90")).values()
    loop = max(function.loops, key=lambda loop: loop.opcodes[probe.opcode])
    times = probe.body.count("a[k] = math::fma") if probe.opcode == "FFMA" else 1
    times = 2 if probe.opcode == "FMNMX" else times
    assert loop.opcodes[probe.opcode] == times * probes.CHAINS
    # Nothing else may hold it up: what the others take is less.
    assert loop.slots <= probes.CHAINS * probe.cycles + 6
    assert function.stack == function.local == 0


def walked(
    monkeypatch,
    seconds: dict[str, float],
    until: float = math.inf,
    sizes: tuple[int, ...] = (100, 1000),
) -> list[run.Row]:
    """The rows of one case whose engines take so long for 100 rows."""
    monkeypatch.setattr(run, "SIZES", sizes)
    monkeypatch.setattr(run.clock, "seconds", lambda engine, limit: engine.start()[0])
    monkeypatch.setattr(run, "error", lambda *_: 0.0)

    def make(name, workload, arrays):
        if name == "broken":
            raise RuntimeError("no such thing")
        took = seconds[name] * (workload.rows[0] / 100) ** 2
        return Engine(lambda: (took,), lambda _: None, lambda _: np.zeros(1))

    monkeypatch.setattr(run, "make", make)
    names = [*seconds, "broken"]
    return list(run.rows(cases.CASES[:1], names, lambda _: 1e9, until, lambda _: None))


def test_competitors_that_would_take_too_long_are_left_out(monkeypatch):
    names = {"jaxkeops.torch": 0.1, "jaxkeops.jax": 0.1, "torch": 1.0, "quick": 0.01}
    rows = walked(monkeypatch, names)
    found = {(row["engine"], row["rows"]): row for row in rows}
    assert found["jaxkeops.torch", 1000]["seconds"] == 10
    assert "the same kernel" in found["jaxkeops.jax", 1000]["left_out"]
    assert found["torch", 1000]["left_out"] == "would take about 100 s"
    assert found["quick", 1000]["seconds"] == 1.0
    assert "no such thing" in found["broken", 100]["failed"]
    assert ("broken", 1000) not in found
    ratios = {(each["over"], each["rows"]): each["times"] for each in run.ratios(rows)}
    expected = {("torch", 100): 10.0, ("quick", 100): 0.1, ("quick", 1000): 0.1}
    assert ratios == pytest.approx(expected)


def test_what_was_left_out_at_one_size_is_not_begun_at_a_larger_one(monkeypatch):
    rows = walked(monkeypatch, {"jaxkeops.torch": 0.2, "torch": 0.1}, sizes=(100, 1000, 3000))
    found = {(row["engine"], row["rows"]): row.get("left_out") for row in rows}
    assert found["torch", 1000] == "would take about 10 s"
    assert found["torch", 3000] == "would take about 90 s"
    assert found["jaxkeops.torch", 1000] == "would take about 20 s"


def test_ours_comes_first_where_time_is_short(monkeypatch):
    rows = walked(monkeypatch, {"torch": 0.001, "jaxkeops.torch": 0.001})
    order = [(row["rows"], row["engine"]) for row in rows if row["engine"] != "broken"]
    assert order == [
        (100, "jaxkeops.torch"),
        (100, "torch"),
        (1000, "jaxkeops.torch"),
        (1000, "torch"),
    ]


def test_nothing_begins_when_no_time_is_left(monkeypatch):
    rows = walked(monkeypatch, {"jaxkeops.torch": 1.0}, until=0)
    assert all(row["left_out"] == "no time was left" for row in rows if row["rows"] == 100)
