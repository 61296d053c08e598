"""Block-sparse ranges against the dense oracle with the pairs outside taken away."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.formula import REDUCTIONS
from jaxkeops.numpy import Genred

ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)"]
FORMULA = "-g * SqDist(x, y)"


def random_ranges(rng, M, N, blocks_i, blocks_j, density=0.4):
    """Six arrays, and the (M, N) mask that they mean. Some blocks meet none."""
    cuts_i = np.sort(rng.choice(np.arange(M + 1), 2 * blocks_i, replace=False)).reshape(-1, 2)
    cuts_j = np.sort(rng.choice(np.arange(N + 1), 2 * blocks_j, replace=False)).reshape(-1, 2)
    met = rng.uniform(size=(blocks_i, blocks_j)) < density
    order_i, order_j = rng.permutation(blocks_i), rng.permutation(blocks_j)
    cuts_i, cuts_j, met = cuts_i[order_i], cuts_j[order_j], met[order_i][:, order_j]
    mask = np.zeros((M, N), bool)
    for (a, b), row in zip(cuts_i, met, strict=True):
        for (c, d), there in zip(cuts_j, row, strict=True):
            mask[a:b, c:d] |= there

    def of(rows, columns, table):
        reduced = [columns[row] for row in table]
        ends = np.cumsum([len(row) for row in reduced])
        return rows, ends, np.concatenate([*reduced, np.zeros((0, 2), int)]).astype(int)

    return (*of(cuts_i, cuts_j, met), *of(cuts_j, cuts_i, met.T)), mask


def expected_of(name, count, arrays, mask, axis):
    """Row by row, the reduction of the terms that the mask lets in."""
    gamma, x, y = arrays
    terms = -gamma * ((x[:, None] - y[None]) ** 2).sum(-1)
    if axis == 0:
        terms, mask = terms.T, mask.T
    rows = []
    for term, there in zip(terms, mask, strict=True):
        where = np.flatnonzero(there)
        results = REDUCTIONS[name].value(term[where][:, None], None, count or 0)
        rows.append(
            [
                where[np.minimum(r, len(where) - 1)] if r.dtype.kind == "i" and len(where) else r
                for r in results
            ]
        )
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("name", "count"), [("Sum", None), ("LogSumExp", None), ("Max_ArgMax", None), ("KMin", 2)]
)
def test_only_the_pairs_in_the_ranges_count(name, count, axis, rng):
    for blocks in ((1, 1), (3, 5), (20, 30)):
        ranges, mask = random_ranges(rng, 150, 400, *blocks)
        arrays = np.array([0.3]), rng.normal(size=(150, 3)), rng.normal(size=(400, 3))
        reduce = Genred(FORMULA, ALIASES, name, axis=axis, opt_arg=count)
        results = reduce(*arrays, ranges=ranges)
        results = results if isinstance(results, tuple) else (results,)
        covered = mask.any(1 if axis == 1 else 0)
        expected = expected_of(name, count, arrays, mask, axis)
        for result, right in zip(results, expected, strict=True):
            np.testing.assert_allclose(result[covered], right[covered], rtol=1e-12)
            if result.dtype.kind == "f":
                np.testing.assert_array_equal(result[~covered], right[~covered])


def test_ranges_serve_every_batch_element(rng):
    ranges, mask = random_ranges(rng, 30, 40, 4, 4)
    g, x, y = np.array([0.3]), rng.normal(size=(3, 1, 30, 3)), rng.normal(size=(2, 40, 3))
    result = Genred(FORMULA, ALIASES, axis=1)(g, x, y, ranges=ranges)
    terms = -g * ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)
    np.testing.assert_allclose(result[..., 0], (terms * mask).sum(-1), rtol=1e-12)


def test_blocks_may_repeat(rng):
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(6, 3))
    blocks = np.array([[0, 5]]), np.array([2]), np.array([[0, 6], [2, 4]])
    transposed = np.array([[0, 2], [2, 4], [4, 6]]), np.array([1, 3, 4]), np.array([[0, 5]] * 4)
    reduce = Genred("SqDist(x, y)", ["x = Vi(3)", "y = Vj(3)"], axis=1)
    terms = ((x[:, None] - y) ** 2).sum(-1)
    expected = terms.sum(1) + terms[:, 2:4].sum(1)
    np.testing.assert_allclose(reduce(x, y, ranges=(*blocks, *transposed))[:, 0], expected)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, list])
def test_integers_of_any_kind_are_taken(dtype, rng):
    ranges, _ = random_ranges(rng, 30, 40, 4, 4)
    arrays = np.array([0.3]), rng.normal(size=(30, 3)), rng.normal(size=(40, 3))
    reduce = Genred(FORMULA, ALIASES, axis=1)
    given = [r.tolist() if dtype is list else r.astype(dtype) for r in ranges]
    given = [g if len(g) else r for g, r in zip(given, ranges, strict=True)]
    np.testing.assert_array_equal(reduce(*arrays, ranges=given), reduce(*arrays, ranges=ranges))


def test_wrong_ranges_are_refused(rng):
    ranges, _ = random_ranges(rng, 30, 40, 4, 4, density=1.0)
    arrays = np.array([0.3]), rng.normal(size=(30, 3)), rng.normal(size=(40, 3))
    reduce = Genred(FORMULA, ALIASES, axis=1)

    def changed(k, value):
        return tuple(value if k == n else r for n, r in enumerate(ranges))

    far = ranges[0].copy()
    far[0] = far[0] + 1000
    for wrong, error, message in (
        (3, ArgumentTypeError, "tuple of six integer arrays"),
        (ranges[:5], ArgumentError, "got 5"),
        (changed(0, ranges[0].astype(float)), ArgumentError, "ranges_i holds integers"),
        (changed(0, ranges[0][:, :1]), ArgumentError, "ranges_i holds a .* pair in each row"),
        (changed(1, ranges[1][:-1]), ArgumentError, "slices_i holds one end for each block"),
        (changed(1, ranges[1] - 1), ArgumentError, "not the same pairs"),
        (changed(0, far), ArgumentError, r"not within \[0, 30\]"),
    ):
        with pytest.raises(error, match=message):
            reduce(*arrays, ranges=wrong)
