"""Every workload is what its dense form says, in jaxkeops and in every competitor that is there."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from benchmarks.accuracy import error
from benchmarks.engines import NAMES, load
from benchmarks.workload import Blocks, Workload
from benchmarks.workloads import WORKLOADS, matching

# These take seconds to compile each formula: they are tried on the first one alone.
SLOW = ("PyKeOps", "torch.compile")
ENGINES, MISSING = load()


def tiny(workload: Workload) -> Workload:
    """The same with rows that take no time, and are no multiple of a vector."""
    batch = None if workload.batch is None else 3
    if workload.blocks is not None:
        return replace(workload, rows=(64, 96), blocks=Blocks(size=16, kept=2))
    return replace(workload, rows=(min(workload.rows[0], 37), 53), batch=batch)


def tolerance(dtype: str) -> float:
    """Distances by an expansion lose digits: 64 roundings of numbers that are 16 times as great."""
    return 1024 * float(np.finfo(dtype).eps)


CASES = [
    pytest.param(engine, workload, dtype, id=f"{engine}-{workload.name}-{dtype}")
    for engine in ENGINES
    for workload in WORKLOADS.values()
    for dtype in workload.dtypes
    if engine not in SLOW or workload.name == "gaussian"
]


@pytest.mark.parametrize(("engine", "workload", "dtype"), CASES)
def test_every_way_of_writing_a_workload_agrees_with_its_reference(engine, workload, dtype):
    workload = tiny(workload)
    arrays = workload.arrays(dtype)
    with jax.enable_x64(dtype == "float64"):
        for call in ENGINES[engine].calls(workload, arrays).values():
            assert error(workload, call(), arrays) <= tolerance(dtype)


def test_jaxkeops_computes_all_workloads():
    for workload in map(tiny, WORKLOADS.values()):
        assert ENGINES["jaxkeops"].calls(workload, workload.arrays("float32"))


def test_a_wrong_result_has_a_large_error():
    workload = tiny(WORKLOADS["gaussian"])
    arrays = workload.arrays("float32")
    (call,) = ENGINES["jaxkeops"].calls(workload, arrays).values()
    assert error(workload, call() * 1.01, arrays) > 0.005


def test_a_farther_neighbour_is_an_error():
    workload = tiny(WORKLOADS["argmin"])
    arrays = workload.arrays("float32")
    assert error(workload, np.zeros((37, 1), np.int64), arrays) > 0.1


def test_names_choose_workloads_and_parts_of_names_choose_all_that_hold_them():
    assert [each.name for each in matching(["gaussian"])] == ["gaussian"]
    assert [each.name for each in matching(["knn-d"])] == ["knn-d3", "knn-d16", "knn-d64"]
    assert matching([]) == list(WORKLOADS.values())


def test_names_are_those_of_the_table():
    assert all(name == workload.name for name, workload in WORKLOADS.items())
    assert len({workload.title for workload in WORKLOADS.values()}) == len(WORKLOADS)


def test_every_engine_is_there_or_named_as_missing():
    assert sorted([*ENGINES, *MISSING]) == sorted(NAMES)


def test_only_the_engines_that_are_asked_for_are_loaded():
    assert list(load(["SciPy", "jaxkeops"])[0]) == ["jaxkeops", "SciPy"]


def test_dynamo_sees_each_way_of_writing_a_workload_as_code_of_its_own():
    dynamo = pytest.importorskip("torch._dynamo")
    workload = tiny(WORKLOADS["gaussian"])
    ways = ENGINES["torch.compile"].calls(workload, workload.arrays("float32"))
    assert len(ways) == 2
    with dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for call in ways.values():
            call()
