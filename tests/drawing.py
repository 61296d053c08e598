"""Strategies that draw formulas, arrays and ranges, for property tests.

JAXKEOPS_DRAWS sets the number of draws of each property (default 100).
"""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, settings, strategies as st

from jaxkeops.formula import OPS, F, Node, Var
from jaxkeops.ir import Input

DRAWS = int(os.environ.get("JAXKEOPS_DRAWS", "100"))
drawn = settings(
    max_examples=DRAWS,
    deadline=None,
    derandomize="JAXKEOPS_DRAWS" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

POOL = (
    Var(1, 0, "p"),
    Var(3, 1, "i"),
    Var(3, 2, "j"),
    Var(2, 3, "j"),
    Var(1, 4, "i"),
    Var(3, 5, "p"),
)
INPUTS = [Input(var.axis, var.dim) for var in POOL]
# A rounding of their argument changes their value by a step, or their derivative is not that of
# differences across the step.
STEPS = {
    "Abs", "ArgMax", "ArgMin", "Clamp", "ClampInt", "DiffClampInt", "Equal", "Floor", "IfElse",
    "IfLess", "LessOrEqual", "LessThan", "Max", "Min", "Mod", "NotEqual", "OneHot", "ReLU",
    "Round", "Sign", "Step", "BSpline", "SoftDTW_SqDist",
}  # fmt: skip
CHOICES = [(op, *sample) for op in OPS.values() if op.arity for sample in op.samples]
SMOOTH = [(op, *rest) for op, *rest in CHOICES if op.name not in STEPS and not op.prescribed]


@st.composite
def nodes(draw, dim: int | None = None, depth: int = 3, choices=CHOICES) -> Node:
    """A formula; each argument of an op is brought into the op's domain by a sine."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return _leaf(draw(st.sampled_from(POOL)), dim)
    op, dims, params = draw(st.sampled_from(choices))
    low, high = op.domain
    args = []
    for size in dims:
        arg = draw(nodes(size, depth - 1, choices))
        args.append((low + high) / 2 + (high - low) / 2 * F.Sin(arg))
    return _leaf(op(*args, *params), dim)


def _leaf(node: Node, dim: int | None) -> Node:
    """`node`, cut or repeated to `dim` coordinates."""
    if dim is None or node.dim == dim:
        return node
    if node.dim == 1:
        return F.SumT(node, dim)
    return F.Extract(node, 0, dim) if node.dim > dim else F.ExtractT(node, 0, dim)


sizes = st.one_of(st.sampled_from([0, 1, 2, 16, 17]), st.integers(3, 40))
batches = st.lists(st.integers(1, 3), max_size=2).map(tuple)


@st.composite
def arrays_of(draw, dtype: str = "float64") -> list[np.ndarray]:
    """One array for each of POOL, each with some of the batch axes cut to 1."""
    M, N, batch = draw(sizes), draw(sizes), draw(batches)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    result = []
    for var in POOL:
        own = tuple(extent if draw(st.booleans()) else 1 for extent in batch)
        rows = {"i": (M,), "j": (N,), "p": ()}[var.axis]
        result.append(rng.uniform(-1.5, 1.5, (*own, *rows, var.dim)).astype(dtype))
    return result


@st.composite
def ranges_of(draw, M: int, N: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The three arrays of the kept rows, and how often they take each pair, (M, N)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, min(4, (M + 1) // 2)))
    blocks = np.sort(rng.choice(M + 1, 2 * count, replace=False)).reshape(-1, 2)
    blocks = blocks[rng.permutation(count)]
    lengths = rng.integers(0, 4, count)
    reduced = np.sort(rng.integers(0, N + 1, (int(lengths.sum()), 2)), 1)
    ends = np.cumsum(lengths)
    times = np.zeros((M, N), int)
    for (first, last), end, length in zip(blocks, ends, lengths, strict=True):
        for start, stop in reduced[end - length : end]:
            times[first:last, start:stop] += 1
    arrays = (blocks, ends, reduced)
    return tuple(array.astype(np.int64) for array in arrays), times
