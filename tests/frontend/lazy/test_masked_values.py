"""Values and diagonals of lazy tensors with ranges: 0 at the pairs that are left out."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError

M, N, D = 4, 5, 3
NEAR = np.abs(np.arange(M)[:, None] - np.arange(N)) <= 1


@pytest.fixture
def x(rng):
    return rng.normal(size=(M, D))


@pytest.fixture
def y(rng):
    return rng.normal(size=(N, D))


def test_values_are_those_that_products_are_taken_with(door, x, y, close):
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(y))
    lazy, dense = (X | Y).window(1, 1), x @ y.T * NEAR
    close(lazy.dense(), dense)
    close(lazy.T.dense(), dense.T)
    close(lazy @ door.array(np.eye(N)), dense)
    close(lazy.diagonal(), dense.diagonal())
    close((X | Y).block_mask(door.array(np.eye(2, dtype=bool)), 3).diagonal(), (x @ y.T).diagonal())
    close((X | Y).causal().diagonal(), (x @ y.T).diagonal())
    shifted = door.Vi(door.array(y)) | door.Vj(door.array(x))
    close(shifted.causal().dense(), np.tril(y @ x.T, -1))
    close(shifted.causal().diagonal(), np.zeros(M))


def test_values_of_any_shape_and_kind(door, x, y, close):
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(y))
    close((X - Y).window(1, 1).dense(), (x[:, None] - y) * NEAR[..., None])
    close((1j * (X | Y)).window(1, 1).dense(), 1j * (x @ y.T) * NEAR)
    scales = np.array([1.0, 2.0])
    lazy = (X | Y) * door.LazyTensor(door.array(scales[:, None, None, None]))
    close(lazy.window(1, 1).dense(), x @ y.T * NEAR * scales[:, None, None])
    close(lazy.window(0, 0).diagonal(), (x * y[:M]).sum(1) * scales[:, None])


def test_what_is_left_out_may_be_infinite(door, x, close):
    apart = (door.Vi(door.array(x)).sqdist(door.Vj(door.array(x)))).rsqrt()
    lazy = apart.block_mask(door.array(~np.eye(M, dtype=bool)), 1)
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(-1)) + np.diag([np.inf] * M)
    close(lazy.dense(), 1 / distances)
    close(lazy.diagonal(), np.zeros(M))


def test_pairs_that_ranges_repeat_count_as_often(door, x, y, close):
    lazy = door.Vi(door.array(x)) | door.Vj(door.array(y))
    rows, ends = np.array([[0, M]]), np.array([2])
    columns = np.array([[0, 3], [2, 4]])
    back = np.array([[0, 2], [2, 3], [3, 4]]), np.array([1, 3, 4]), np.array([[0, M]] * 4)
    lazy.ranges = tuple(map(door.array, (rows, ends, columns, *back)))
    expected = x @ y.T * [1, 1, 2, 1, 0]
    close(lazy.dense(), expected)
    close(lazy @ door.array(np.ones((N, 2))), expected.sum(1, keepdims=True) * [1, 1])
    close(lazy.T.dense(), expected.T)


def test_ranges_of_other_rows_are_refused(door, x, y):
    lazy = door.Vi(door.array(x)) | door.Vj(door.array(y))
    lazy.ranges = door.cluster.causal(M + 1, N)
    for values in (lazy.dense, lazy.diagonal):
        with pytest.raises(ArgumentError, match=r"ranges_i\[4\] = \[4, 5\] is no block of 4 rows"):
            values()


def test_masked_values_have_gradients(door, x, y, close):
    expected = NEAR @ y
    if door.name == "torch":
        given = door.array(x).requires_grad_()
        (door.Vi(given) | door.Vj(door.array(y))).window(1, 1).dense().sum().backward()
        close(given.grad, expected)
    elif door.name == "jax":
        jax = import_module("jax")

        def total(x):
            return (door.Vi(x) | door.Vj(door.array(y))).window(1, 1).dense().sum()

        close(jax.jit(jax.grad(total))(door.array(x)), expected)
        lazy = (door.Vi(door.array(x)) | door.Vj(door.array(y))).window(1, 1)
        close(jax.jit(lambda lazy: lazy.dense())(lazy), x @ y.T * NEAR)  # its ranges are traced
        close(jax.jit(lambda lazy: lazy.diagonal())(lazy), (x @ y.T * NEAR).diagonal())
