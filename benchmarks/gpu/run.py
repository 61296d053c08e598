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


def rows(
    cases: Sequence[Case],
    engines: Sequence[str],
    bound: Callable[[Case], float | None],
    until: float,
    report: Callable[[Row], None],
) -> Iterator[Row]:
    """One for each case, size and engine: seconds, pairs a second, error, or why there is none.

    bound: pairs a second at most. until: when to stop, by the monotonic clock. Sizes come first,
    so that a run that is cut short has all cases.
    """
    seen: dict[tuple[str, str], float] = {}
    for size in SIZES:
        for case in cases:
            workload = case.at(size)
            arrays = workload.arrays("float32")
            for name in engines:
                row: Row = {"case": workload.name, "rows": size, "engine": name}
                before = seen.get((workload.name, name))
                expected = None if before is None else 100 * before
                if time.monotonic() > until:
                    row["left_out"] = "no time was left"
                elif expected is None and size != SIZES[0]:
                    continue  # it does not apply, or has failed
                elif expected is not None and expected > SLOW and name not in OURS:
                    row["left_out"] = f"would take about {expected:.0f} s"
                else:
                    found = _measured(case, name, workload, arrays, size == SIZES[0])
                    if found is None:
                        continue
                    row |= found
                    most = bound(case)
                    if most is not None and "pairs_per_second" in row and name in OURS:
                        row["of_bound"] = row["pairs_per_second"] / most
                    if "seconds" in row:
                        seen[workload.name, name] = row["seconds"]
                report(row)
                yield row


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
        found["seconds"] = clock.seconds(engine, limit=SLOW)
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
