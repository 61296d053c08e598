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


APART = ~np.eye(M, dtype=bool)
# Formulas of the squared distance that are infinite, or have an infinite derivative, at 0.
SINGULAR = {
    "log": (lambda s: s.log(), np.log, lambda s: 1 / s, lambda s: -1 / s**2),
    "1 / s": (lambda s: 1 / s, lambda s: 1 / s, lambda s: -1 / s**2, lambda s: 2 / s**3),
    "s^0.3": (
        lambda s: s**0.3,
        lambda s: s**0.3,
        lambda s: 0.3 * s**-0.7,
        lambda s: -0.21 * s**-1.7,
    ),
}


def apart(door, X, Y, function):
    """`function` of squared distances, without the pairs of a row with itself."""
    return function(((X - Y) ** 2).sum(-1)).block_mask(door.array(APART), 1)


def of_pairs(function, squares):
    """The values at the pairs taken, and 0 elsewhere."""
    return np.where(APART, function(squares + ~APART), 0.0)


@pytest.mark.parametrize("name", SINGULAR)
def test_pairs_left_out_leave_derivatives_finite(door, name, x, close):
    function, value, first, second = SINGULAR[name]
    differences = x[:, None] - x
    squares = (differences**2).sum(-1)
    slopes, curvatures = of_pairs(first, squares), of_pairs(second, squares)
    gradient = 2 * (slopes[..., None] * differences).sum(1)
    turned = differences.sum(-1)  # the differences along the direction of ones
    bent = 4 * (curvatures * turned)[..., None] * differences + 2 * slopes[..., None]
    lazy = apart(door, door.Vi(door.array(x)), door.Vj(door.array(x)), function)
    close(lazy.dense(), of_pairs(value, squares))
    if door.name == "torch":
        torch = door.library
        fixed = door.Vj(door.array(x))

        def total(x):
            return apart(door, door.Vi(x), fixed, function).dense().sum()

        given = door.array(x).requires_grad_()
        (found,) = torch.autograd.grad(total(given), given, create_graph=True)
        close(found, gradient)
        (again,) = torch.autograd.grad(found.sum(), given)
        close(again, bent.sum(1))
    elif door.name == "jax":
        jax = import_module("jax")

        def values(x, y):
            return apart(door, door.Vi(x), door.Vj(y), function).dense()

        x, ones = door.array(x), door.array(np.ones_like(x))
        close(jax.grad(lambda x, y: values(x, y).sum())(x, x), gradient)
        close(jax.grad(lambda x, y: values(x, y).sum(), 1)(x, x), gradient)
        _, moved = jax.jvp(lambda each: values(each, x), (x,), (ones,))
        close(moved, 2 * slopes * turned)
        bend = jax.jvp(jax.grad(lambda each: values(each, x).sum()), (x,), (ones,))[1]
        close(bend, bent.sum(1))


def test_diagonals_left_out_leave_gradients_finite(door, x):
    jax = import_module("jax") if door.name == "jax" else None

    def total(x):
        return apart(door, door.Vi(x), door.Vj(x), SINGULAR["log"][0]).diagonal().sum()

    if door.name == "torch":
        given = door.array(x).requires_grad_()
        total(given).backward()
        np.testing.assert_array_equal(given.grad, np.zeros_like(x))
    elif jax is not None:
        np.testing.assert_array_equal(jax.grad(total)(door.array(x)), np.zeros_like(x))


def test_values_of_any_dtype_keep_it(door, x):
    for dtype in ("float16", "float32", "float64"):
        X = door.Vi(door.array(x, dtype))
        lazy = (X | door.Vj(door.array(x, dtype))).window(0, 0)
        assert str(lazy.dense().dtype).endswith(dtype)
        assert str(lazy.diagonal().dtype).endswith(dtype)
