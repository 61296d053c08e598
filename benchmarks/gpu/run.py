"""Walks over cases and sizes, and reports each result as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..accuracy import error
from . import clock
from .cases import SIZES, Case
from .engines import OURS, make

Row = dict[str, Any]
SLOW = 3.0  # seconds of one call: a competitor that would take longer at a size is left out there
LONGEST = 12.0  # the same of ours, which smaller sizes then speak for


def rows(
    cases: Sequence[Case],
    engines: Sequence[str],
    bound: Callable[[Case], float | None],
    until: float,
    report: Callable[[Row], None],
) -> Iterator[Row]:
    """One for each case, size and engine: seconds, pairs a second, error, or why there is none.

    bound: pairs a second at most. until: when to stop, by the monotonic clock. A run that is cut
    short has all cases at small sizes, and ours at the large ones.
    """
    seen: dict[tuple[str, str], float] = {}  # seconds of a pair
    for size, names in _phases(engines):
        for case in cases:
            workload = case.at(size)
            made: list[Any] = []  # arrays, once they are needed: large ones take seconds
            for name in names:
                row: Row = {"case": workload.name, "rows": size, "engine": name}
                if (workload.name, name) not in seen and size != SIZES[0]:
                    continue  # it does not apply, or has failed
                expected = workload.pairs * seen.get((workload.name, name), 0.0)
                why = _why_not(name, expected, until, (workload.name, OURS[0]) in seen)
                if why is not None:
                    row["left_out"] = why
                else:
                    made = made or [workload.arrays("float32")]
                    found = _measured(case, name, workload, made[0], size == SIZES[0])
                    if found is None:
                        continue
                    row |= found
                    most = bound(case)
                    if most is not None and "pairs_per_second" in row and name in OURS:
                        row["of_bound"] = row["pairs_per_second"] / most
                    if "seconds" in row:
                        seen[workload.name, name] = row["seconds"] / workload.pairs
                report(row)
                yield row


def _phases(engines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    ours = [name for name in engines if name in OURS]
    others = [name for name in engines if name not in OURS]
    small, *large = SIZES
    yield small, ours
    yield small, others
    for names in (ours, others):
        for size in large:
            yield size, names


def _why_not(name: str, expected: float, until: float, has_twin: bool) -> str | None:
    """Why an engine is left out that should take `expected` seconds.

    has_twin: whether the first of our doors is measured.
    """
    if time.monotonic() > until:
        return "no time was left"
    if expected > (LONGEST if name in OURS else SLOW):
        return f"would take about {expected:.0f} s"
    if name in OURS[1:] and expected > SLOW and has_twin:
        return f"{OURS[0]} starts the same kernel"
    return None


def _measured(
    case: Case, name: str, workload: Any, arrays: Any, with_error: bool
) -> dict[str, Any] | None:
    try:
        engine = make(name, workload, arrays)
        if engine is None:
            return None
        first, result = clock.once(engine)
        found: dict[str, Any] = {"first": first}
        if with_error:
            found["error"] = error(workload, engine.read(result), arrays)
        del result
        # Ours has been compiled by then, and one long call says as much as many.
        alone = name in OURS and first > SLOW and not with_error
        found["seconds"] = first if alone else clock.seconds(engine, limit=SLOW)
        found["pairs_per_second"] = workload.pairs / found["seconds"]
        return found
    except Exception as fault:  # of any library: it is reported, and the others go on
        return {"failed": f"{type(fault).__name__}: {str(fault).strip()[:300]}"}


def ratios(measured: Sequence[Row]) -> list[Row]:
    """For each case and size, how many times quicker we are than each competitor."""
    found = []
    times = {(r["case"], r["rows"], r["engine"]): r["seconds"] for r in measured if "seconds" in r}
    for (case, size, name), seconds in times.items():
        ours = [times[case, size, each] for each in OURS if (case, size, each) in times]
        if name not in OURS and ours:
            found.append({"case": case, "rows": size, "over": name, "times": seconds / min(ours)})
    return found
