"""Derivatives of every reduction, to the second order and beyond, in both modes and in batches."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxkeops.formula import REDUCTIONS
from jaxkeops.jax import Genred


def test_the_table_holds_every_reduction_with_derivatives(reductions_with_cases):
    with_derivatives = {
        name for name, rules in REDUCTIONS.items() if rules.derivative or rules.selects
    }
    assert reductions_with_cases == with_derivatives


def test_differences_agree_to_the_second_order(reduced_case, rng):
    # What holds the maximum fixed is no derivative of a function.
    if reduced_case.reduction.startswith("Max_SumShiftExp"):
        function = lambda *a: total_of_parts(reduced_case.values(*a))
    else:
        function = reduced_case.values
    check_grads(jax.jit(function), reduced_case.arrays(rng), order=2, modes=["rev"])


def total_of_parts(parts):
    """m + log(s), of which the derivatives are right."""
    return parts[..., :1] + jnp.log(parts[..., 1:])


@pytest.mark.parametrize(
    "name",
    [
        "LogSumExp_with_weights",
        "SumSoftMaxWeight_with_weights",
        "Max_SumShiftExpWeight_with_weights",
        "Max_of_vectors",
        "KMin_ArgKMin_of_vectors_6",
    ],
)
def test_the_hessian_is_that_of_the_dense_function(name, reduced_by_name, loss, agree, rng):
    case = reduced_by_name[name]
    arrays = case.arrays(rng)
    slots = (1, 3)
    both = lambda function: jax.jit(jax.jacfwd(jax.value_and_grad(loss(function), slots), slots))
    agree(both(case.values)(*arrays), both(case.dense)(*arrays))


def test_a_mapped_gradient(reduced_case, loss, agree, rng):
    x, y, b, p = reduced_case.arrays(rng)
    arrays = x, jnp.stack([y, 0.3 + y**2]), b, jnp.stack([p, 2 * p])
    mapped = lambda function: jax.jit(
        jax.vmap(jax.grad(loss(function), (0, 1, 3)), (None, 0, None, 0))
    )
    agree(mapped(reduced_case.values)(*arrays), mapped(reduced_case.dense)(*arrays))


@pytest.mark.parametrize("name", ["LogSumExp_with_weights", "SumSoftMaxWeight_with_weights"])
def test_third_derivatives_pass_through_hidden_results(name, reduced_by_name, loss, agree, rng):
    case = reduced_by_name[name]
    arrays = case.arrays(rng)
    third = lambda function: jax.jit(jax.jacfwd(jax.jacrev(jax.grad(loss(function), 3), 0), 2))
    agree(third(case.values)(*arrays), third(case.dense)(*arrays))


def test_third_derivatives_of_a_minimum(reduced_by_name, loss, agree, rng):
    case = reduced_by_name["Min"]
    arrays = case.arrays(rng)
    third = lambda function: jax.jit(jax.jacrev(jax.jacfwd(jax.grad(loss(function), 3), 0), 1))
    agree(third(case.values)(*arrays), third(case.dense)(*arrays))


@pytest.mark.parametrize(
    ("name", "axis"),
    [("LogSumExp_with_weights", 0), ("KMin_2", 0), ("KMin_ArgKMin_of_vectors_6", 1)],
)
def test_gradients_in_batches(name, axis, reduced_by_name, loss, agree, rng):
    shapes = ((2, 1, 3, 2), (3, 4, 2), (1, 4, 2), (2, 1, 1))
    case = replace(reduced_by_name[name], axis=axis, shapes=shapes)
    arrays = case.arrays(rng)
    slope = lambda function: jax.jit(jax.grad(loss(function), (0, 1, 3)))
    agree(slope(case.values)(*arrays), slope(case.dense)(*arrays))


def test_gradients_in_float32_without_x64(reduced_by_name, loss, agree, rng):
    with jax.enable_x64(False):
        for name in ("LogSumExp_with_weights", "Min", "KMin_ArgKMin_of_vectors_6"):
            case = reduced_by_name[name]
            arrays = case.arrays(rng, "float32")
            slope = lambda function: jax.jit(jax.grad(loss(function), (0, 1, 3)))
            agree(slope(case.values)(*arrays), slope(case.dense)(*arrays))


@pytest.mark.parametrize("name", sorted(set(REDUCTIONS) - {"ArgMin", "ArgMax", "ArgKMin"}))
def test_without_columns_every_gradient_is_zero(name, rng):
    rules = REDUCTIONS[name]
    genred = Genred(
        "p * SqDist(x, y)",
        ["x = Vi(2)", "y = Vj(2)", "p = Pm(1)"],
        name,
        axis=1,
        formula2="p * y" if rules.weights == "required" else None,
        opt_arg=2 if rules.counted else None,
    )
    arrays = [jnp.asarray(rng.normal(size=shape)) for shape in ((3, 2), (0, 2), (1,))]
    first = lambda *a: jax.tree.leaves(genred(*a))[0]
    result, pulled = jax.vjp(first, *arrays)
    for array, found in zip(arrays, pulled(jnp.ones_like(result)), strict=True):
        np.testing.assert_array_equal(found, jnp.zeros_like(array))
    _, moved = jax.jvp(first, arrays, arrays)
    np.testing.assert_array_equal(moved, jnp.zeros_like(result))


def test_results_that_are_hidden_never_show(reduced_by_name, rng):
    for name in ("LogSumExp_with_weights", "SumSoftMaxWeight_with_weights"):
        case = reduced_by_name[name]
        arrays = case.arrays(rng)
        assert jax.eval_shape(case.genred, *arrays).shape == (3, 2)
        batches = [array[None] for array in arrays]
        assert jax.eval_shape(jax.vmap(case.genred), *batches).shape == (1, 3, 2)
