"""Reductions of lazy tensors against dense float64: every one, both axes, batches, options."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.formula import REDUCTIONS
from jaxkeops.frontend.lazy import Reduced

M, N, D, E, K = 4, 5, 3, 2, 2
# Methods beside the reduction that each is; those of the second group are counted.
PLAIN = {
    "sum": "Sum",
    "min": "Min",
    "max": "Max",
    "argmin": "ArgMin",
    "argmax": "ArgMax",
    "min_argmin": "Min_ArgMin",
    "max_argmax": "Max_ArgMax",
    "logsumexp": "LogSumExp",
}
COUNTED = {"Kmin": "KMin", "argKmin": "ArgKMin", "Kmin_argKmin": "KMin_ArgKMin"}
WEIGHTED = {"logsumexp": "LogSumExp", "sumsoftmaxweight": "SumSoftMaxWeight"}
both_axes = pytest.mark.parametrize("axis", [0, 1])


@pytest.fixture
def arrays(rng):
    return rng.normal(size=(M, D)), rng.normal(size=(N, D)), rng.uniform(0.5, 1.5, (N, E))


@pytest.fixture
def distances(door, arrays):
    """Squared distances as a lazy tensor, and dense."""
    x, y, _ = arrays
    return (
        ((door.Vi(door.array(x)) - door.Vj(door.array(y))) ** 2).sum(-1),
        ((x[:, None] - y) ** 2).sum(-1, keepdims=True),
    )


def expected_of(name, dense, axis, weights=None, count=0):
    """By the value of the reduction, which is over j."""
    values = [dense] if weights is None else [dense, weights]
    values = [np.swapaxes(each, 0, 1) if axis == 0 else each for each in values]
    return REDUCTIONS[name].value(values[0], values[1] if len(values) > 1 else None, count)


def check(close, result, expected):
    results = result if isinstance(result, tuple) else (result,)
    for one, other in zip(results, expected, strict=True):
        close(one, other)


@both_axes
@pytest.mark.parametrize("suffix", ["", "_reduction"])
@pytest.mark.parametrize("method", PLAIN)
def test_a_reduction_of_numbers(method, suffix, axis, distances, close):
    lazy, dense = distances
    expected = expected_of(PLAIN[method], dense, axis)
    check(close, getattr(lazy, method + suffix)(axis=axis), expected)
    check(close, getattr(lazy, method + suffix)(dim=axis), expected)
    check(close, getattr(lazy, method + suffix)(axis), expected)
    check(close, getattr(lazy, method + suffix)(axis - 3), expected)
    check(close, lazy.reduction(PLAIN[method], axis=axis), expected)


@both_axes
@pytest.mark.parametrize("method", PLAIN)
def test_a_reduction_of_vectors(method, axis, door, arrays, close):
    x, y, _ = arrays
    lazy = door.Vi(door.array(x)) * door.Vj(door.array(y))
    check(
        close,
        getattr(lazy, method)(axis=axis),
        expected_of(PLAIN[method], x[:, None] * y, axis),
    )


@both_axes
@pytest.mark.parametrize("method", COUNTED)
def test_the_least_values(method, axis, distances, close):
    lazy, dense = distances
    expected = expected_of(COUNTED[method], dense, axis, count=K)
    check(close, getattr(lazy, method)(K, axis), expected)
    check(close, getattr(lazy, method)(K=K, dim=axis), expected)
    check(close, getattr(lazy, f"{method}_reduction")(K, axis=axis), expected)


def test_how_many_may_be_said_by_an_array(door, distances, close):
    lazy, dense = distances
    expected = expected_of(COUNTED["Kmin"], dense, 1, count=K)
    check(close, lazy.Kmin(door.array(np.array(K)), 1), expected)
    genred = door.Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], "KMin", 1, opt_arg=np.int64(2))
    assert genred.opt_arg == 2
    with pytest.raises(ArgumentTypeError, match="opt_arg is an integer, 1 or more, got True"):
        lazy.Kmin(True, 1)


@both_axes
@pytest.mark.parametrize("method", WEIGHTED)
def test_weighted_reductions(method, axis, door, arrays, distances, close):
    lazy, dense = distances
    weight = door.Vj(door.array(arrays[2]))
    weights = np.broadcast_to(arrays[2], (M, N, E))
    expected = expected_of(WEIGHTED[method], dense, axis, weights)
    check(close, getattr(lazy, method)(weight=weight, axis=axis), expected)
    check(
        close,
        lazy.reduction(WEIGHTED[method], other=weight, axis=axis),
        expected,
    )
    if method == "logsumexp":
        check(close, lazy.logsumexp(axis, other=weight), expected)


@pytest.mark.parametrize("name", ["Sum", "Min", "Max", "ArgMin", "ArgMax"])
def test_without_an_axis_coordinates_are_reduced_lazily(name, door, arrays, close):
    x, y, _ = arrays
    lazy = door.Vi(door.array(x)) * door.Vj(door.array(y))
    dense = REDUCTIONS[name].value(
        np.swapaxes((x[:, None] * y)[..., None], -1, -2)[..., None], None, 0
    )
    for found in (getattr(lazy, name.lower())(), getattr(lazy, name.lower())(axis=2)):
        assert found.shape == (M, N)
        close(found.dense(), np.asarray(dense[0], float)[..., 0, 0])


def test_results_over_ranges_are_those_of_the_pairs_that_they_hold(door, distances, close):
    lazy, dense = distances
    rows, columns = np.array([[0, 2], [2, 4]]), np.array([[0, 3], [3, 5]])
    ranges = door.cluster.from_matrix(
        door.array(rows), door.array(columns), door.array(np.array([[True, False], [False, True]]))
    )
    kept = np.zeros((M, N, 1))
    kept[:2, :3] = kept[2:, 3:] = 1
    expected = (dense * kept).sum(1)
    close(lazy.sum(1, ranges=ranges), expected)
    lazy.ranges = ranges
    close(lazy.sum(1), expected)
    close((2 * lazy).T.sum(0), 2 * expected)
    assert (lazy + 1).ranges is ranges
    other = lazy + 0
    other.ranges = list(ranges)
    with pytest.raises(ArgumentError, match=r"\+: its operands have each their own ranges"):
        lazy + other


def test_masks_are_ranges(door, arrays, distances, close):
    lazy, dense = distances
    i, j = np.arange(M)[:, None], np.arange(N)
    keep = {
        "causal": (lazy.causal(), j <= i + N - M),
        "window": (lazy.window(1, 0), (j >= i - 1) & (j <= i)),
        "segments": (
            lazy.segment_ids(
                door.array(np.array([0, 0, 1, 1])), door.array(np.array([0, 1, 1, 1, 2]))
            ),
            np.array([0, 0, 1, 1])[:, None] == np.array([0, 1, 1, 1, 2]),
        ),
        "blocks": (
            lazy.block_mask(door.array(np.array([[True], [False]])), (2, 5)),
            (i < 2) & (j < 5),
        ),
        "cells that the rows do not fill": (
            lazy.block_mask(door.array(np.array([[True, False], [False, True]])), 3),
            (i < 3) == (j < 3),
        ),
    }
    for masked, kept in keep.values():
        close(masked.sum(1), (dense[..., 0] * kept).sum(1)[:, None])
        assert masked.ranges is not None
        assert lazy.ranges is None


def test_masks_are_of_all_rows(door, distances):
    lazy, _ = distances
    ids = door.array(np.zeros(N, int))
    with pytest.raises(ArgumentError, match="each of the 4 rows i has an id, got 5"):
        lazy.segment_ids(ids, ids)
    with pytest.raises(ArgumentError, match="each of the 5 rows j has an id, got 4"):
        lazy.segment_ids(ids[:M], ids[:M])
    for cells in ((1, 2), (2, 1), (3, 2)):
        with pytest.raises(ArgumentError, match=r"4 rows and 5 columns .* shape \(2, 2\), got"):
            lazy.block_mask(door.array(np.ones(cells, bool)), 3)


@both_axes
def test_batches_broadcast(axis, door, rng, close):
    x, y = rng.normal(size=(2, 1, M, 1, D)), rng.normal(size=(3, 1, N, D))
    p, q = rng.uniform(0.5, 1, (2, 1, 1, 1, 1)), rng.uniform(size=(3, 1, 1, D))
    X, Y, P, Q = (door.LazyTensor(door.array(each)) for each in (x, y, p, q))
    lazy = (-P * ((X - Y * Q) ** 2).sum(-1)).exp()
    dense = np.exp(-p * ((x - y * q) ** 2).sum(-1, keepdims=True))
    assert lazy.shape == (2, 3, M, N)
    assert lazy.batchdims == (2, 3)
    close(lazy.sum(2 + axis), dense.sum(2 + axis))
    close(lazy.logsumexp(2 + axis), np.log(np.exp(dense).sum(2 + axis)))
    close(lazy.argmin(dim=2 + axis), dense.argmin(2 + axis))
    close(lazy.dense(), dense[..., 0])
    close(lazy.diagonal(), np.diagonal(dense[..., 0], axis1=-2, axis2=-1))
    with pytest.raises(ArgumentError, match="axis 2 is rows i and axis 3 rows j, got 1"):
        lazy.sum(1)


def test_batches_of_parameters_alone(door, rng, close):
    x, p = rng.normal(size=(M, D)), rng.normal(size=(2, 1, 1, D))
    X, P = door.Vi(door.array(x)), door.LazyTensor(door.array(p))
    dense = x[:, None] * p
    close((X * P).sum(1), dense.sum(1))
    close((X * P).sum(2), dense.sum(2))
    close((X * P).max(dim=1), dense.max(1))
    close(P.sum(1), p.sum(1))
    one = door.LazyTensor(door.array(p[:1]))
    close((X * one).sum(2), (x[:, None] * p[:1]).sum(2))
    close((X * one).dense(), x[:, None] * p[:1])
    least = np.sort(x[:, None] * p[:1], 1)[:, :2]
    close((X * one).Kmin(2, dim=1), np.moveaxis(least, 2, 1))


def test_an_expression_of_numbers_alone(door, close):
    close(door.LazyTensor(2.5).sum(1), np.array([[2.5]]).astype(_default(door)))
    close((door.LazyTensor([1.0, 2.0]) * 2).sum(0), np.array([[2.0, 4.0]]).astype(_default(door)))
    close(door.LazyTensor(-1).acos().sum(1), np.array([[np.pi]]).astype(_default(door)))


def test_arguments_may_have_batch_axes_of_their_own(door, rng, close):
    x, y = rng.normal(size=(2, M, D)), rng.normal(size=(3, 1, N, D))
    p = rng.uniform(size=(2, 1, 1, D))
    reduced = (door.Vi(0, D) * door.Vj(1, D) * door.LazyTensor(door.array(p))).sum_reduction(axis=2)
    expected = (x[:, :, None] * y[:, :, None] * p).sum(-2)
    close(reduced(door.array(x), door.array(y)), expected)


def _default(door):
    return "float32" if door.name == "torch" else "float64"


def test_a_reduction_to_be_called_later(door, arrays, distances, close):
    lazy, dense = distances
    later = lazy.sum_reduction(axis=1, call=False)
    assert isinstance(later, Reduced)
    close(later(), dense.sum(1))
    with pytest.raises(ArgumentError, match="takes 0 arrays, got 1"):
        later(door.array(arrays[0]))


def test_arguments_of_a_call_come_in_the_order_of_their_indices(door, arrays, close):
    x, y, b = arrays
    X, Y, P = door.Vi(2, D), door.Vj(0, D), door.Pm(1, 1)
    B = door.Vj(door.array(b))
    assert X.symbolic_variables == ((2, D, 0),)
    assert (X - Y).new_variable_index() == 3
    reduced = ((-P * X.sqdist(Y)).exp() * B).sum_reduction(axis=1)
    weights = np.exp(-0.5 * ((x[:, None] - y) ** 2).sum(-1))
    given = door.array(y), door.array(np.array([0.5])), door.array(x)
    close(reduced(*given), weights @ b)
    with pytest.raises(
        ArgumentError, match=r"takes 3 arrays \(0: Vj\(3\), 1: Pm\(1\), 2: Vi\(3\)\)"
    ):
        reduced(*given[:2])
    with pytest.raises(ArgumentError, match="argument 2 is declared twice"):
        X - door.Vj(2, D)
    with pytest.raises(ArgumentError, match="dense needs the arrays"):
        X.dense()
    kernel = door.LazyTensor((0, D, 0)).sqdist(door.LazyTensor((1, D, 1)))
    close(
        kernel.argKmin(2, dim=1)(door.array(x), door.array(y)),
        np.argsort(((x[:, None] - y) ** 2).sum(-1), 1)[:, :2],
    )


def test_options_of_a_call(door, distances, close):
    lazy, dense = distances
    lazy.backend = "CPU"
    expected = dense.sum(1)
    close(lazy.sum(1, backend="auto", device_id=-1, sum_scheme="kahan_scheme"), expected)
    close(lazy.sum_reduction(axis=1, use_double_acc=True, enable_chunks=False), expected)
    if door.name != "jax":
        out = door.array(np.zeros((M, 1)))
        assert lazy.sum(1, out=out) is out
        close(out, expected)
    with pytest.raises(ArgumentTypeError, match="no option 'fast'"):
        lazy.sum(1, fast=True)
    with pytest.raises(ArgumentTypeError, match="takes no options, got backend"):
        lazy.sum(-1, backend="CPU")
    with pytest.raises(ArgumentTypeError, match="Min needs an axis"):
        lazy.min_reduction()
    with pytest.raises(ArgumentError, match="called after a reduction only"):
        lazy(1)


def test_rows_of_one_and_of_none(door, rng, close):
    y = rng.normal(size=(N, D))
    one = door.LazyTensor(door.array(y[:1, None])) - door.Vj(door.array(y))
    close(one.sum(1), (y[:1] - y).sum(0)[None])
    close(one.sum(0), y[:1] - y)
    none = door.Vi(door.array(y)) - door.Vj(door.array(y[:0]))
    close(none.sum(1), np.zeros((N, D)))
    close(none.sum(0), np.zeros((0, D)))
    assert none.dense().shape == (N, 0, D)
