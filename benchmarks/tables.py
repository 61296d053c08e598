"""The tables of the pages, as Markdown, from a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .engines import NAMES, OURS, PEER

Result = Mapping[str, Any]

INDEX = "kd-tree"  # it does not compare all pairs: not among what must be beaten
COLUMNS = (PEER, "jnp", "torch", "torch.compile", "scikit-learn", "SciPy", "Numba")
README = (
    ("gaussian", "float32"),
    ("gaussian-b64", "float32"),
    ("gradient", "float32"),
    ("forward-and-gradients", "float32"),
    ("logsumexp", "float32"),
    ("argmin", "float32"),
    ("knn-d16", "float32"),
    ("gaussian-d64", "float32"),
    ("gaussian-d784", "float32"),
    ("attention", "float32"),
    ("gaussian", "float64"),
    ("logsumexp", "float64"),
)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(value: float) -> str:
    """How many times longer something takes, to two digits."""
    return f"{value:.2g}x" if value < 9.95 else f"{value:.0f}x"


def scientific(value: float) -> str:
    """1.2e-07 as 1e-7; nothing wrong is 0."""
    mantissa, exponent = f"{value:.0e}".split("e")
    return "0" if value == 0 else f"{mantissa}e{int(exponent)}"


def seconds(result: Result, name: str) -> float | None:
    """The median of one call, or None."""
    return result["engines"].get(name, {}).get("wall")


def others(result: Result) -> dict[str, float]:
    """How many times longer each brute-force code but PyKeOps takes, the quickest first."""
    ours = seconds(result, OURS)
    found = {
        name: each["wall"] / ours
        for name, each in result["engines"].items()
        if name not in (OURS, PEER, INDEX) and "wall" in each and ours
    }
    return dict(sorted(found.items(), key=lambda each: each[1]))


def cell(result: Result, name: str) -> str:
    """Of one competitor: the ratio, and its error in brackets."""
    each, ours = result["engines"].get(name), seconds(result, OURS)
    if each is None:
        return ""
    if "wall" not in each or ours is None:
        return "failed"
    return f"{ratio(each['wall'] / ours)} ({scientific(each['error'])})"


def own(result: Result) -> list[str]:
    """Speed and error of jaxkeops."""
    ours = seconds(result, OURS)
    if ours is None:
        return ["failed", ""]
    speed = result["pairs"] / ours / 1e9
    digits = 1 if speed >= 1 else 3
    return [f"{speed:.{digits}f}", scientific(result["engines"][OURS]["error"])]


def size(result: Result) -> str:
    """M x N, in short."""
    return " x ".join(f"{count:g}" if count < 1e6 else "1e6" for count in result["rows"])


def peak_share(report: Result, result: Result) -> str:
    """The part of the FMA peak that a workload's operations take up."""
    ours, count = seconds(result, OURS), result.get("operations")
    peak = report["peak"].get(result["dtype"])
    if not (ours and count and peak) or result["threads"] != 1:
        return ""
    return f"{100 * count * result['pairs'] / ours / peak:.0f} %"


def ratios(report: Result, dtype: str, threads: int, groups: Sequence[str]) -> str:
    """All competitors on the workloads of some groups."""
    chosen = select(report, dtype, threads, groups)
    rest = [name for name in NAMES if name not in (*COLUMNS, OURS)]
    head = ["", "M x N", "Gpairs/s", "error", *COLUMNS, "others"]
    rows = [
        [
            result["title"],
            size(result),
            *own(result),
            *(cell(result, name) for name in COLUMNS),
            ", ".join(f"{n} {cell(result, n)}" for n in rest if n in result["engines"]),
        ]
        for result in chosen
    ]
    return markdown(head, rows)


def select(report: Result, dtype: str, threads: int, groups: Sequence[str]) -> list[Result]:
    return [
        result
        for result in report["ratios"]
        if (result["dtype"], result["threads"]) == (dtype, threads) and result["group"] in groups
    ]


def readme(report: Result) -> str:
    """A few rows: PyKeOps, and the quickest of all others."""
    found = {
        (each["workload"], each["dtype"]): each for each in report["ratios"] if each["threads"] == 1
    }
    rows = []
    for key in README:
        if key not in found:
            continue
        result = found[key]
        name = next(iter(others(result)), None)
        best = f"{cell(result, name)}, {name}" if name else ""
        rows.append([f"{result['title']}, {key[1]}", *own(result), cell(result, PEER), best])
    head = ["", "Gpairs/s", "error", PEER, "the quickest other"]
    caption = (
        f"One thread of {_cpu(report)}. In brackets, the greatest error against float64 over the "
        "greatest value."
    )
    return f"{markdown(head, rows)}\n\n{caption}"


def close(report: Result) -> str:
    """Where the quickest other code takes less than twice as long, in one thread."""
    rows = []
    for result in report["ratios"]:
        near = [f"{name} {ratio(times)}" for name, times in others(result).items() if times < 2]
        if near and result["threads"] == 1:
            rows.append([f"{result['title']}, {result['dtype']}", ", ".join(near)])
    return markdown(["", "less than twice as long"], rows) if rows else "Nowhere."


def less_accurate(report: Result) -> str:
    """Where the error of jaxkeops is above that of PyKeOps, in one thread."""
    rows = []
    for result in report["ratios"]:
        errors = [result["engines"].get(name, {}).get("error") for name in (OURS, PEER)]
        if result["threads"] == 1 and None not in errors and errors[0] > errors[1]:
            title = f"{result['title']}, {result['dtype']}"
            rows.append([title, *(f"{each:.1e}" for each in errors)])
    return markdown(["", f"error of {OURS}", f"of {PEER}"], rows) if rows else "Nowhere."


