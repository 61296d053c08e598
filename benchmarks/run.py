"""Carries out a plan, part by part, and gives all figures as one report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .ahead import SLOW
from .engines import OURS
from .machine import machine, versions
from .plan import SCALED, Plan
from .processes import WorkerDied, events
from .progress import Progress
from .ratios import CAP, Measured, measure
from .workloads import TABLE

GAUSSIAN = "gaussian"
OTHER = "cauchy"  # compiled before a competitor's first call: it builds what all formulas share
# Where each library keeps what it has compiled.
CACHES = (
    "JAXKEOPS_CACHE_DIR",
    "KEOPS_CACHE_FOLDER",
    "NUMBA_CACHE_DIR",
    "TORCHINDUCTOR_CACHE_DIR",
)


def run(plan: Plan, progress: Progress, report: dict[str, Any]) -> None:
    """Fills the report, part by part: what `benchmarks/results/cpu.json` holds."""
    start = time.perf_counter()
    report |= {"machine": machine(), "versions": versions()}
    report |= {"reduced": plan.reduced, "rounds": plan.rounds}
    if plan.ahead:
        _compile_ahead(plan, progress)
    _ratios(plan, progress, report)
    report["rows"] = _scaling(plan, [f"rows-{N}" for N in plan.rows], "rows", progress)
    report["dims"] = _scaling(plan, [f"dim-{D}" for D in plan.dims], "dimensions", progress)
    report["speedup"] = _speedup(plan, progress)
    report["small"] = _small(plan, progress)
    report["first"] = _first(plan, progress)
    report["first_of_others"] = _first_of_others(plan, progress)
    report["minutes"] = (time.perf_counter() - start) / 60


def _compile_ahead(plan: Plan, progress: Progress) -> None:
    """On every core at once: what is measured later then finds it in the caches of competitors."""
    progress.part("compiling ahead for " + " and ".join(SLOW))
    keys = dict.fromkeys(_key(each, dtype) for dtype, names, _ in plan.compiled for each in names)
    # One core for all workloads of a formula: PyKeOps would write one file twice at once.
    cores = {key: position % plan.ahead for position, key in enumerate(keys)}

    def compile_on(core: int) -> None:
        for dtype, names, engines in plan.compiled:
            job = {
                "workloads": [each for each in names if cores[_key(each, dtype)] == core],
                "dtype": dtype,
                "engines": engines,
            }
            try:
                for event in events("ahead", job, 1, 2 * CAP, first=core):
                    progress.compiled(event["workload"], event["faults"])
            except WorkerDied as fault:
                progress.note(f"compiling ahead: a process {fault}")

    with ThreadPoolExecutor(plan.ahead) as pool:
        list(pool.map(compile_on, range(plan.ahead)))


def _key(name: str, dtype: str) -> tuple[str, ...]:
    """What PyKeOps compiles for a workload."""
    workload = TABLE[name]
    return dtype, workload.formula, str(workload.aliases), str(workload.options)


def _measure(
    plan: Plan,
    names: Sequence[str],
    dtype: str,
    threads: int,
    progress: Progress,
    **options: Any,
) -> Measured:
    return measure(
        names,
        dtype,
        threads,
        rounds=plan.rounds,
        seconds=plan.seconds,
        small=plan.reduced,
        step=progress.step,
        done=progress.ratios,
        **options,
    )


def _ratios(plan: Plan, progress: Progress, report: dict[str, Any]) -> None:
    report |= {"ratios": [], "peak": {}, "engines": {}, "missing": {}}
    for dtype, threads, names in plan.ratios:
        progress.part(f"{dtype}, {threads} thread" + "s" * (threads > 1))
        measured = _measure(plan, names, dtype, threads, progress, peak=threads == 1)
        report["ratios"] += measured.results
        report["engines"] |= measured.engines
        report["missing"] |= measured.missing
        if measured.fma_per_second is not None:
            report["peak"][dtype] = measured.fma_per_second


def _scaling(
    plan: Plan, names: Sequence[str], what: str, progress: Progress
) -> list[dict[str, Any]]:
    if not names:
        return []
    progress.part(f"Gaussians of many {what}")
    return _measure(plan, names, "float32", 1, progress, engines=SCALED).results


def _speedup(plan: Plan, progress: Progress) -> list[dict[str, Any]]:
    job = {
        "workloads": plan.speedup,
        "threads": [1, 2],
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "small": plan.reduced,
    }
    return _collect("speedup", job, 2, progress) if plan.speedup else []


def _small(plan: Plan, progress: Progress) -> list[dict[str, Any]]:
    return _collect("small", {"rounds": 2 * plan.rounds}, 1, progress) if plan.small else []


def _collect(
    module: str, job: dict[str, Any], threads: int, progress: Progress
) -> list[dict[str, Any]]:
    """What one process reports; what it had reported, if it dies."""
    progress.part({"speedup": "two threads against one", "small": "small problems"}[module])
    found: list[dict[str, Any]] = []
    try:
        for event in events(module, job, threads, CAP):
            found.append(event)
            progress.seconds(event)
    except WorkerDied as fault:
        progress.note(f"{module}: the process {fault}")
    return found


def _first(plan: Plan, progress: Progress) -> list[dict[str, Any]]:
    if plan.first:
        progress.part("first calls")
    every = (_first_call(OURS, name, (), progress) for name in plan.first)
    return [found for found in every if found is not None]


def _first_of_others(plan: Plan, progress: Progress) -> list[dict[str, Any]]:
    every = (_first_call(name, GAUSSIAN, (OTHER,), progress) for name in plan.first_of_others)
    return [found for found in every if found is not None]


def _first_call(
    engine: str, workload: str, before: Sequence[str], progress: Progress
) -> dict[str, Any] | None:
    """First calls in two new processes that share a new cache folder; None if one dies.

    before: workloads whose first call in that folder comes earlier, and is not timed.
    """
    progress.step(f"{workload}: {engine}")
    with tempfile.TemporaryDirectory() as folder:
        caches = dict.fromkeys(CACHES, folder)

        def first(name: str) -> dict[str, Any]:
            job = {"workload": name, "dtype": "float32", "engine": engine}
            (report,) = events("first_call", job, 1, CAP, caches)
            return report

        try:
            for name in before:
                first(name)
            cold, cached = first(workload), first(workload)
        except WorkerDied as fault:
            progress.note(f"{workload}, {engine}: the process {fault}")
            return None
    found = {"engine": engine, "workload": workload, "title": cold["title"]}
    found |= {"cold": cold, "cached": cached}
    progress.first(found)
    return found
