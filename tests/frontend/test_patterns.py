"""Patterns as ranges: each against the dense mask that it means, through the NumPy door."""

from __future__ import annotations

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.jax import Genred as JaxGenred, cluster as jax_cluster
from jaxkeops.numpy import Genred, cluster

FORMULA, ALIASES = "x * y", ["x = Vi(1)", "y = Vj(1)"]
REDUCE = {axis: Genred(FORMULA, ALIASES, axis=axis) for axis in (0, 1)}
SIZES = [(5, 7), (7, 5), (6, 6), (1, 1), (40, 33), (0, 4), (4, 0), (0, 0)]
NAMES = ["block_mask", "causal", "from_matrix", "segment_ids", "swap_axes", "window"]


@pytest.fixture
def assert_pairs(rng):
    """Asserts that ranges hold the pairs of a mask, on both axes.

    The terms are integers, so sums are exact, and the door refuses halves that disagree.
    """

    def check(ranges, mask):
        M, N = mask.shape
        x, y = (rng.integers(1, 1000, (rows, 1)).astype(float) for rows in (M, N))
        for axis, reduce in REDUCE.items():
            expected = (x * y.T * mask).sum(axis)
            np.testing.assert_array_equal(reduce(x, y, ranges=ranges)[:, 0], expected)
        assert [array.dtype for array in ranges] == [np.int64] * 6

    return check


def indices(M, N):
    return np.arange(M)[:, None], np.arange(N)


def random_blocks(rng, rows, blocks):
    cuts = np.sort(rng.choice(rows + 1, 2 * blocks, replace=False)).reshape(-1, 2)
    return rng.permutation(cuts)


@pytest.mark.parametrize("blocks", [(1, 1), (4, 3), (9, 20)])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_a_matrix_keeps_pairs_of_blocks(blocks, density, rng, assert_pairs):
    M, N = 30, 50
    rows, columns = random_blocks(rng, M, blocks[0]), random_blocks(rng, N, blocks[1])
    keep = rng.uniform(size=blocks) < density
    mask = np.zeros((M, N), bool)
    for k, m in zip(*np.nonzero(keep), strict=True):
        mask[slice(*rows[k]), slice(*columns[m])] = True
    assert_pairs(cluster.from_matrix(rows, columns, keep), mask)


def test_a_matrix_gives_blocks_in_order_and_merges_none():
    rows, columns = [[7, 12], [2, 5]], [[1, 4], [4, 9], [20, 30]]
    keep = np.array([[1, 1, 0], [0, 1, 0]], bool)
    expected = (
        rows,
        [2, 3],
        [[1, 4], [4, 9], [4, 9]],
        columns,
        [1, 3, 3],
        [[7, 12], [7, 12], [2, 5]],
    )
    for array, right in zip(cluster.from_matrix(rows, columns, keep), expected, strict=True):
        np.testing.assert_array_equal(array, right)


def test_blocks_may_be_empty(assert_pairs):
    mask = np.zeros((6, 5), bool)
    mask[:2, 3:] = True
    keep = np.ones((2, 2), bool)
    assert_pairs(cluster.from_matrix([[0, 2], [4, 4]], [[3, 5], [0, 0]], keep), mask)


def test_no_blocks_at_all_are_ranges_too(assert_pairs):
    none, keep = np.zeros((0, 2), int), np.zeros((0, 0), bool)
    assert_pairs(cluster.from_matrix(none, none, keep), np.zeros((3, 4), bool))
    assert_pairs(cluster.block_mask(keep, 16), np.zeros((3, 4), bool))
    assert_pairs(
        cluster.from_matrix(none, [[0, 4]], np.zeros((0, 1), bool)), np.zeros((3, 4), bool)
    )


def test_what_a_matrix_gives_shares_no_memory_with_what_was_given():
    rows, columns = np.array([[0, 2]]), np.array([[0, 3]])
    ranges = cluster.from_matrix(rows, columns, np.ones((1, 1), bool))
    rows += 1
    columns += 1
    assert [array.tolist() for array in ranges[::3]] == [[[0, 2]], [[0, 3]]]


