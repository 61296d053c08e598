"""The command: python -m benchmarks [--quick | --only NAME ...], from the repository's root."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from .pages import write_pages
from .pictures import write_pictures
from .plan import Plan, full, only, quick
from .processes import ROOT
from .progress import Progress
from .run import run
from .workloads import WORKLOADS, matching

RESULTS = ROOT / "benchmarks" / "results" / "cpu.json"
PICTURES = ROOT / "docs" / "pictures"
ASIDE = ROOT / "build" / "benchmark"  # of runs that are not for the pages


def main() -> None:
    options = _options()
    if options.pages:
        _publish(json.loads(RESULTS.read_text()))
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    plan = _plan(options, cores or 1)
    report: dict[str, Any] = {}
    try:
        with Progress(plan.steps) as progress:
            run(plan, progress, report)
    except BaseException:
        _write(report, ASIDE / "interrupted.json")
        raise
    partial = options.quick or options.only
    results = ASIDE / "cpu.json" if partial else RESULTS
    _write(report, results)
    if options.quick:
        write_pictures(report, ASIDE)
    elif not partial:
        _publish(report)
    progress.console.print(f"\n{report['minutes']:.1f} minutes. Written to {results}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times jaxkeops beside what users write today; writes the page, with pictures.",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--quick", action="store_true", help="a little of everything: 2 minutes")
    chosen.add_argument("--only", nargs="+", metavar="NAME", help="workloads, or parts of names")
    chosen.add_argument("--list", action="store_true", help="the names of the workloads")
    chosen.add_argument("--pages", action="store_true", help="write pages from the last results")
    parser.add_argument("--rounds", type=int, help="turns of each competitor, at most")
    options = parser.parse_args()
    if options.list:
        parser.exit(message="".join(f"{w.name:24}{w.title}\n" for w in WORKLOADS.values()))
    if options.only and not matching(options.only):
        parser.error(f"no workload is called {' or '.join(options.only)}; --list shows them")
    return options


def _plan(options: argparse.Namespace, cores: int) -> Plan:
    if options.quick:
        plan = quick(cores)
    elif options.only:
        plan = only(matching(options.only))
    else:
        plan = full(cores)
    return plan if options.rounds is None else _with_rounds(plan, options.rounds)


def _with_rounds(plan: Plan, rounds: int) -> Plan:
    return Plan(**(vars(plan) | {"rounds": rounds}))


def _write(report: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1) + "\n")


def _publish(report: dict[str, Any]) -> None:
    write_pages(report, ROOT)
    write_pictures(report, PICTURES)


if __name__ == "__main__":
    main()
