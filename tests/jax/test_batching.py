"""vmap over any arrays and any axes, alone, nested, and with derivatives, as dense jnp has it."""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.jax import Genred

SIZE = 2
SUBSETS = [mapped for mapped in product([False, True], repeat=4) if any(mapped)]


def stacked(arrays, in_axes, size, rng):
    """The arrays, each with an axis of `size` more where `in_axes` says."""
    return tuple(
        array
        if axis is None
        else jnp.asarray(rng.uniform(0.2, 1, np.insert(array.shape, axis, size)))
        for array, axis in zip(arrays, in_axes, strict=True)
    )


@pytest.mark.parametrize(
    "mapped", SUBSETS, ids=lambda m: "".join("xybp"[k] for k in range(4) if m[k])
)
def test_any_arrays_are_mapped(mapped, gaussian, agree, rng):
    in_axes = tuple(0 if each else None for each in mapped)
    arrays = stacked(gaussian.arrays(rng), in_axes, SIZE, rng)
    found = jax.vmap(gaussian.genred, in_axes)(*arrays)
    agree(found, jax.vmap(gaussian.dense, in_axes)(*arrays))


@pytest.mark.parametrize(
    "in_axes", [(1, None, 2, 1), (2, 0, 1, 0), (None, 2, 2, None), (1, 1, 1, 1), (-1, -2, 0, -1)]
)
@pytest.mark.parametrize("out_axes", [0, 2])
def test_any_axes_are_mapped(in_axes, out_axes, gaussian, agree, rng):
    positive = tuple(
        axis if axis is None or axis >= 0 else axis + array.ndim + 1
        for axis, array in zip(in_axes, gaussian.arrays(rng), strict=True)
    )
    arrays = stacked(gaussian.arrays(rng), positive, SIZE, rng)
    found = jax.vmap(gaussian.genred, in_axes, out_axes)(*arrays)
    agree(found, jax.vmap(gaussian.dense, in_axes, out_axes)(*arrays))


def test_every_formula_is_mapped_twice(case, agree, rng):
    first = (0,) + (None,) * (len(case.shapes) - 1)
    last = (None,) * (len(case.shapes) - 1) + (0,)
    arrays = stacked(case.arrays(rng), first, 3, rng)
    arrays = stacked(arrays, last, 2, rng)
    both = lambda function: jax.jit(jax.vmap(jax.vmap(function, first), last))
    agree(both(case.genred)(*arrays), both(case.dense)(*arrays))


@pytest.mark.parametrize("size", [0, 1])
def test_axes_of_length_0_and_1(size, gaussian, agree, rng):
    in_axes = (0, None, 0, 0)
    arrays = stacked(gaussian.arrays(rng), in_axes, size, rng)
    agree(
        jax.vmap(gaussian.genred, in_axes)(*arrays),
        jax.vmap(gaussian.dense, in_axes)(*arrays),
    )


def test_a_mapped_gradient(case, loss, agree, rng):
    in_axes = (0,) + (None,) * (len(case.shapes) - 1)
    arrays = stacked(case.arrays(rng), in_axes, SIZE, rng)
    mapped = lambda function: jax.jit(jax.vmap(jax.grad(loss(function), case.slots), in_axes))
    agree(mapped(case.genred)(*arrays), mapped(case.dense)(*arrays))


@pytest.mark.parametrize("in_axes", [(0, None, None, 0), (None, 0, 0, None), (0, 0, 0, 0)])
def test_the_gradient_of_a_mapped_sum(in_axes, gaussian, loss, agree, rng):
    arrays = stacked(gaussian.arrays(rng), in_axes, SIZE, rng)
    gradient = lambda function: jax.jit(jax.grad(loss(jax.vmap(function, in_axes)), gaussian.slots))
    agree(gradient(gaussian.genred)(*arrays), gradient(gaussian.dense)(*arrays))


def test_the_hessian_of_a_mapped_sum(gaussian, loss, agree, rng):
    in_axes = (0, None, None, 0)
    arrays = stacked(gaussian.arrays(rng), in_axes, SIZE, rng)
    hessian = lambda function: jax.jit(jax.hessian(loss(jax.vmap(function, in_axes)), (0, 3)))
    agree(hessian(gaussian.genred)(*arrays), hessian(gaussian.dense)(*arrays))


def test_a_mapped_hessian(gaussian, loss, agree, rng):
    in_axes = (None, 0, None, 0)
    arrays = stacked(gaussian.arrays(rng), in_axes, SIZE, rng)
    mapped = lambda function: jax.jit(jax.vmap(jax.hessian(loss(function), (0, 3)), in_axes))
    agree(mapped(gaussian.genred)(*arrays), mapped(gaussian.dense)(*arrays))


def test_a_mapped_tangent_of_arrays_that_are_not_mapped(gaussian, agree, rng):
    arrays = gaussian.arrays(rng)
    along = stacked(arrays, (0, 0, 0, 0), SIZE, rng)
    push = lambda function: jax.vmap(lambda *t: jax.jvp(function, arrays, t)[1])(*along)
    agree(push(gaussian.genred), push(gaussian.dense))


def test_mapped_row_numbers_are_of_each_batch(rng):
    nearest = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], "Min_ArgMin", axis=1)
    x, y = jnp.asarray(rng.normal(size=(5, 2))), jnp.asarray(rng.normal(size=(3, 7, 2)))
    values, indices = jax.vmap(nearest, (None, 0))(x, y)
    squared = ((x[None, :, None] - y[:, None]) ** 2).sum(-1)
    np.testing.assert_array_equal(indices[..., 0], squared.argmin(-1))
    np.testing.assert_allclose(values[..., 0], squared.min(-1), rtol=1e-14)


def test_a_mapped_axis_may_be_spread_over_devices(gaussian, mesh, agree, rng):
    in_axes = (0, None, None, 0)
    arrays = stacked(gaussian.arrays(rng), in_axes, 4, rng)
    with jax.set_mesh(mesh):
        found = jax.jit(jax.vmap(gaussian.genred, in_axes, spmd_axis_name="r"))(*arrays)
    agree(found, jax.vmap(gaussian.dense, in_axes)(*arrays))