@pytest.mark.parametrize(("block", "sizes"), [(3, (3, 3)), ((2, 5), (2, 5)), (np.int32(1), (1, 1))])
def test_a_mask_keeps_cells_of_a_grid(block, sizes, rng, assert_pairs):
    cells = rng.uniform(size=(6, 4)) < 0.4
    assert_pairs(cluster.block_mask(cells, block), np.kron(cells, np.ones(sizes, bool)))


def test_rows_beyond_the_grid_are_in_no_block(assert_pairs):
    mask = np.zeros((7, 9), bool)
    mask[:6, :8] = True
    assert_pairs(cluster.block_mask(np.ones((3, 2), bool), (2, 4)), mask)


@pytest.mark.parametrize(("M", "N"), SIZES)
def test_segments_are_the_pairs_of_equal_ids(M, N, rng, assert_pairs):
    for ids in (1, 3, 100):
        ids_i, ids_j = (np.sort(rng.integers(-ids, ids, rows)) for rows in (M, N))
        assert_pairs(cluster.segment_ids(ids_i, ids_j), ids_i[:, None] == ids_j)


def test_ids_that_one_side_lacks_meet_nothing(assert_pairs):
    ids_i, ids_j = np.array([0, 0, 2, 5, 9]), np.array([1, 2, 2, 9, 12], np.uint8)
    ranges = cluster.segment_ids(ids_i, ids_j)
    assert_pairs(ranges, ids_i[:, None] == ids_j)
    assert [len(array) for array in ranges] == [4, 4, 2, 4, 4, 2]


def test_large_ids_are_told_apart():
    large = 2**62
    ranges = cluster.segment_ids(np.array([large, large + 1]), np.array([large + 1], np.uint64))
    assert ranges[1].tolist() == [0, 1]


@pytest.mark.parametrize(("M", "N"), SIZES)
def test_causal_rows_meet_no_later_column(M, N, assert_pairs):
    i, j = indices(M, N)
    ranges = cluster.causal(M, N)
    assert_pairs(ranges, j <= i + N - M)
    expected = [[0, max(0, row + 1 + N - M)] for row in range(M)]
    np.testing.assert_array_equal(ranges[2], np.reshape(expected, (M, 2)))


def test_causal_is_square_unless_told(assert_pairs):
    assert_pairs(cluster.causal(8), np.tri(8, dtype=bool))


@pytest.mark.parametrize(("M", "N"), SIZES)
@pytest.mark.parametrize("reach", [(0, 0), (2, 0), (0, 3), (3, 1), (10**30, 2), (50, 50)])
def test_a_window_holds_the_columns_around_each_row(M, N, reach, assert_pairs):
    i, j = indices(M, N)
    before, after = (min(length, 100) for length in reach)
    assert_pairs(cluster.window(M, N, *reach), (j >= i - before) & (j <= i + after))


def test_swapped_axes_are_the_transposed_mask(assert_pairs):
    i, j = indices(7, 9)
    ranges = cluster.window(7, 9, 3, 1)
    swapped = cluster.swap_axes(ranges)
    assert_pairs(swapped, ((j >= i - 3) & (j <= i + 1)).T)
    assert all(a is b for a, b in zip(cluster.swap_axes(swapped), ranges, strict=True))


def test_no_ranges_swap_to_none():
    assert cluster.swap_axes(None) is None


