"""Measures workloads in this process: reads a job from its input, prints a line for each event.

A job: {"workloads": names, "dtype", "engines": names or none for all, "rounds", "seconds": of all
rounds of one workload, "skip": {workload: {engine: why}}, "peak": whether to measure it, "small":
whether to take a tenth of the rows}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import peak
from .accuracy import error
from .engines import Engine, load
from .processes import emit, read_job
from .timing import Call, medians, once, turns
from .workload import Workload
from .workloads import TABLE

TRIALS = 3  # calls of each way to write a workload, where there are several


def measure(workload: Workload, engines: Mapping[str, Engine], job: Mapping[str, Any]) -> None:
    """Emits "try" before each engine is tried, and before each of its turns; then "result"."""
    arrays = workload.arrays(job["dtype"])
    operations = peak.operations(workload, job["dtype"]) if job["peak"] else None
    skip = job["skip"].get(workload.name, {})

    def begin(name: str) -> None:
        emit(event="try", workload=workload.name, engine=name)

    results: dict[str, dict[str, Any]] = {name: {"failed": why} for name, why in skip.items()}
    calls: dict[str, Call] = {}
    for name, engine in engines.items():
        if name in skip:
            continue
        begin(name)
        try:
            ways = engine.calls(workload, arrays)
            if ways:
                calls[name], results[name] = _quickest(ways, workload, arrays)
        except Exception as fault:  # of any library: it is reported, and the others go on
            results[name] = {"failed": f"{type(fault).__name__}: {str(fault).strip()[:200]}"}
    for name, times in turns(calls, job["rounds"], job["seconds"], prepare=begin).items():
        results[name] |= medians(times).as_dict() | {"samples": len(times)}
    emit(
        event="result",
        workload=workload.name,
        title=workload.title,
        group=workload.group,
        rows=workload.rows,
        pairs=workload.pairs,
        operations=operations,
        engines=results,
    )


def _quickest(
    ways: Mapping[str, Call], workload: Workload, arrays: tuple[Any, ...]
) -> tuple[Call, dict[str, Any]]:
    """The way that is quickest at its best of TRIALS, with its first call's time and its error."""
    tried = []
    for way, call in ways.items():
        first, result = once(call)
        best = min(once(call)[0].wall for _ in range(TRIALS)) if len(ways) > 1 else 0.0
        wrong = error(workload, result, arrays)
        found = {"way": way, "first": first.as_dict(), "error": wrong}
        tried.append((best, call, found))
    _, call, found = min(tried, key=lambda each: each[0])
    return call, found


def shrunk(workload: Workload) -> Workload:
    """The same with a tenth of the rows on each side, at least 500."""
    if workload.blocks is not None:
        return replace(workload, rows=(2048, 2048), blocks=replace(workload.blocks, kept=8))
    M, N = (min(count, max(500, count // 10)) for count in workload.rows)
    batch = None if workload.batch is None else 20
    return replace(workload, rows=(M, N), batch=batch)


def main() -> None:
    job = read_job()
    engines, missing = load(job["engines"] or ())
    emit(event="ready", engines={e.name: e.how for e in engines.values()}, missing=missing)
    if job["peak"]:
        emit(event="peak", dtype=job["dtype"], fma_per_second=peak.fma_rate(job["dtype"]))
    for name in job["workloads"]:
        workload = TABLE[name]
        measure(shrunk(workload) if job["small"] else workload, engines, job)
    emit(event="done")


if __name__ == "__main__":
    main()
