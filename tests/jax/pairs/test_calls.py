"""Calls of reduced functions: arguments and results of every shape, and reductions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeops
from jaxkeops import Genred, reduce_pairs


def square(x, y):
    return jnp.sum((x - y) ** 2)


def test_a_decorated_function_keeps_its_name_and_takes_options(points, agree):
    @reduce_pairs(reduction="sum", over="j", in_axes=("i", "j", "j", None))
    def conv(x, y, b, gamma):
        """A smoothing."""
        return jnp.exp(-gamma * jnp.sum((x - y) ** 2)) * b

    x, y, _ = points()
    gaussian = Genred("Exp(-G*SqDist(X,Y))*B", ["X=Vi(3)", "Y=Vj(3)", "B=Vj(3)", "G=Pm(1)"], axis=1)
    agree(conv(x, y, y, 0.5), gaussian(x, y, y, 0.5))
    assert (conv.__name__, conv.__doc__) == ("conv", "A smoothing.")
    assert jaxkeops.reduce_pairs is jaxkeops.jax.reduce_pairs


@pytest.mark.parametrize("over", ["i", "j"])
@pytest.mark.parametrize("reduction", ["sum", "logsumexp", "min", "max", "argmin", "argmax"])
def test_reductions_of_trees_over_both_axes(reduction, over, dense, points, agree):
    def function(x, y):
        return {"square": square(x, y), "more": (x * y - 0.3, jnp.outer(jnp.sin(x), y))}

    x, y, _ = points()
    found = reduce_pairs(function, reduction=reduction, over=over)(x, y)
    agree(found, dense(function, reduction=reduction, over=over)(x, y))


@pytest.mark.parametrize("kind", ["min", "max"])
def test_extrema_with_their_rows(kind, dense, points, agree):
    x, y, _ = points()
    values, rows = reduce_pairs(square, reduction=f"{kind}_arg{kind}")(x, y)
    agree(values, dense(square, reduction=kind)(x, y))
    agree(rows, dense(square, reduction=f"arg{kind}")(x, y))


def test_least_values_and_their_rows(points, agree):
    x, y, _ = points()
    both = reduce_pairs(lambda x, y: (x * y, square(x, y)), reduction="kmin_argkmin", k=2)
    (vectors, numbers), (vector_rows, number_rows) = both(x, y)
    products = x[:, None] * y[None]
    squares = ((x[:, None] - y[None]) ** 2).sum(-1)
    agree(vectors, jnp.sort(products, 1)[:, :2])
    agree(vector_rows, jnp.argsort(products, 1)[:, :2])
    agree(numbers, jnp.sort(squares, 1)[:, :2])
    agree(number_rows, jnp.argsort(squares, 1)[:, :2])


def test_weighted_reductions_return_an_exponent_and_what_is_weighted(points, agree):
    x, y, _ = points()
    scores = x @ y.T
    attention = reduce_pairs(
        lambda q, k: (q @ k, {"v": k, "w": jnp.outer(k, q)}), reduction="softmax"
    )
    weights = jax.nn.softmax(scores, 1)
    outer = jnp.einsum("mn,nk,ml->mkl", weights, y, x)
    agree(attention(x, y), {"v": weights @ y, "w": outer})
    logs = reduce_pairs(lambda q, k: (q @ k, jnp.exp(k)), reduction="logsumexpweight")
    agree(logs(x, y), jnp.log(jnp.exp(scores) @ jnp.exp(y)))


def test_axes_may_be_prefixes_of_trees(points, agree):
    x, y, p = points()

    def function(source, targets, scale):
        return source["p"] * targets[0] * targets[1] * scale["a"] + source["q"]["r"]

    given = ({"p": x, "q": {"r": x[:, 0]}}, (y, 2.0), {"a": p})
    found = reduce_pairs(function, in_axes=("i", ("j", None), None))(*given)
    agree(found, 2 * x * y.sum(0) * p + 5 * x[:, :1])
    everywhere = reduce_pairs(lambda x: x["u"], in_axes="j")({"u": y})
    agree(everywhere, y.sum(0))


def test_named_arguments_are_shared(points, agree):
    x, y, p = points()

    @reduce_pairs
    def function(x, y, scale=1.0, *, shift, mode):
        assert mode == "sum"
        return scale * x * y + shift

    agree(function(x, y, shift=p, mode="sum"), x * y.sum(0) + 5 * p)
    agree(function(x, y, scale=2.0, shift=0, mode="sum"), 2 * x * y.sum(0))


def test_what_depends_on_fewer_axes_is_counted_once_for_each_pair(points, agree):
    x, y, p = points()
    agree(reduce_pairs(lambda x, y: x)(x, y), 5 * x)
    agree(reduce_pairs(lambda x, y: y)(x, y), jnp.broadcast_to(y.sum(0), (4, 3)))
    agree(reduce_pairs(lambda x, y: 2.0)(x, y), jnp.full(4, 10.0))
    agree(
        reduce_pairs(lambda x, y, p: p, in_axes=("i", "j", None))(x, y, p), 5 * jnp.tile(p, (4, 1))
    )


def test_without_rows_i_there_is_one_result(points, agree):
    _, y, p = points()
    found = reduce_pairs(lambda y, p: (y * p, p @ y), in_axes=("j", None))(y, p)
    agree(found, (y.sum(0) * p, (y @ p).sum()))
    assert reduce_pairs(lambda y: y[0], reduction="argmax", in_axes="j")(y) == y[:, 0].argmax()


@pytest.mark.parametrize(("M", "N"), [(0, 3), (3, 0), (1, 1), (33, 65)])
def test_any_number_of_rows(M, N, dense, rng, agree):
    x, y = jnp.asarray(rng.normal(size=(M, 2))), jnp.asarray(rng.normal(size=(N, 2)))
    agree(reduce_pairs(square)(x, y), dense(square)(x, y))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_results_have_the_dtype_that_jax_gives_them(dtype, rng):
    x, y = (jnp.asarray(rng.uniform(size=(4, 3)), dtype) for _ in range(2))
    found = reduce_pairs(lambda x, y, g: g * square(x, y), in_axes=("i", "j", None))(x, y, 0.5)
    assert found.dtype == dtype
    wide = 0.5 * ((x[:, None] - y).astype("float64") ** 2).sum((1, 2))
    np.testing.assert_allclose(found, wide, rtol=4 * float(jnp.finfo(dtype).eps))


def test_the_widest_float_is_computed_in(rng):
    x = jnp.asarray(rng.uniform(size=(4, 3)), "float32")
    y = jnp.asarray(rng.uniform(size=(5, 3)), "float64")
    both = reduce_pairs(lambda x, y: (jnp.sum(x - y), jnp.sum(x - y).astype("float32")))
    wide, narrow = both(x, y)
    assert (wide.dtype, narrow.dtype) == ("float64", "float32")
    np.testing.assert_allclose(wide, (x[:, None] - y).sum((1, 2)), rtol=1e-12)


def test_integers_and_booleans_are_counted(rng):
    labels, others = jnp.asarray(rng.integers(0, 3, 40)), jnp.asarray(rng.integers(0, 3, 50))
    same = reduce_pairs(lambda a, b: (a == b, (a == b) * b, (a // 2 + b % 2).astype("int32")))
    count, total, third = same(labels, others)
    pairs = np.asarray(labels)[:, None] == np.asarray(others)
    np.testing.assert_array_equal(count, pairs.sum(1))
    np.testing.assert_array_equal(total, (pairs * others).sum(1))
    assert (count.dtype, total.dtype, third.dtype) == ("int64", "int64", "int32")


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_quotients_of_integers_are_exact(signs):
    a = signs[0] * jnp.arange(0, 2000, dtype="int32")
    b = signs[1] * jnp.arange(1, 60, dtype="int32")
    function = lambda a, b: a // b * 3 + a % b + jax.lax.div(a, b) * 7 + jax.lax.rem(a, b)
    with jax.enable_x64(False):
        found = reduce_pairs(function)(a, b)
    expected = jax.vmap(jax.vmap(function, (None, 0)), (0, None))(a, b).sum(1)
    np.testing.assert_array_equal(found, expected)


def test_numpy_arrays_and_numbers_are_taken(agree, rng):
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    found = reduce_pairs(lambda x, y, g: g * x * y, in_axes=("i", "j", None))(x, y, 2)
    agree(found, 2 * jnp.asarray(x) * y.sum(0))


def test_ranges_restrict_the_pairs(points, agree):
    x, y, _ = points()
    ranges = jaxkeops.jax.cluster.segment_ids(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1, 1]))
    found = reduce_pairs(lambda x, y: x * y, ranges=ranges)(x, y)
    agree(found, x * jnp.stack([y[0], y[0], *[y[1:].sum(0)] * 2]))
    over_i = reduce_pairs(lambda x, y: x * y, ranges=ranges, over="i")(x, y)
    agree(over_i, y * jnp.stack([x[:2].sum(0), *[x[2:].sum(0)] * 4]))
    agree(
        jax.grad(lambda x: reduce_pairs(lambda x, y: x @ y, ranges=ranges)(x, y).sum())(x),
        found / x,
    )


def test_the_formula_is_that_of_a_string(points):
    """What depends on parameters alone is theirs; the rest is the same program."""
    x, y, _ = points()
    pairs = [
        (lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2)), "Exp(-SqDist(x, y))"),
        (lambda x, y: jnp.exp(-jnp.linalg.norm(x - y)), "Exp(-Norm2(x - y))"),
        (lambda x, y: jnp.sum(jnp.square(y - x)) * y, "SqDist(y, x) * y"),
        (lambda x, y: 1 / (1 + (x - y) @ (x - y)), "Inv(1 + SqDist(x, y))"),
        (lambda x, y: jnp.dot(x, y) ** 3 * y[1:], "Pow(x | y, 3) * Extract(y, 1, 2)"),
        (lambda x, y: jnp.where(x[0] < y[0], x, y), "IfLess(Elem(x, 0), Elem(y, 0), x, y)"),
    ]
    for function, text in pairs:
        found = reduce_pairs(function).stages(x, y)
        assert (
            found.program
            == Genred(text, ["x = Vi(3)", "y = Vj(3)"], axis=1).stages("float64").program
        )
