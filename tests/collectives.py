"""Reads what XLA made of a program on many devices."""

from __future__ import annotations

import math
import re

import jax

COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")


def compiled(function, *arrays):
    return jax.jit(function).lower(*arrays).compile()


def collectives(program):
    """How many there are of each kind that there is."""
    text = program.as_text()
    found = {kind: len(re.findall(rf" {kind}(?:-start)?\(", text)) for kind in COLLECTIVES}
    return {kind: count for kind, count in found.items() if count}


def gathered(program):
    """The entries of the greatest array that is gathered."""
    shapes = re.findall(r"= \w+\[([\d,]*)\]\S* all-gather(?:-start)?\(", program.as_text())
    return max((math.prod(map(int, shape.split(","))) for shape in shapes if shape), default=0)
