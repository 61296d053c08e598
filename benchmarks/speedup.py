"""Measures in this process how much quicker jaxkeops is with more threads, in turns with one."""

from __future__ import annotations

from jaxkeops.runtime import native

from .engines import OURS, load
from .processes import emit, read_job
from .timing import medians, turns
from .worker import shrunk
from .workloads import TABLE


def main() -> None:
    """Of each workload, emits seconds of a call by the number of threads."""
    job = read_job()
    engines, _ = load([OURS])
    for name in job["workloads"]:
        workload = shrunk(TABLE[name]) if job["small"] else TABLE[name]
        (call,) = engines[OURS].calls(workload, workload.arrays("float32")).values()
        call()
        times = turns(
            {str(count): call for count in job["threads"]},
            job["rounds"],
            job["seconds"],
            prepare=lambda count: native.set_num_threads(int(count)),
        )
        seconds = {count: medians(taken).wall for count, taken in times.items()}
        emit(event="result", workload=name, title=workload.title, seconds=seconds)


if __name__ == "__main__":
    main()
