"""Times jaxkeops against PyKeOps, jnp and torch in one run: ratios of medians, with errors.

    python benchmarks/compare.py [--rows 10000] [--rounds 7] [--threads 1 2] [--json FILE]

Each (dtype, threads) runs in a process of its own, bound to that many CPUs before anything is
imported. Inside, the competitors take turns, round after round, so that a slow spell of the
machine hits all of them; the medians over rounds are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ENGINES = ("jaxkeops", "pykeops", "jnp", "torch", "torch.compile")


def main() -> None:
    start = time.perf_counter()
    options = _options()
    results = []
    for threads in options.threads:
        for dtype in options.dtypes:
            print(f"\n{dtype}, {threads} thread(s), M = N = {options.rows}", flush=True)
            results += _spawn(options, dtype, threads)
    report = {"machine": _machine(), "rows": options.rows, "results": results}
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
        print(f"\nWritten to {options.json}")
    print(f"{time.perf_counter() - start:.0f} s in all")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000, help="M and N, a multiple of 500")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=ENGINES, help="engines to leave out"
    )
    parser.add_argument("--json", help="write everything here")
    return parser.parse_args()


def _spawn(options: argparse.Namespace, dtype: str, threads: int) -> list[dict]:
    worker = Path(__file__).with_name("engines.py")
    command = [sys.executable, str(worker), dtype, str(options.rows), str(options.rounds)]
    command += options.skip

    def bind() -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "JAXKEOPS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    results = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=bind
    ) as running:
        for line in running.stdout or ():
            if line.startswith("{"):
                results.append(json.loads(line) | {"dtype": dtype, "threads": threads})
                print(_row(results[-1]), flush=True)
    if running.returncode:
        raise SystemExit(f"the worker for {dtype} with {threads} threads failed")
    return results


def _row(result: dict) -> str:
    ours = result["seconds"]["jaxkeops"]
    text = f"  {result['workload']:30} {result['pairs'] / ours / 1e9:6.2f} Gpairs/s"
    text += f"  error {result['errors']['jaxkeops']:.0e}"
    for engine, seconds in result["seconds"].items():
        if engine != "jaxkeops":
            text += f" | {engine} {seconds / ours:5.1f}x ({result['errors'][engine]:.0e})"
    return text


def _machine() -> dict[str, str]:
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0].split(":")[1].strip() if models else name
    return {"cpu": name, "cpus": str(os.cpu_count()), "python": platform.python_version()}


if __name__ == "__main__":
    main()