MATRIX = ([[0, 2]], [[0, 3]], [[True]])
REFUSALS = [
    ("from_matrix", ([[0.0, 2.0]], *MATRIX[1:]), "ranges_i holds integers, got dtype float64"),
    ("from_matrix", (MATRIX[0], [0, 3], MATRIX[2]), r"ranges_j holds a .* pair .* got \(2,\)"),
    ("from_matrix", (MATRIX[0], [[0, 3, 4]], MATRIX[2]), r"ranges_j holds .* got \(1, 3\)"),
    ("from_matrix", (MATRIX[0], [[3, 2]], MATRIX[2]), r"ranges_j\[0\] = \[3, 2\) is no block"),
    ("from_matrix", ([[-1, 2]], *MATRIX[1:]), r"ranges_i\[0\] = \[-1, 2\) is no block"),
    ("from_matrix", ([[0, 2], [1]], *MATRIX[1:]), "ranges_i is no array"),
    ("from_matrix", (*MATRIX[:2], [[1]]), "keep holds booleans, got dtype int64.*keep != 0"),
    ("from_matrix", (*MATRIX[:2], [True]), r"keep .* expected shape \(1, 1\), got \(1,\)"),
    ("from_matrix", (*MATRIX[:2], [[True, True]]), r"expected shape \(1, 1\), got \(1, 2\)"),
    ("block_mask", ([[0.5]], 2), "mask holds booleans, got dtype float64"),
    ("block_mask", ([True], 2), r"mask .* got \(1,\)"),
    ("block_mask", ([[True]], 0), "block is at least 1, got 0"),
    ("block_mask", ([[True]], (1, 2, 3)), "block is one size or two.* got 3"),
    ("block_mask", ([[True, False]], 2**62), "block: 2 blocks"),
    ("segment_ids", ([0, 2, 1], [0]), r"ids_i\[2\] = 1 comes after 2. Sort the rows.*argsort"),
    ("segment_ids", ([0], [1, 0]), r"ids_j\[1\] = 0 comes after 1"),
    ("segment_ids", ([[0]], [0]), r"ids_i holds one id for each row, got shape \(1, 1\)"),
    ("segment_ids", ([0.0], [0]), "ids_i holds integers, got dtype float64"),
    ("segment_ids", ([0], np.array([2**63], np.uint64)), "ids_j holds integers up to"),
    ("causal", (-1,), "M is at least 0, got -1"),
    ("causal", (3, -2), "N is at least 0, got -2"),
    ("window", (3, 3, -1, 0), "before is at least 0, got -1"),
    ("window", (3, 3, 0, -1), "after is at least 0, got -1"),
    ("swap_axes", ((1, 2, 3),), "tuple of six integer arrays .* got 3"),
]


@pytest.mark.parametrize(("name", "args", "message"), REFUSALS)
def test_what_is_no_pattern_is_refused(name, args, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(cluster, name)(*args)


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("causal", (2.0,), "M is an integer, got float"),
        ("window", (3, 3, None, 0), "before is an integer, got NoneType"),
        ("block_mask", ([[True]], 2.5), "block is an integer, got float"),
        ("swap_axes", (3,), "tuple of six"),
    ],
)
def test_types_that_do_not_fit_are_refused(name, args, message):
    with pytest.raises(ArgumentTypeError, match=message):
        getattr(cluster, name)(*args)


def test_blocks_that_share_rows_are_refused_where_the_rows_are_kept():
    overlapping = cluster.from_matrix([[0, 2]], [[0, 3], [2, 4]], [[True, True]])
    x, y = np.ones((2, 1)), np.ones((4, 1))
    assert REDUCE[1](x, y, ranges=overlapping).tolist() == [[5.0], [5.0]]
    with pytest.raises(ArgumentError, match="overlaps"):
        REDUCE[0](x, y, ranges=overlapping)


def in_all_ways(door, convert, **device):
    """Each function of a door, called once, and what it should give."""
    rows, columns = np.array([[0, 2], [2, 5]]), np.array([[1, 3], [3, 7]])
    keep, ids = np.array([[True, False], [True, True]]), (np.array([0, 0, 3]), np.array([0, 3, 3]))
    calls = {
        "from_matrix": (rows, columns, keep),
        "block_mask": (keep, (2, 3)),
        "segment_ids": ids,
        "causal": (4, 6),
        "window": (5, 4, 1, 2),
    }
    found = {}
    for name, args in calls.items():
        given = [convert(arg) if isinstance(arg, np.ndarray) else arg for arg in args]
        options = device if name in ("causal", "window") else {}
        found[name] = getattr(door, name)(*given, **options), getattr(cluster, name)(*args)
    ranges, expected = found["window"]
    found["swap_axes"] = door.swap_axes(ranges), cluster.swap_axes(expected)
    assert sorted(found) == NAMES
    assert set(NAMES) < set(door.__all__)
    return found.values()


@pytest.fixture
def torch():
    return pytest.importorskip("torch", minversion="2.11")


@pytest.fixture
def torch_door(torch):
    return import_module("jaxkeops.torch")


@pytest.fixture
def torch_cluster(torch):
    return import_module("jaxkeops.torch.cluster")


