"""Measures in this process, which has compiled nothing yet, from a formula's text to its result."""

from __future__ import annotations

from dataclasses import replace

import jaxkeops.numpy

from .engines import OURS, load
from .engines.tensors import finish_importing
from .processes import emit, read_job
from .timing import once
from .workload import Workload
from .workloads import WORKLOADS

ROWS = 16  # so few that computing them takes no time


def tiny(workload: Workload) -> Workload:
    """The same formula on next to no data."""
    return replace(workload, rows=(ROWS, ROWS), batch=None if workload.batch is None else 2)


def main() -> None:
    """Emits the time of the first call, imports and the making of arrays left out."""
    job = read_job()
    workload = tiny(WORKLOADS[job["workload"]])
    arrays = workload.arrays(job["dtype"])
    if job["engine"] == OURS and not workload.gradients:

        def first() -> object:
            made = jaxkeops.numpy.Genred(workload.formula, workload.aliases, **workload.options)
            return made(*arrays)
    else:
        engine = load([job["engine"]])[0][job["engine"]]
        if workload.gradients:
            finish_importing()

        def first() -> object:
            return next(iter(engine.calls(workload, arrays).values()))()

    taken, _ = once(first)
    emit(event="result", workload=workload.name, title=workload.title, **taken.as_dict())


if __name__ == "__main__":
    main()
