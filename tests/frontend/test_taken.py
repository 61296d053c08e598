"""How often ranges take each pair, against loops over blocks and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError
from jaxkeops.frontend.patterns import causal
from jaxkeops.frontend.taken import taken, taken_on_diagonal

M, N = 7, 9


def drawn(rng):
    """Blocks apart, in any order, some of them empty; each with some intervals, or none."""
    cuts = np.sort(rng.integers(0, M + 1, 6))
    rows = np.stack([cuts[:-1], cuts[1:]], 1)
    rows = rng.permutation(rows)[: rng.integers(0, 6)]
    counts = rng.integers(0, 4, len(rows))
    unused = rng.integers(0, 2)
    intervals = np.sort(rng.integers(0, N + 1, (counts.sum() + unused, 2)), axis=1)
    return rows, np.cumsum(counts), intervals


def by_loops(rows, ends, intervals):
    pairs, start = np.zeros((M, N), int), 0
    for (i, i_end), end in zip(rows, ends, strict=True):
        for j, j_end in intervals[start:end]:
            pairs[i:i_end, j:j_end] += 1
        start = end
    return pairs


def test_each_pair_counts_as_often_as_intervals_hold_it(rng):
    for _ in range(200):
        half = drawn(rng)
        expected = by_loops(*half)
        np.testing.assert_array_equal(taken((*half, *half), M, N), expected)
        np.testing.assert_array_equal(taken_on_diagonal((*half, *half), M, N), expected.diagonal())


def test_traced_ranges_count_as_known_ones(rng):
    jax = pytest.importorskip("jax")
    traced = [jax.jit(lambda *ranges, f=f: f(ranges, M, N)) for f in (taken, taken_on_diagonal)]
    half = (
        np.array([[5, 7], [0, 0], [1, 3]], np.int32),
        np.array([2, 2, 3], np.int32),
        np.array([[0, 4], [2, 6], [1, 9]], np.int32),
    )
    for count in (3, 0):
        rows, ends, intervals = half[0][:count], half[1][:count], half[2]
        expected = by_loops(rows, ends, intervals)
        found = [np.asarray(f(rows, ends, intervals, rows, ends, intervals)) for f in traced]
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found[1], expected.diagonal())


def test_ranges_that_do_not_fit_are_refused():
    first = causal(M, N)[:3]
    wrong = {
        r"ranges_i\[6\] = \[6, 7\] is no block of 6 rows": (M - 1, N, first),
        r"redranges_j\[6\] = \[0, 9\] is no block of 8 rows": (M, N - 1, first),
        "slices_i holds ends that do not decrease, up to 7": (
            M,
            N,
            (first[0], -first[1], first[2]),
        ),
        "blocks of rows overlap": (M, N, (np.sort(first[0] * [0, 1]), *first[1:])),
        "hold integers, got dtype float64": (M, N, (*first[:2], first[2] * 1.0)),
    }
    for message, (rows, columns, half) in wrong.items():
        for function in (taken, taken_on_diagonal):
            with pytest.raises(ArgumentError, match=message):
                function((*half, *half), rows, columns)
