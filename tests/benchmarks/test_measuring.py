"""Times are medians of turns, and a competitor that crashes or hangs harms none of the others."""

from __future__ import annotations

import time

import pytest

from benchmarks import peak, ratios
from benchmarks.processes import WorkerDied
from benchmarks.timing import Time, enough, medians, turns
from benchmarks.workloads import WORKLOADS


def test_competitors_take_turns():
    order = []
    calls = {name: lambda name=name: (order.append(name), time.sleep(6e-3)) for name in "ab"}
    taken = turns(calls, rounds=3)
    assert order == ["a", "b"] * 4
    assert all(len(times) == 3 for times in taken.values())


def test_slow_workloads_get_fewer_rounds_but_never_less_than_three():
    taken = turns({"slow": lambda: time.sleep(6e-3)}, rounds=50, seconds=0)
    assert len(taken["slow"]) == 3


def test_quick_calls_are_repeated_until_a_sample_is_long_enough():
    assert enough(lambda: time.sleep(1e-3), shortest=5e-3) in (4, 5, 6)


def test_each_clock_has_its_own_median():
    assert medians([Time(1, 30), Time(2, 10), Time(9, 20)]) == Time(2, 20)


def test_a_core_does_less_than_a_tera_fma_and_more_than_a_giga():
    assert 1e9 < peak.fma_rate("float64") < peak.fma_rate("float32") < 1e12


def test_operations_are_those_of_the_multiplying_pipes():
    # |x - y|^2: three; times -g log2(e); a power of two, seven; times b, and added in one go.
    assert peak.operations(WORKLOADS["gaussian"], "float32") == 12
    assert peak.operations(WORKLOADS["argmin"], "float32") == 3


def test_operations_of_loops_count_for_every_component():
    # A product for each of 256 weights, and what makes the factor.
    assert peak.operations(WORKLOADS["gaussian-b256"], "float32") == 256 + 11
    assert peak.operations(WORKLOADS["gaussian-d784"], "float32") >= 784
    # A scalar product of 64 coordinates, and 64 weighted values.
    assert peak.operations(WORKLOADS["attention"], "float32") >= 128


def worker_that_dies_on(engine: str, jobs: list):
    """A stand-in for `events`: each engine is tried, but one ends the process."""

    def events(module, job, threads, silence):
        jobs.append(job)
        yield {"event": "ready", "engines": {}, "missing": {}}
        for name in list(job["workloads"]):
            skipped = job["skip"].get(name, {})
            for each in ("jaxkeops", engine):
                if each not in skipped:
                    yield {"event": "try", "workload": name, "engine": each}
                    if each == engine:
                        raise WorkerDied("ended with -11")
            yield {"event": "result", "workload": name, "engines": skipped}

    return events


def test_work_goes_on_without_a_competitor_that_crashes(monkeypatch):
    jobs = []
    monkeypatch.setattr(ratios, "events", worker_that_dies_on("crasher", jobs))
    measured = ratios.measure(["a", "b"], "float32", 1, rounds=1, seconds=1.0)
    assert [each["workload"] for each in measured.results] == ["a", "b"]
    assert measured.results[0]["engines"] == {"crasher": "ended with -11"}
    assert [job["workloads"] for job in jobs] == [["a", "b"], ["a", "b"], ["b"]]


def test_a_process_that_cannot_even_start_is_an_error(monkeypatch):
    def events(*_):
        raise WorkerDied("ended with 1: no such module")
        yield

    monkeypatch.setattr(ratios, "events", events)
    with pytest.raises(WorkerDied, match="no such module"):
        ratios.measure(["a"], "float32", 1, rounds=1, seconds=1.0)
