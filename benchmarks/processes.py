"""Runs a module of this folder in a process of its own, bound to CPUs before its imports."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
MARK = "@@ "
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "JAXKEOPS_NUM_THREADS",
)
SETTINGS = {
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
    # Inductor would start a pool of processes, which stay, and once did not answer.
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}


class WorkerDied(Exception):
    """The process ended early, or said nothing for too long; the message says which."""


def events(
    module: str,
    job: Mapping[str, Any],
    threads: int,
    silence: float,
    environment: Mapping[str, str] | None = None,
    first: int = 0,
) -> Iterator[dict[str, Any]]:
    """What `python -m benchmarks.MODULE` reports on the job, which it reads from its input.

    silence: seconds without a report after which it is killed, with all that it started.
    first: the first of its CPUs, of those that this process may use.
    """
    chosen = dict.fromkeys(THREADS, str(threads)) | SETTINGS

    def bind() -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[first : first + threads])

    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=os.environ | chosen | dict(environment or {}),
            preexec_fn=bind,
            start_new_session=True,
        ) as running,
    ):
        try:
            running.stdin.write(json.dumps(job))
            running.stdin.close()
            yield from _reports(running.stdout, silence)
            if running.wait():
                complaints.seek(0)
                last = complaints.read().strip().splitlines()[-1:]
                raise WorkerDied(f"ended with {running.returncode}: {' '.join(last)}")
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)


def read_job() -> dict[str, Any]:
    """In the process: what it is to do."""
    return json.loads(sys.stdin.read())


def emit(**event: Any) -> None:
    """In the process: one report, on a line that begins with MARK. Libraries print others."""
    print(MARK + json.dumps(event), flush=True)


def _reports(stream: IO[str], silence: float) -> Iterator[dict[str, Any]]:
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=silence)
        except queue.Empty:
            raise WorkerDied(f"took more than {silence:.0f} s") from None
        if line is None:
            return
        if line.startswith(MARK):
            yield json.loads(line.removeprefix(MARK))
