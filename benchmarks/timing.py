"""How a call is timed: in turns with its competitors, each sample after a rest, by medians."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

SHORTEST = 5e-3  # seconds of a sample: quicker calls are repeated until it is filled
REST = 10e-3  # seconds before a sample, in which idle threads of XLA and OpenMP stop spinning
FEWEST = 3  # rounds, however slow they are

Call = Callable[[], Any]


@dataclass(frozen=True)
class Time:
    """Seconds of one call: by the clock, and of CPU time of this process and of what it started."""

    wall: float
    cpu: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def cpu_seconds() -> float:
    """CPU time of this process and, in hundredths, of the children that it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def once(call: Call) -> tuple[Time, Any]:
    """The time of one call, which may start compilers, and its result."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = call()
    return Time(time.perf_counter() - wall, cpu_seconds() - cpu), result


def sample(call: Call, repeats: int) -> Time:
    """The mean of `repeats` calls after a rest; short calls are made warm again first."""
    time.sleep(REST)
    if repeats > 1:
        call()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Time(wall / repeats, cpu / repeats)


def enough(call: Call, shortest: float = SHORTEST) -> int:
    """How many calls fill a sample."""
    repeats = 1
    while (took := sample(call, repeats).wall * repeats) < shortest:
        repeats = max(repeats + 1, math.ceil(1.2 * repeats * shortest / max(took, 1e-7)))
    return repeats


def turns(
    calls: Mapping[str, Call],
    rounds: int,
    seconds: float = math.inf,
    prepare: Callable[[str], None] = lambda name: None,
) -> dict[str, list[Time]]:
    """Samples of each call, which take turns, so that a slow spell of the machine hits all.

    They must have been called before: what compiles at first would seem slow enough to call once.
    After `seconds` no round is begun, but for the first FEWEST. prepare: called before each turn.
    """
    repeats = {}
    for name, call in calls.items():
        prepare(name)
        repeats[name] = enough(call)
    times: dict[str, list[Time]] = {name: [] for name in calls}
    start = time.perf_counter()
    gc.collect()
    gc.disable()
    try:
        for done in range(rounds):
            if done >= min(FEWEST, rounds) and time.perf_counter() - start > seconds:
                break
            for name, call in calls.items():
                prepare(name)
                times[name].append(sample(call, repeats[name]))
    finally:
        gc.enable()
    return times


def medians(times: list[Time]) -> Time:
    """The medians of both clocks, each by itself."""
    return Time(median(t.wall for t in times), median(t.cpu for t in times))
