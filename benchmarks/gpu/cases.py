"""What is timed on a GPU, and how many instructions a pair takes, counted in machine code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..library import Library
from ..workload import Argument, Workload

SIZES = (10_000, 100_000, 1_000_000)  # M = N
WARP = 32
SCHEDULERS = 4  # of a multiprocessor: each issues one instruction of a warp in a cycle


@dataclass(frozen=True)
class Case:
    """slots: instructions of a pair, from docs/design/cuda-kernels.md; None: not counted.

    attention: whether PyTorch has an operation of its own for it.
    """

    workload: Workload
    slots: float | None
    attention: bool = False

    def at(self, rows: int) -> Workload:
        """The workload with `rows` rows on both sides."""
        return replace(self.workload, rows=(rows, rows))

    def bound(self, multiprocessors: int, hertz: float) -> float | None:
        """Pairs a second if every cycle issued an instruction."""
        if self.slots is None:
            return None
        return multiprocessors * SCHEDULERS * WARP * hertz / self.slots


G = Argument("g", "p", 1, 0.5)


def rows_of(D: int) -> tuple[Argument, Argument]:
    """x and y, scaled so that distances are about 1 for every D."""
    return Argument("x", "i", D, "ball"), Argument("y", "j", D, "ball")


def gaussian(library: Library, g: Any, x: Any, y: Any, b: Any) -> Any:
    return library.total(library.xp.exp(-g * library.squared(x, y)), b)


def laplacian(library: Library, g: Any, x: Any, y: Any, b: Any) -> Any:
    distance = library.xp.sqrt(library.xp.clip(library.squared(x, y), 0, None))
    return library.total(library.xp.exp(-g * distance), b)


def gradient(library: Library, g: Any, x: Any, y: Any, b: Any) -> Any:
    """The derivative for x of the sum of all results."""
    weights = library.xp.exp(-g * library.squared(x, y)) * b.swapaxes(-1, -2)
    return -2 * g * (x * weights.sum(-1)[..., None] - library.total(weights, y))


def log_sum_exp(library: Library, g: Any, x: Any, y: Any) -> Any:
    return library.logsumexp(-g * library.squared(x, y))


def squared(library: Library, x: Any, y: Any) -> Any:
    return library.squared(x, y)


def attention(library: Library, x: Any, y: Any, b: Any) -> Any:
    return library.total(library.softmax(library.dot(x, y)), b)


GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"
GRADIENT = f"Grad({GAUSSIAN}, x, IntCst(1))"


def _sum(D: int, E: int, slots: float | None) -> Case:
    arguments = (G, *rows_of(D), Argument("b", "j", E))
    title = f"Gaussian, D={D}, E={E}"
    workload = Workload(f"gaussian-d{D}-e{E}", title, GAUSSIAN, arguments, gaussian, (0, 0))
    return Case(workload, slots)


def _of(name: str, title: str, formula: str, dense: Any, D: int, **options: Any) -> Workload:
    arguments = {
        gradient: (G, *rows_of(D), Argument("b", "j", 1)),
        laplacian: (G, *rows_of(D), Argument("b", "j", 1)),
        log_sum_exp: (G, *rows_of(D)),
        squared: rows_of(D),
        attention: (*rows_of(D), Argument("b", "j", D)),
    }[dense]
    return Workload(name, title, formula, arguments, dense, (0, 0), **options)


CASES = (
    _sum(3, 1, 8.44),
    Case(_of("gradient-d3", "gradient in x, D=3", GRADIENT, gradient, 3), 12.44),
    Case(_of("laplacian-d3", "Laplacian, D=3", "Exp(-g * Norm2(x - y)) * b", laplacian, 3), 16.0),
    Case(
        _of("lse-d3", "LogSumExp, D=3", "-g * SqDist(x, y)", log_sum_exp, 3, reduction="LogSumExp"),
        8.38,
    ),
    Case(_of("argmin-d3", "ArgMin, D=3", "SqDist(x, y)", squared, 3, reduction="ArgMin"), 7.38),
    Case(
        _of("knn-d3", "10 nearest, D=3", "SqDist(x, y)", squared, 3, reduction="ArgKMin", count=10),
        7.8,
    ),
    _sum(16, 1, 36.3),
    _sum(64, 1, 94.0),
    _sum(256, 1, 325.0),
    _sum(784, 1, 960.0),
    Case(_of("gradient-d64", "gradient in x, D=64", GRADIENT, gradient, 64), 235.0),
    Case(
        _of(
            "knn-d64",
            "10 nearest, D=64",
            "SqDist(x, y)",
            squared,
            64,
            reduction="ArgKMin",
            count=10,
        ),
        100.0,
    ),
    _sum(3, 64, 84.0),
    _sum(3, 256, 310.0),
    Case(
        _of(
            "attention-d64",
            "attention, D=E=64",
            "(x | y)",
            attention,
            64,
            reduction="SumSoftMaxWeight",
            formula2="b",
        ),
        170.0,
        attention=True,
    ),
)