def failures(report: Result) -> str:
    """What crashed, raised or took too long, and what was not there."""
    lines = [
        f"- {name} on {result['title']}, {result['dtype']}: {each['failed']}"
        for result in report["ratios"]
        for name, each in result["engines"].items()
        if "failed" in each
    ]
    lines += [f"- {name} was not there: {why}" for name, why in report["missing"].items()]
    return "\n".join(lines) or "None."


def shapes(report: Result) -> str:
    """Speed in other shapes of problem over that of the dense Gaussian."""
    dense = next(iter(find(report, "gaussian")), None)
    rows = []
    for result in select(report, "float32", 1, ["shape"]):
        pair = [r["pairs"] / s if r and (s := seconds(r, OURS)) else None for r in (result, dense)]
        share = f"{100 * pair[0] / pair[1]:.0f} %" if all(pair) else ""
        rows.append([result["title"], own(result)[0], share])
    return markdown(["", "Gpairs/s", "of the dense rate"], rows)


def find(report: Result, workload: str, dtype: str = "float32") -> list[Result]:
    """The result of one workload on one thread."""
    return [r for r in select(report, dtype, 1, ANY) if r["workload"] == workload]


ANY = ("main", "shape", "held out")


def per_workload(report: Result) -> str:
    """Share of the peak, gain of a second thread, and first calls."""
    speedup = {each["workload"]: each["seconds"] for each in report["speedup"]}
    first = {each["workload"]: each for each in report["first"]}
    rows = []
    for result in select(report, "float32", 1, ANY):
        name = result["workload"]
        gain = f"{speedup[name]['1'] / speedup[name]['2']:.2f}x" if name in speedup else ""
        calls = [
            f"{1e3 * first[name][kind]['cpu']:.1f}" if name in first else ""
            for kind in ("cold", "cached")
        ]
        count = result.get("operations")
        shown = "" if count is None else str(count)
        rows.append([result["title"], shown, peak_share(report, result), gain, *calls])
    head = [
        "",
        "FMA operations a pair",
        "of the peak",
        "two threads",
        "first call, ms of CPU",
        "from the disk cache",
    ]
    return markdown(head, rows)


def peak(report: Result) -> str:
    """The measured peaks."""
    rates = ", ".join(
        f"{2 * rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in report["peak"].items()
    )
    return f"Here it gave {rates}, a fused multiply-add being two."


def first_of_others(report: Result) -> str:
    """First calls of competitors for a Gaussian, beside ours."""
    ours = [each for each in report["first"] if each["workload"] == "gaussian"]
    rows = [
        [each["engine"], *(f"{1e3 * each[kind]['cpu']:.0f}" for kind in ("cold", "cached"))]
        for each in (*ours, *report["first_of_others"])
    ]
    return markdown(["", "first call, ms of CPU", "from the disk cache"], rows)


def small(report: Result) -> str:
    """Microseconds of a call, by the way it is made."""
    by_rows = {each["rows"]: each["seconds"] for each in report["small"]}
    names = next(iter(by_rows.values()), {})
    rows = [[name, *(f"{1e6 * each[name]:.1f}" for each in by_rows.values())] for name in names]
    return markdown(["us a call", *(f"M = N = {count}" for count in by_rows)], rows)


def scaling(report: Result, part: str, letter: str) -> str:
    """Gpairs/s of each competitor by size."""
    results = report[part]
    names = list(dict.fromkeys(name for each in results for name in each["engines"]))

    def speed(result: Result, name: str) -> str:
        taken = seconds(result, name)
        return "" if taken is None else f"{result['pairs'] / taken / 1e9:.3g}"

    rows = [
        [result["workload"].split("-")[1], size(result), *(speed(result, name) for name in names)]
        for result in results
    ]
    return markdown([letter, "M x N", *names], rows)


def competitors(report: Result) -> str:
    """What is called of each competitor, and where it applies."""
    return markdown(["", "what is called, and where"], report["engines"].items())


def setting(report: Result) -> str:
    """The machine and the versions."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    quick = "This was a quick run, of fewer rows: it says little. " if report["reduced"] else ""
    return quick + (
        f"{_cpu(report)} ({machine['llvm']} to LLVM), {machine['cores']} cores, vectors of "
        f"{machine['vectors']}; {machine['system']}, Python {machine['python']}; {versions}. The "
        f"whole run took {report['minutes']:.0f} minutes."
    )


def _cpu(report: Result) -> str:
    return report["machine"]["cpu"]


README_TABLES: Mapping[str, Callable[[Result], str]] = {"ratios": readme}
PAGE_TABLES: Mapping[str, Callable[[Result], str]] = {
    "setting": setting,
    "competitors": competitors,
    "float32": lambda report: ratios(report, "float32", 1, ["main"]),
    "float64": lambda report: ratios(report, "float64", 1, ANY),
    "held out": lambda report: ratios(report, "float32", 1, ["held out"]),
    "shapes": lambda report: ratios(report, "float32", 1, ["shape"]),
    "dense rate": shapes,
    "two threads": lambda report: ratios(report, "float32", 2, ANY),
    "close": close,
    "less accurate": less_accurate,
    "failures": failures,
    "peak": peak,
    "per workload": per_workload,
    "first of others": first_of_others,
    "small": small,
    "rows": lambda report: scaling(report, "rows", "N"),
    "dims": lambda report: scaling(report, "dims", "D"),
}
