"""Dense values, rows, columns and diagonals; products with arrays and of lazy tensors."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.frontend.lazy import Product

M, N, D = 4, 5, 3


@pytest.fixture
def x(rng):
    return rng.normal(size=(M, D))


@pytest.fixture
def y(rng):
    return rng.normal(size=(N, D))


@pytest.fixture
def kernel(door, x, y):
    """A Gaussian kernel, lazy and dense."""
    lazy = (-door.Vi(door.array(x)).sqdist(door.Vj(door.array(y))) / 2).exp()
    return lazy, np.exp(-((x[:, None] - y) ** 2).sum(-1) / 2)


def test_dense_values_have_the_shape_of_the_lazy_tensor(door, x, y, close):
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(y))
    for lazy, dense in [
        (X - Y, x[:, None] - y),
        (X | Y, x @ y.T),
        (X, x[:, None]),
        (Y.sum(), y.sum(-1)[None]),
        (door.Pm(door.array(x[0])), x[:1][None]),
        (X * door.Pm([1.0, 2.0, 3.0]), x[:, None] * np.array([1.0, 2.0, 3.0])),
    ]:
        assert tuple(lazy.dense().shape) == lazy.shape
        close(lazy.dense(), dense)
    close((X - Y).diagonal(), (x - y[:M]))
    close((X | Y).T.diagonal(), (x * y[:M]).sum(-1))


def test_rows_and_columns_are_picked(kernel, door, close):
    lazy, dense = kernel
    index = np.array([3, 0, 0])
    close(lazy.rows(door.array(index)).dense(), dense[index])
    close(lazy.columns(door.array(index)).dense(), dense[:, index])
    close(lazy.columns([0, 2]).dense(), dense[:, [0, 2]])
    close(lazy.rows(slice(1, 3)).dense(), dense[1:3])
    close(lazy.rows(2).dense(), dense[2:3])
    close(lazy.rows(-1).sum(1), dense[-1:].sum(1, keepdims=True))
    close(lazy[1:3, door.array(index)].dense(), dense[1:3][:, index])
    close(lazy[:, 2:].dense(), dense[:, 2:])
    picked = lazy[door.array(index), :, 0] @ door.array(np.ones(N))
    close(picked, dense[index].sum(1))
    with pytest.raises(ArgumentError, match="by a slice or a list"):
        lazy.rows(door.array(np.array([[0, 1]])))
    with pytest.raises(ArgumentError, match="no array is on axis j"):
        door.Vi(door.array(np.ones((2, 2)))).columns([0])
    lazy = lazy.causal()
    with pytest.raises(ArgumentError, match="ranges of this LazyTensor are for all rows"):
        lazy.rows([0])


def test_rows_are_picked_by_all_that_numbers_them(kernel, door, close):
    lazy, dense = kernel
    close(lazy.rows(np.int64(2)).dense(), dense[2:3])
    close(lazy.rows([]).sum(1), dense[:0].sum(1, keepdims=True))
    close(lazy[::-1, 3::-2].dense(), dense[::-1, 3::-2])
    keep = np.arange(N) % 2 == 0
    close(lazy.columns(door.array(keep)).dense(), dense[:, keep])
    close(lazy.columns(keep.tolist()).dense(), dense[:, keep])
    for index in (M, -M - 1, [0, M], np.array([-M - 1])):
        with pytest.raises(ArgumentError, match=f"rows: there are {M}, and number"):
            lazy.rows(index)
    with pytest.raises(ArgumentError, match=f"one boolean for each of {M}, got {N}"):
        lazy.rows(keep)
    for index in (1.5, "a", None, True, ..., door.array([0.0])):
        with pytest.raises(ArgumentTypeError, match="rows are picked by"):
            lazy.rows(index)
    with pytest.raises(ArgumentTypeError, match=r"rows are picked by .* got ellipsis"):
        lazy[..., 0]


def test_submatrices_of_batches(door, rng, close):
    x, y = rng.normal(size=(2, M, 1, D)), rng.normal(size=(2, 1, N, D))
    lazy = door.LazyTensor(door.array(x)) - door.LazyTensor(door.array(y))
    close(lazy[:, 1:3, [0, 4]].dense(), (x - y)[:, 1:3][:, :, [0, 4]])
    close(lazy[:, :, :, 1].dense(), (x - y)[..., 1])


def test_products_with_arrays(kernel, door, rng, close):
    lazy, dense = kernel
    for shape in [(N,), (N, 1), (N, 7), (2, N, 3), (0, N, 2)]:
        v = rng.normal(size=shape)
        close(lazy @ door.array(v), dense @ v)
    for shape in [(M,), (2, M), (3, 2, M)]:
        v = rng.normal(size=shape)
        if door.name == "numpy":
            close(v @ lazy, v @ dense)
        close(lazy.__rmatmul__(door.array(v)), v @ dense)
    v = rng.normal(size=N)
    close(lazy.matvec(door.array(v)), dense @ v)
    close(lazy.rmatvec(door.array(v[:M])), dense.T @ v[:M])
    close(lazy.__matmul__(door.array(v), backend="CPU", sum_scheme="block_sum"), dense @ v)
    with pytest.raises(ArgumentError, match=r"takes an array of 5 rows, \(5,\) or \(..., 5, E\)"):
        lazy @ door.array(np.ones(M))
    with pytest.raises(ArgumentError, match="has 3 coordinates, and a matrix one"):
        door.Vi(door.array(np.ones((M, D)))) @ door.array(v)
    with pytest.raises(TypeError):
        lazy @ 3.0
    with pytest.raises(ArgumentTypeError, match="arguments of a call still to come"):
        door.Vi(0, 1) @ door.array(v)


def test_products_of_batches(door, rng, close):
    x, y = rng.normal(size=(2, M, 1, D)), rng.normal(size=(2, 1, N, D))
    lazy = (door.LazyTensor(door.array(x)) * door.LazyTensor(door.array(y))).sum(-1)
    dense = (x * y).sum(-1)
    for shape in [(N,), (N, 2), (2, N, 2), (3, 1, N, 2)]:
        v = rng.normal(size=shape)
        close(lazy @ door.array(v), dense @ v)


def test_a_row_of_one_column(door, close):
    x = np.array([[1.0], [2.0]])
    lazy = door.Vi(door.array(x)) * door.Vj(door.array(x[:1]))
    close(lazy @ door.array(np.array([3.0])), np.array([3.0, 6.0]))
    close(lazy @ door.array(np.array([[3.0, 4.0]])), x @ [[3.0, 4.0]])


def test_products_of_lazy_tensors_are_lazy(kernel, door, rng, close):
    lazy, dense = kernel
    v = rng.normal(size=(M, 2))
    product = lazy @ lazy.T
    assert isinstance(product, Product)
    assert (product.shape, product.dtype) == ((M, M), "float64")
    close(product @ door.array(v), dense @ dense.T @ v)
    ones = door.array(np.ones(N))
    close((product @ product.T @ lazy) @ ones, dense @ dense.T @ dense @ dense.T @ dense.sum(1))
    close(product.dense(), dense @ dense.T)
    close(product.rmatvec(door.array(v[:, 0])), product.matvec(door.array(v[:, 0])))
    assert "Product of shape (4, 4)" in repr(product)
    with pytest.raises(ArgumentError, match=r"\(4, 5\) and \(4, 5\) have no product"):
        lazy @ lazy


def test_products_of_nothing_are_empty(door, rng, close):
    for rows, columns in ((0, N), (M, 0), (0, 0)):
        x, y = rng.normal(size=(rows, D)), rng.normal(size=(columns, D))
        lazy = door.Vi(door.array(x)) | door.Vj(door.array(y))
        close((lazy @ lazy.T).dense(), np.zeros((rows, rows)))
        close((lazy.T @ lazy @ lazy.T).dense(), np.zeros((columns, rows)))
        none = door.array(np.zeros((2, columns, 0)))
        close(lazy @ none, np.zeros((2, rows, 0)))
        assert "complex128" in str(((1j * lazy) @ none).dtype)
        with pytest.raises(ArgumentError, match="@: their dtypes differ"):
            lazy @ door.array(np.zeros((columns, 0)), "float32")


def test_products_multiply_from_the_left(kernel, door, rng, close):
    lazy, dense = kernel
    product = lazy @ lazy.T
    close(product.t().dense(), dense @ dense.T)
    for shape in [(M,), (2, M), (3, 2, M)]:
        v = rng.normal(size=shape)
        close(door.array(v) @ product, v @ dense @ dense.T)


def test_products_have_the_batch_axes_of_both(kernel, door, rng, close):
    lazy, dense = kernel
    scales = np.array([1.0, 2.0])[:, None, None]
    product = lazy @ (lazy.T * door.LazyTensor(door.array(scales[..., None])))
    assert product.shape == (2, M, M)
    close(product.dense(), dense @ dense.T * scales)
    assert (lazy @ (lazy.T * 1j)).dtype == "complex128"
    three = lazy.T * door.LazyTensor(door.array(np.ones((3, 1, 1, 1))))
    with pytest.raises(ArgumentError, match="extents of batch axes must be equal"):
        product @ (lazy @ three)


def test_products_keep_to_ranges(kernel, door, close):
    lazy, dense = kernel
    i, j = np.arange(M)[:, None], np.arange(N)
    masked, kept = lazy.T.window(1, 1), dense.T * (np.abs(i - j) <= 1).T
    for product, expected in (
        (lazy @ masked, dense @ kept),
        (masked.T @ masked, kept.T @ kept),
    ):
        close(product.dense(), expected)
        close(product @ door.array(np.ones(M)), expected.sum(1))


def test_scipy_takes_it_as_a_linear_operator(numpy_door, rng, close):
    linalg = pytest.importorskip("scipy.sparse.linalg")
    x = rng.normal(size=(30, 2))
    lazy = (-numpy_door.Vi(x).sqdist(numpy_door.Vj(x))).exp()
    dense = np.exp(-((x[:, None] - x) ** 2).sum(-1))
    operator = linalg.aslinearoperator(lazy)
    v = rng.normal(size=(30, 2))
    close(operator @ v, dense @ v)
    close(operator.rmatvec(v[:, 0]), dense.T @ v[:, 0])
    largest = linalg.eigsh(operator, k=2, return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(largest), np.linalg.eigvalsh(dense)[-2:], rtol=1e-9)
