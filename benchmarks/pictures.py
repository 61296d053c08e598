"""The pictures of docs/benchmarks.md, as SVG, from a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .engines import OURS, PEER
from .tables import ANY, others, seconds, select

STYLE = {
    "svg.fonttype": "none",  # text stays text: small files, and sharp letters
    "svg.hashsalt": "jaxkeops",  # the same figures give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "figure.facecolor": "white",
}
# Of Okabe and Ito, which most colour-blind readers tell apart.
COLORS = {OURS: "#0072b2", PEER: "#d55e00", "torch": "#009e73", "jnp": "#cc79a7"}
OTHER = "#e69f00"
LETTER = 1.4  # the height of a name, as a factor on the axis


def write_pictures(report: Mapping[str, Any], folder: Path) -> None:
    """ratios.svg, rows.svg, dims.svg and first.svg, of what the report holds."""
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        pictures = {
            "ratios": ratios(select(report, "float32", 1, ANY)),
            "rows": scaling(report["rows"], "N, rows that are reduced over", base=10),
            "dims": scaling(report["dims"], "D, dimension", base=2),
            "first": first(report),
        }
        for name, figure in pictures.items():
            figure.savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
            plt.close(figure)


def ratios(results: Sequence[Mapping[str, Any]]) -> Figure:
    """How many times longer PyKeOps and the quickest other code take, for each workload."""
    results = [result for result in results if seconds(result, OURS)]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.24 * len(results)))
    for row, result in enumerate(results):
        if (taken := seconds(result, PEER)) is not None:
            times = taken / seconds(result, OURS)
            axes.barh(row, times - 1, 0.62, left=1, color=COLORS[PEER])
            axes.text(max(times, 1) * 1.08, row, f"{times:.0f}", va="center", color="#666666")
        if rest := others(result):
            times = next(iter(rest.values()))
            axes.plot(times, row, "o", color=OTHER, markeredgecolor="white", markersize=7)
    axes.set_yticks(range(len(results)), [result["title"] for result in results])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color=COLORS[OURS], linewidth=1.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
    axes.set_xlabel("time over that of jaxkeops; float32, one thread")
    axes.tick_params(length=0)
    axes.grid(axis="y", visible=False)
    axes.barh([0], [0], left=1, color=COLORS[PEER], label=PEER)
    axes.plot([], [], "o", color=OTHER, markersize=7, label="the quickest other code")
    axes.plot([], [], color=COLORS[OURS], label=OURS)
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=3, frameon=False)
    return figure


def scaling(results: Sequence[Mapping[str, Any]], label: str, base: int) -> Figure:
    """Pairs a second by size, a line for each competitor, named at its end."""
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    names = dict.fromkeys(name for result in results for name in result["engines"])
    ends = {}
    for name in names:
        points = [
            (float(result["workload"].split("-")[1]), result["pairs"] / taken / 1e9)
            for result in results
            if (taken := seconds(result, name)) is not None
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=_color(name), marker="o", markersize=3.5, linewidth=1.8)
            ends[name] = points[-1]
    _name_lines(axes, ends)
    axes.set_xscale("log", base=base)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylabel("Gpairs/s; Gaussian, float32, one thread")
    return figure


def _name_lines(axes: Axes, ends: Mapping[str, tuple[float, float]]) -> None:
    """Each name beside the end of its line, and above the name below it."""
    lowest = 0.0
    for name, (x, y) in sorted(ends.items(), key=lambda end: end[1][1]):
        place = max(y, lowest)
        axes.annotate(
            name, (x, place), (6, 0), textcoords="offset points", color=_color(name), va="center"
        )
        lowest = place * LETTER


def _color(name: str) -> str:
    return COLORS.get(name, "#888888")


def _count(value: float, _: Any) -> str:
    return f"{value:g}" if value < 1e4 else f"1e{len(f'{value:.0f}') - 1}"


def first(report: Mapping[str, Any]) -> Figure:
    """Milliseconds of CPU from a formula's text to its result, in a new process."""
    bars = [(each["title"], OURS, each) for each in report["first"]]
    bars += [(f"{each['engine']}: Gaussian", "", each) for each in report["first_of_others"]]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.24 * max(1, len(bars))))
    for row, (_, name, each) in enumerate(bars):
        cold, cached = (1e3 * each[kind]["cpu"] for kind in ("cold", "cached"))
        axes.barh(row, cold, 0.62, color=COLORS.get(name, "#999999"))
        axes.plot(cached, row, "D", color="white", markeredgecolor="#333333", markersize=5)
        axes.text(max(cold, cached) * 1.12, row, f"{cold:.0f}", va="center", color="#666666")
    axes.set_yticks(range(len(bars)), [title for title, _, _ in bars])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.set_xlabel("ms of CPU from text to result in a new process")
    axes.tick_params(length=0)
    axes.grid(axis="y", visible=False)
    axes.barh([0], [0], color=COLORS[OURS], label="nothing cached")
    axes.plot([], [], "D", color="white", markeredgecolor="#333333", label="from the disk cache")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, frameon=False)
    return figure
