"""The same Gaussian in other shapes of problem: few rows, the other axis, batches, blocks."""

from __future__ import annotations

from dataclasses import replace

from ..workload import Argument, Blocks
from .radial import GAUSSIAN, gaussian, points, radial_sum

_BASE = replace(radial_sum("", "", GAUSSIAN, gaussian, 8000), group="shape")
_G, _X, _Y = points(3)

SHAPES = (
    replace(_BASE, name="one-row", title="Gaussian, D=3, M=1, N=1e6", rows=(1, 1_000_000)),
    replace(_BASE, name="few-rows", title="Gaussian, D=3, M=16, N=1e6", rows=(16, 1_000_000)),
    replace(
        _BASE,
        name="axis-0",
        title="Gaussian, D=3, reduced over i",
        axis=0,
        arguments=(_G, _X, _Y, Argument("b", "i", 1)),
        dense=lambda library, g, x, y, b: _BASE.dense(library, g, y, x, b),
        radial=None,
    ),
    replace(
        _BASE,
        name="batches",
        title="Gaussian, D=3, 1000 batches of 100 x 100",
        rows=(100, 100),
        batch=1000,
    ),
    replace(
        _BASE,
        name="blocks",
        title="Gaussian, D=3, a quarter of the blocks of 64 x 64",
        rows=(8192, 8192),
        blocks=Blocks(size=64, kept=32),
    ),
)
