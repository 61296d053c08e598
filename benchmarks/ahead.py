"""Compiles in this process what competitors compile slowly, so that their disk caches have it."""

from __future__ import annotations

from .engines import load
from .processes import emit, read_job
from .workloads import TABLE

SLOW = ("PyKeOps", "torch.compile")  # 5 to 10 seconds of CPU for each workload


def main() -> None:
    """Emits the name of each workload that has been called, with what went wrong."""
    job = read_job()
    engines, _ = load(job["engines"])
    for name in job["workloads"]:
        workload, faults = TABLE[name], {}
        arrays = workload.arrays(job["dtype"])
        for engine in engines.values():
            try:
                for call in engine.calls(workload, arrays).values():
                    call()
            except Exception as fault:  # it comes again where it is measured, and is recorded
                faults[engine.name] = str(fault)
        emit(event="done", workload=name, faults=faults)


if __name__ == "__main__":
    main()
