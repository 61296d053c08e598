"""All competitors on workloads, in processes that may crash or hang without harm to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .processes import WorkerDied, events

CAP = 120.0  # seconds that one competitor may take for the trial of one workload, or a turn

Report = Callable[[str], None]


@dataclass
class Measured:
    """What the processes of one (dtype, threads) reported.

    results: of each workload, as `worker.measure` emits them, with dtype and threads.
    fma_per_second: the peak, if it was asked for. engines: what each does. missing: why some are
    not there.
    """

    results: list[dict[str, Any]] = field(default_factory=list)
    fma_per_second: float | None = None
    engines: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def measure(
    workloads: Sequence[str],
    dtype: str,
    threads: int,
    *,
    engines: Sequence[str] = (),
    rounds: int,
    seconds: float,
    peak: bool = False,
    small: bool = False,
    step: Report = lambda text: None,
    done: Callable[[dict[str, Any]], None] = lambda result: None,
) -> Measured:
    """Medians of each workload's competitors.

    A competitor that ends its process, or keeps it silent for CAP seconds, is recorded as failed,
    and the rest of the work begins again without it. step: told what is tried; done: each result.
    """
    measured = Measured()
    remaining = list(workloads)
    skip: dict[str, dict[str, str]] = {}
    while remaining:
        job = {
            "workloads": list(remaining),
            "dtype": dtype,
            "engines": list(engines),
            "rounds": rounds,
            "seconds": seconds,
            "skip": skip,
            "peak": peak,
            "small": small,
        }
        tried: tuple[str, str] | None = None
        try:
            for event in events("worker", job, threads, CAP):
                match event["event"]:
                    case "ready":
                        measured.engines |= event["engines"]
                        measured.missing |= event["missing"]
                    case "peak":
                        best = measured.fma_per_second or 0.0
                        measured.fma_per_second = max(best, event["fma_per_second"])
                    case "try":
                        tried = event["workload"], event["engine"]
                        step(f"{event['workload']}: {event['engine']}")
                    case "result":
                        del event["event"]
                        result = event | {"dtype": dtype, "threads": threads}
                        remaining.remove(event["workload"])
                        measured.results.append(result)
                        tried = None
                        done(result)
            return measured
        except WorkerDied as fault:
            if tried is None:
                raise
            workload, engine = tried
            skip.setdefault(workload, {})[engine] = str(fault)
    return measured
