"""float16 and bfloat16 under every transformation, against float32 on the same numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.errors import ArgumentError
from jaxkeops.jax import Genred

EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
every_dtype = pytest.mark.parametrize("dtype", EPS)


def single(tree):
    return jax.tree.map(lambda array: array.astype("float32"), tree)


def near(found, expected, dtype):
    """Within a few roundings: each derivative is rounded where it passes from one to the next."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.shape == other.shape
        assert one.dtype == dtype
        scale = max(1.0, float(jnp.abs(other).max()))
        np.testing.assert_allclose(
            one.astype("float32"), other, rtol=0, atol=8 * EPS[dtype] * scale
        )


@every_dtype
def test_results_are_those_of_float32_rounded_once(case, dtype, rng):
    arrays = case.arrays(rng, dtype)
    for wrap in (lambda f: f, jax.jit):
        result = wrap(case.genred)(*arrays)
        assert result.dtype == dtype
        assert (result == case.genred(*single(arrays)).astype(dtype)).all()


@every_dtype
def test_every_reduction(reduced_case, dtype, rng):
    arrays = reduced_case.arrays(rng, dtype)
    results = jax.tree.leaves(reduced_case.genred(*arrays))
    for one, other in zip(
        results, jax.tree.leaves(reduced_case.genred(*single(arrays))), strict=True
    ):
        assert one.dtype == ("int64" if other.dtype.kind == "i" else dtype)
        assert (one == other.astype(one.dtype)).all()


@every_dtype
def test_row_numbers_are_int32_where_x64_is_off(dtype, rng):
    with jax.enable_x64(False):
        x = jnp.asarray(rng.normal(size=(5, 2)), dtype)
        values, rows = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], "Min_ArgMin", 1)(x, x)
    assert (values.dtype, rows.dtype) == (dtype, "int32")
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4]


@every_dtype
def test_gradients(case, loss, dtype, rng):
    arrays = case.arrays(rng, dtype)
    gradient = jax.jit(jax.grad(loss(case.genred), case.slots))
    near(gradient(*arrays), gradient(*single(arrays)), dtype)


@every_dtype
def test_gradients_of_every_reduction(reduced_case, loss, dtype, rng):
    arrays = reduced_case.arrays(rng, dtype)
    gradient = jax.jit(jax.grad(loss(reduced_case.values), reduced_case.slots))
    near(gradient(*arrays), gradient(*single(arrays)), dtype)


@every_dtype
def test_forward_mode(case, dtype, rng):
    arrays, along = case.arrays(rng, dtype), case.arrays(rng, dtype)
    near(
        jax.jvp(case.genred, arrays, along),
        jax.jvp(case.genred, single(arrays), single(along)),
        dtype,
    )


@every_dtype
def test_second_derivatives(gaussian, dtype, rng):
    arrays = gaussian.arrays(rng, dtype)
    hessian = jax.jit(jax.hessian(lambda *a: gaussian.genred(*a).sum(), (0, 3)))
    near(hessian(*arrays), hessian(*single(arrays)), dtype)


@every_dtype
def test_vmap(gaussian, dtype, rng):
    x, y, b, p = gaussian.arrays(rng, dtype)
    many = jnp.stack([x, 2 * x])
    result = jax.vmap(gaussian.genred, (0, None, None, None))(many, y, b, p)
    for one, other in zip(result, many, strict=True):
        assert (one == gaussian.genred(other, y, b, p)).all()


@every_dtype
def test_sharding(gaussian, mesh, dtype, rng):
    x, y, b, p = gaussian.arrays(rng, dtype)
    x = jnp.concatenate([x, x[:3]])
    along, everywhere = jax.P("r"), jax.P()
    cut = jax.shard_map(
        gaussian.genred, mesh=mesh, in_specs=(along, *[everywhere] * 3), out_specs=along
    )
    assert (jax.jit(cut)(x, y, b, p) == gaussian.genred(x, y, b, p)).all()


def test_subnormal_float16_are_not_flushed():
    """XLA's threads flush subnormal float32 to zero; those of float16 are normal there."""
    x = jnp.arange(1, 1024, dtype="uint16")[:, None].view("float16")
    result = jax.jit(Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], axis=1))(x, jnp.ones_like(x[:1]))
    assert (result.view("uint16") == x.view("uint16")).all()


@every_dtype
def test_numbers_take_the_dtype_of_the_arrays(gaussian, dtype, rng):
    x, y, b, _ = gaussian.arrays(rng, dtype)
    assert gaussian.genred(x, y, b, 0.5).dtype == dtype


@every_dtype
@pytest.mark.parametrize("other", ["float32", "float16", "bfloat16"])
def test_two_dtypes_are_refused(gaussian, dtype, other, rng):
    if dtype == other:
        return
    x, y, b, p = gaussian.arrays(rng, dtype)
    with pytest.raises(ArgumentError, match=f"x has {dtype}, y has {other}"):
        gaussian.genred(x, y.astype(other), b, p)
