"""The command: python -m benchmarks.gpu [--list | --only NAME ...], from the repository's root."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from .cases import CASES, SIZES, Case
from .engines import NAMES, missing
from .run import ratios, rows

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
TESTS = 0.5  # of the minutes, at most
TIMED_OUT = 124  # of the command `timeout`
# An H200, where nothing was asked: what predictions on a machine without a GPU are for.
PREDICTED = {"name": "H200 (predicted)", "multiprocessors": 132, "hertz": 1.98e9}


def main() -> None:
    options = _options()
    cases = [
        case
        for case in CASES
        if not options.only or any(part in case.workload.name for part in options.only)
    ]
    if options.list:
        _list(cases)
        return
    start = time.monotonic()
    _build()
    # Only from here on: what was just built is imported.
    report: dict[str, Any] = {"gpu": _gpu(), "missing": missing(), "tests": None}
    if not options.no_tests:
        report["tests"] = _tests(60 * options.minutes * TESTS)
    gpu = report["gpu"]
    engines = [name for name in NAMES if name not in report["missing"]]
    for name, why in report["missing"].items():
        print(f"without {name}: {why}")
    report["probes"] = _probes(gpu)
    report["rows"] = list(
        rows(
            cases,
            engines,
            lambda case: case.bound(gpu["multiprocessors"], gpu["hertz"]),
            start + 60 * options.minutes,
            _show,
        )
    )
    report["ratios"] = ratios(report["rows"])
    for each in report["ratios"]:
        print("{case:20} {rows:8} {times:8.2f} times as quick as {over}".format(**each))
    report["minutes"] = (time.monotonic() - start) / 60
    RESULTS.mkdir(exist_ok=True)
    name = gpu["name"].lower().replace(" ", "-")
    file = Path(options.out) if options.out else RESULTS / f"gpu-{name}.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['minutes']:.1f} minutes. Written to {file}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Builds, tests and times jaxkeops on a GPU, beside what users write today.",
    )
    parser.add_argument("--list", action="store_true", help="what would be timed; needs no GPU")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cases, or parts of names")
    parser.add_argument("--minutes", type=float, default=8.0, help="begin nothing after these")
    parser.add_argument("--no-tests", action="store_true", help="time, and do not test before")
    parser.add_argument("--out", metavar="FILE", help="where results go, as JSON")
    return parser.parse_args()


def _list(cases: list[Case]) -> None:
    """Each case with the pairs a second that an H200 could do, and seconds at each size."""
    print(f"{'case':20} {'slots':>7} {'pairs/s':>9}" + "".join(f"{n:>12,}" for n in SIZES))
    for case in cases:
        bound = case.bound(PREDICTED["multiprocessors"], PREDICTED["hertz"])
        times = "".join(f"{1e3 * n * n / bound:>9.2f} ms" for n in SIZES) if bound else ""
        pairs = f"{bound:9.2e}" if bound else ""
        print(f"{case.workload.name:20} {case.slots or '':>7} {pairs}{times}")
    print(f"beside {', '.join(NAMES)}")
    print(f"{PREDICTED['name']}: bounds by instructions, counted in machine code; not timings")


def _build() -> None:
    """The extension module from this clone, if it is not there: CMake, nanobind and jaxlib are."""
    # One that was built for another Python is of no use.
    if any((ROOT / "jaxkeops" / f"_native{suffix}").exists() for suffix in EXTENSION_SUFFIXES):
        return
    folder = ROOT / "build" / "gpu"
    asked = [sys.executable, "-m", "nanobind", "--cmake_dir"]
    nanobind = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    places = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind}"]
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(folder), *places], check=True)
    subprocess.run(["cmake", "--build", str(folder), "--parallel"], check=True)
    (made,) = folder.rglob("_native*.so")
    (ROOT / "jaxkeops" / made.name).write_bytes(made.read_bytes())


def _gpu() -> dict[str, Any]:
    """The first GPU: its name, multiprocessors and highest clock. Exits if there is none."""
    probe = "from jaxkeops.runtime import native; print(*native.cuda_devices()[0], sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT)
    if ran.returncode:
        sys.exit(f"This command needs a GPU. {ran.stderr.strip().splitlines()[-1]}")
    name, architecture, multiprocessors = ran.stdout.splitlines()
    hertz, driver = _clock()
    return {
        "name": name,
        "architecture": int(architecture),
        "multiprocessors": int(multiprocessors),
        "hertz": hertz,
        "driver": driver,
    }


def _clock() -> tuple[float, str]:
    """The highest clock of the first GPU, in Hz, and the driver: an H200's if nobody tells."""
    query = "--query-gpu=clocks.max.sm,driver_version"
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        clock, driver = ran.stdout.splitlines()[0].split(", ")
        return 1e6 * float(clock), driver
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError) as fault:
        print(
            f"nvidia-smi tells no clock: bounds are those of {PREDICTED['hertz']:.3g} Hz. {fault}"
        )
        return PREDICTED["hertz"], "unknown"


def _tests(seconds: float) -> str:
    """The last line of the tests that need a GPU, by this Python; ended after `seconds`."""
    # `timeout` also ends what its child started.
    command = ["timeout", f"{seconds:.0f}", "bash", str(ROOT / "tools" / "gpu_check")]
    environment = os.environ | {"PYTHON": sys.executable}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    print(ran.stdout[-2000:], ran.stderr[-2000:])
    if ran.returncode == TIMED_OUT:
        return f"not done after {seconds:.0f} s"
    return ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ran.stderr[-300:]


def _probes(gpu: dict[str, Any]) -> list[dict[str, Any]]:
    """What single instructions take of a scheduler, beside what documents say."""
    # It needs the extension module, which may have been built just now.
    probes = importlib.import_module("benchmarks.gpu.probes")
    found = []
    for probe in probes.PROBES:
        args = gpu["architecture"], gpu["multiprocessors"], gpu["hertz"]
        taken = probes.cycles(probe, *args)
        found.append({"probe": probe.name, "cycles": taken, "expected": probe.cycles})
        print(f"{probe.name:50} {taken:6.2f} cycles of a scheduler, {probe.cycles} expected")
    return found


def _show(row: dict[str, Any]) -> None:
    head = f"{row['case']:20} {row['rows']:8} {row['engine']:15}"
    if "seconds" not in row:
        print(head, row.get("left_out") or row.get("failed"), flush=True)
        return
    part = f"{row['of_bound']:5.0%} of its bound" if "of_bound" in row else ""
    wrong = f"error {row['error']:.0e}" if "error" in row else ""
    time = f"{1e3 * row['seconds']:10.3f} ms {row['pairs_per_second']:9.2e} pairs/s"
    print(head, time, wrong, part, flush=True)


if __name__ == "__main__":
    main()
