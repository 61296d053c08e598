"""The one way to write a sum of a kernel of a distance: what most workloads are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..library import Library
from ..workload import Argument, Radial, Workload

Profile = Callable[[Any], Callable[[Any, Any], Any]]

# At D = 3, 0.5. Above, the mean exponent of a Gaussian of normal rows stays what it is there.
SCALE = 1.5


def points(D: int, g: float | None = None) -> tuple[Argument, ...]:
    """g, x and y, of dim D; by default, with g = 1.5 / D."""
    scale = SCALE / D if g is None else g
    return (Argument("g", "p", 1, scale), Argument("x", "i", D), Argument("y", "j", D))


def radial_sum(
    name: str,
    title: str,
    formula: str,
    profile: Profile,
    rows: int,
    D: int = 3,
    width: int = 1,
    distance: str = "squared",
    **options: Any,
) -> Workload:
    """The sum of profile(distance(x, y), g) b, with b of dim `width`; M = N = rows.

    formula: that of the kernel; options: other fields of Workload.
    """

    def dense(library: Library, g: Any, x: Any, y: Any, b: Any) -> Any:
        weights = profile(library.xp)(getattr(library, distance)(x, y), g)
        return library.total(weights, b)

    fields = {
        "arguments": (*points(D), Argument("b", "j", width)),
        "rows": (rows, rows),
        "radial": Radial(distance, profile),
        "uses": (distance, "total"),
    }
    return Workload(name, title, f"{formula} * b", dense=dense, **(fields | options))


def gaussian(xp: Any) -> Callable[[Any, Any], Any]:
    return lambda s, g: xp.exp(-g * s)


def exponential(xp: Any) -> Callable[[Any, Any], Any]:
    """Of a distance that is not squared."""
    return lambda d, g: xp.exp(-g * d)


GAUSSIAN = "Exp(-g * SqDist(x,y))"
