"""The Gaussian of the main table over sizes: in rows, and in dimension."""

from __future__ import annotations

from dataclasses import replace

from ..workload import Workload
from .radial import GAUSSIAN, gaussian, radial_sum

MOST_ROWS = 2000
MOST_PAIRS = 200_000_000
COUNTS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
DIMS = (1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
COORDINATES = 100_000_000  # differences of coordinates in one call, at most


def _of_rows(N: int) -> Workload:
    M = min(N, MOST_ROWS, MOST_PAIRS // N)
    base = radial_sum(f"rows-{N}", f"Gaussian, D=3, N={N}", GAUSSIAN, gaussian, N)
    return replace(base, rows=(M, N), group="rows")


def _of_dim(D: int) -> Workload:
    rows = min(4000, int((COORDINATES / D) ** 0.5) // 100 * 100)
    base = radial_sum(f"dim-{D}", f"Gaussian, D={D}", GAUSSIAN, gaussian, rows, D)
    return replace(base, group="dims")


SCALING = (*map(_of_rows, COUNTS), *map(_of_dim, DIMS))
