"""Nearest neighbours of the main table: the least distance, and the ten least."""

from __future__ import annotations

from typing import Any

from ..library import Library
from ..workload import Argument, Radial, Workload

K = 10


def nearest(
    name: str,
    title: str,
    rows: int,
    D: int,
    formula: str = "SqDist(x,y)",
    distance: str = "squared",
    count: int | None = K,
    **options: Any,
) -> Workload:
    """The `count` least distances of each row of x to rows of y; the least one for None."""

    def dense(library: Library, x: Any, y: Any) -> Any:
        return getattr(library, distance)(x, y)

    return Workload(
        name,
        title,
        formula,
        (Argument("x", "i", D), Argument("y", "j", D)),
        dense=dense,
        rows=(rows, rows),
        uses=(distance,),
        reduction="ArgKMin" if count else "ArgMin",
        count=count,
        radial=Radial(distance),
        **options,
    )


NEIGHBOURS = (
    nearest("argmin", "ArgMin, D=3", 8000, 3, count=None, dtypes=("float32", "float64")),
    nearest("knn-d3", "10-NN, D=3", 6000, 3),
    nearest("knn-d16", "10-NN, D=16", 4000, 16),
    nearest("knn-d64", "10-NN, D=64", 3000, 64),
)
