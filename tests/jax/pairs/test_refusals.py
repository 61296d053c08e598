"""What has no formula, and arguments that do not fit: each message says what to do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jaxkeops import reduce_pairs
from jaxkeops.errors import ArgumentError, ArgumentTypeError, FormulaError, UnknownNameError

X, Y = jnp.ones((4, 3)), jnp.ones((5, 3))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            lambda x, y: jax.lax.while_loop(lambda c: c[0] < 3, jnp.exp, x * y),
            "fixed count",
        ),
        (lambda x, y: jax.lax.top_k(x - y, 2)[0], "reduction='argkmin'"),
        (lambda x, y: x[jnp.argmax(x * y)], "places are known"),
        (lambda x, y: jnp.sum(x + 1j * y).real, "Complex numbers"),
        (lambda x, y: jnp.sort(jnp.outer(x, jnp.tile(y, 6)).ravel()), "16 at most"),
        (lambda x, y: jnp.argsort(x * y), "argsort"),
        (lambda x, y: jnp.linalg.inv(jnp.outer(x, y)), "uses lu"),
        (lambda x, y: (x * y).astype("int32") ^ 3, "Bits of integers"),
        (lambda x, y: jax.lax.fori_loop(0, 2000, lambda k, c: c * y + x, x), "too many"),
        (lambda x, y: jnp.ones((100, 100)) * x[0] * y[0], "10000 numbers for each pair"),
        (lambda x, y: jax.scipy.special.gammaln(x * y), "uses lgamma .* docs/pairs.md lists"),
        (lambda x, y: jnp.cumsum(jnp.tile(x * y, 100)), "300 steps are too many"),
        (lambda x, y: jnp.zeros(3).at[(x * y).astype(int)].set(1.0), "places are known"),
    ],
)
def test_what_has_no_formula_is_named_with_its_line(function, words):
    with pytest.raises(FormulaError, match=words) as caught:
        reduce_pairs(function)(X, Y)
    assert "uses" in str(caught.value)
    assert "test_refusals.py:" in str(caught.value)


def test_arrays_of_complex_numbers_are_refused_as_such():
    words = r"an array of complex\d+ and of shape \(3,\) for each pair\. Complex numbers .* parts"
    with pytest.raises(FormulaError, match=words):
        reduce_pairs(lambda x, y: jnp.abs(x * y[0]))(X + 1j, Y)


def test_the_line_is_that_of_the_user():
    def strange(x, y):
        moved = x - y
        return jnp.linalg.inv(jnp.outer(moved, moved))

    with pytest.raises(FormulaError) as caught:
        reduce_pairs(strange)(X, Y)
    text = str(caught.value)
    assert text.startswith("strange uses lu for each pair.")
    assert text.endswith("return jnp.linalg.inv(jnp.outer(moved, moved))")


def test_a_line_seen_before_in_another_function_is_not_taken_for_it():
    """JAX keeps the traces of its own functions, with the lines of their first callers."""
    jax.jit(lambda x: jnp.median(jnp.tile(x, 10)))(X[0])
    with pytest.raises(FormulaError, match=r"In the_caller, .*test_refusals"):
        reduce_pairs(lambda x, y: the_caller(x, y))(X, Y)


def the_caller(x, y):
    return jnp.median(jnp.tile(x * y, 10))


def test_mistakes_in_the_function_are_told_by_jax():
    with pytest.raises(TypeError, match="dot_general"):
        reduce_pairs(lambda x, y: x @ jnp.ones(7) * y)(X, Y)


@pytest.mark.parametrize(
    ("options", "args", "error", "words"),
    [
        ({"in_axes": ("i",)}, (X, Y), ArgumentError, "there are 2 arguments"),
        ({"in_axes": ("i", 0)}, (X, Y), ArgumentError, "'i', 'j' or None .* got 0"),
        ({"in_axes": ("i", None)}, (X, Y), ArgumentError, "nothing to reduce"),
        ({"over": "i", "in_axes": ("j", None)}, (X, Y), ArgumentError, "nothing to reduce"),
        ({"in_axes": ("j", "j")}, (X, Y), ArgumentError, r"args\[0\] has 4 rows and args\[1\] 5"),
        ({}, (X, 2.0), ArgumentTypeError, r"args\[1\] .* got float"),
        ({}, (X, jnp.ones(())), ArgumentTypeError, r"args\[1\] .* got a number"),
        ({}, (X, "rows"), ArgumentTypeError, r"args\[1\] .* got str"),
        ({"in_axes": ("i", "j", None)}, (X, Y, {1}), ArgumentTypeError, r"args\[2\] .* hashable"),
    ],
)
def test_arguments_that_do_not_fit(options, args, error, words):
    with pytest.raises(error, match=words):
        reduce_pairs(lambda x, y, *rest: jnp.sum(x * y), **options)(*args)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"reduction": "summ"}, UnknownNameError, "Did you mean 'sum'"),
        ({"reduction": "mean"}, UnknownNameError, "min_argmin, softmax, sum, sumsoftmaxweight, "),
        ({"reduction": "argkmin"}, ArgumentTypeError, "needs k"),
        ({"k": 2}, ArgumentTypeError, "takes no k"),
        ({"reduction": "kmin", "k": 0}, FormulaError, "1 or more"),
        ({"over": "k"}, ArgumentError, "over is 'i' or 'j'"),
        ({"reduction": "softmax"}, FormulaError, "returns two things"),
        ({"reduction": "max_sumshiftexp"}, FormulaError, "dimension 1, got one of dimension 3"),
    ],
)
def test_options_that_do_not_fit(options, error, words):
    with pytest.raises(error, match=words):
        reduce_pairs(lambda x, y: x * y, **options)(X, Y)


def test_what_is_no_function_is_refused():
    with pytest.raises(ArgumentTypeError, match="a function of one pair, got str"):
        reduce_pairs("Exp(x)")
    with pytest.raises(FormulaError, match="returns no array"):
        reduce_pairs(lambda x, y: ())(X, Y)