def test_torch_gets_the_same_ranges_as_tensors(torch, torch_cluster):
    for ranges, expected in in_all_ways(torch_cluster, torch.tensor):
        for tensor, array in zip(ranges, expected, strict=True):
            assert tensor.dtype is torch.int64
            assert tensor.device == torch.device("cpu")
            np.testing.assert_array_equal(tensor.numpy(), array)


def test_torch_reduces_over_its_ranges(torch, torch_door, torch_cluster):
    x, y = torch.arange(1.0, 8)[:, None].requires_grad_(), torch.arange(1.0, 6)[:, None]
    ranges = torch_cluster.causal(7, 5)
    result = torch_door.Genred(FORMULA, ALIASES, axis=1)(x, y, ranges=ranges)
    i, j = indices(7, 5)
    mask = torch.tensor(j <= i - 2, dtype=x.dtype)
    assert torch.equal(result, x.detach() * (mask @ y))
    result.sum().backward()
    assert torch.equal(x.grad, mask @ y)


def test_torch_makes_ranges_on_the_device_asked_for(torch, torch_cluster):
    for ranges in (
        torch_cluster.causal(3, device="meta"),
        torch_cluster.window(3, 3, 1, 1, device="meta"),
    ):
        assert all(tensor.is_meta for tensor in ranges)


def test_torch_refuses_what_it_cannot_read(torch, torch_cluster):
    one, there = torch.tensor([0]), torch.tensor([[True]])
    with pytest.raises(ArgumentTypeError, match=r"ids_j must be a torch.Tensor, got ndarray"):
        torch_cluster.segment_ids(one, np.array([0]))
    with pytest.raises(ArgumentError, match="mask has dtype bfloat16; expected integers"):
        torch_cluster.block_mask(there.to(torch.bfloat16), 2)
    with pytest.raises(ArgumentError, match="ids_j is on device meta"):
        torch_cluster.segment_ids(one, one.to("meta"))


def test_tensors_on_two_devices_are_refused(torch, torch_cluster):
    """Told by `device` alone, so that machines with one device can see it."""

    class Elsewhere(torch.Tensor):
        device = torch.device("cuda", 0)

    one = torch.tensor([0])
    with pytest.raises(ArgumentError, match=r"one device, got ids_i on cpu, ids_j on cuda:0\."):
        torch_cluster.segment_ids(one, one.as_subclass(Elsewhere))


@pytest.mark.parametrize("x64", [True, False])
def test_jax_gets_the_same_ranges_as_its_arrays(x64):
    with jax.enable_x64(x64):
        for ranges, expected in in_all_ways(jax_cluster, jnp.asarray):
            for found, array in zip(ranges, expected, strict=True):
                assert isinstance(found, jax.Array)
                assert found.dtype == (jnp.int64 if x64 else jnp.int32)
                np.testing.assert_array_equal(found, array)


def test_jax_reduces_over_its_ranges_under_jit():
    reduce = JaxGenred(FORMULA, ALIASES, axis=1)
    x, y = jnp.arange(1.0, 8)[:, None], jnp.arange(1.0, 6)[:, None]
    i, j = indices(7, 5)
    expected = np.asarray(x) * ((j <= i - 2) @ np.asarray(y))

    @jax.jit
    def given(x, y, ranges):
        return reduce(x, y, ranges=ranges)

    @jax.jit
    def made_inside(x, y):
        return reduce(x, y, ranges=jax_cluster.causal(len(x), len(y)))

    np.testing.assert_array_equal(given(x, y, jax_cluster.causal(7, 5)), expected)
    np.testing.assert_array_equal(made_inside(x, y), expected)


def test_traced_values_are_refused_with_a_way_out():
    with pytest.raises(ArgumentError, match=r"ids_i is traced.* outside of jax.jit"):
        jax.jit(jax_cluster.segment_ids)(jnp.zeros(3, int), jnp.zeros(3, int))


def test_rows_beyond_int32_are_refused_and_not_wrapped():
    far = ([[2**31, 2**31 + 4]], [[0, 3]], [[True]])
    with jax.enable_x64(False), pytest.raises(ArgumentError, match="int32 ends at 2147483647"):
        jax_cluster.from_matrix(*far)
    with jax.enable_x64(True):
        assert jax_cluster.from_matrix(*far)[0].tolist() == far[0]
