"""Squared distances of many components: by inner products, and as accurate as the differences."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.numpy import Genred

D = 64
ALIASES = [f"x = Vi({D})", f"y = Vj({D})"]


def cloud(rng, kind: str, rows: int, dim: int = D) -> np.ndarray:
    points = rng.normal(size=(rows, dim))
    if kind == "far away":
        points += 1000 * rng.normal(size=dim)
    elif kind == "clusters":
        points = 10 * points[rng.integers(0, 5, rows)] + 1e-3 * points
    elif kind == "one far row first":
        points[0] += 1e4
    elif kind == "scaled apart":
        points *= np.geomspace(1e-3, 1e3, dim)
    return points.astype(np.float32)


@pytest.mark.parametrize("dim", [D, 150])  # in doubt, sums of more than 64 are made of parts
@pytest.mark.parametrize(
    "kind", ["normal", "far away", "clusters", "one far row first", "scaled apart"]
)
def test_distances_are_as_good_as_by_differences(kind, dim, rng):
    points = cloud(rng, kind, 400, dim)
    x, y = points[:150], points[100:]
    exact = ((x[:, None].astype(float) - y[None].astype(float)) ** 2).sum(-1)
    count = 5
    aliases = [f"x = Vi({dim})", f"y = Vj({dim})"]
    reduce = Genred("SqDist(x, y)", aliases, reduction_op="KMin", axis=1, opt_arg=count)
    order = np.argsort(exact, 1, kind="stable")[:, :count]
    expected = np.take_along_axis(exact, order, 1)
    # A sum of D squares rounds by about sqrt(D) units; a guarded distance may lose two bits.
    rtol = 4 * np.sqrt(dim) * np.finfo(np.float32).eps
    np.testing.assert_allclose(reduce(x, y), expected, rtol=rtol)


@pytest.mark.parametrize("signs", [1, -1], ids=["positive", "mixed"])
@pytest.mark.parametrize("kind", ["normal", "far away", "clusters"])
def test_weighted_distances_are_as_good_as_by_differences(kind, signs, rng):
    points = cloud(rng, kind, 300)
    x, y = points[:100], points[50:]
    w = rng.uniform(0.5, 2, D).astype(np.float32)
    w[::3] *= signs
    terms = w.astype(float) * (x[:, None].astype(float) - y[None].astype(float)) ** 2
    reduce = Genred("WeightedSqNorm(w, x - y)", [f"w = Pm({D})", *ALIASES], "Max", axis=1)
    # The terms cancel where weights have both signs: roundings are relative to their sizes.
    atol = 4 * np.sqrt(D) * np.finfo(np.float32).eps * np.abs(terms).sum(-1).max(1)
    error = np.abs(reduce(w, x, y)[:, 0] - terms.sum(-1).max(1))
    assert (error <= atol).all()


def test_no_distance_is_exactly_none(rng):
    x = cloud(rng, "far away", 100)
    row = Genred("Rsqrt(SqDist(x, y))", ALIASES, reduction_op="Min", axis=1)(x[:7], x)
    assert (row == 0).all()  # Rsqrt(0) is 0
    found = Genred("SqDist(x, y)", ALIASES, reduction_op="Min_ArgMin", axis=1)(x, x)
    assert (found[0] == 0).all()
    np.testing.assert_array_equal(found[1][:, 0], np.arange(100))


def test_what_is_not_a_number_stays_so(rng):
    x, y = cloud(rng, "normal", 5), cloud(rng, "normal", 40)
    y[3, 17], y[11, 2] = np.nan, np.inf
    total = Genred("Exp(-SqDist(x, y))", ALIASES, reduction_op="Sum", axis=1)(x, y)
    assert np.isnan(total).all()
    y[3] = 0
    total = Genred("Exp(-SqDist(x, y) / 100)", ALIASES, reduction_op="Sum", axis=1)(x, y)
    finite = np.delete(y, 11, 0).astype(float)
    expected = np.exp(-((x[:, None].astype(float) - finite[None]) ** 2).sum(-1) / 100).sum(1)
    np.testing.assert_allclose(total[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("M", [1, 5, 16, 37])
def test_the_greatest_of_many_differences_for_any_number_of_rows(M, rng):
    dim = 20
    x, y = rng.normal(size=(M, dim)), rng.normal(size=(50, dim))
    aliases = [f"x = Vi({dim})", f"y = Vj({dim})"]
    total = Genred("Exp(-Max(Abs(x - y)))", aliases, reduction_op="Sum", axis=1)(x, y)
    expected = np.exp(-abs(x[:, None] - y[None]).max(-1)).sum(1)
    np.testing.assert_allclose(total[:, 0], expected, rtol=50 * np.finfo(float).eps)
