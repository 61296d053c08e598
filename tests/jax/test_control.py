"""Reductions inside jit, loops, branches, donated buffers and manual meshes, in both x64 modes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxkeops.jax import Genred


def test_jit_changes_nothing(case, agree, rng):
    arrays = case.arrays(rng)
    expected = jax.jit(case.dense)(*arrays)
    agree(case.genred(*arrays), expected)
    agree(jax.jit(case.genred)(*arrays), expected)
    with jax.disable_jit():
        agree(case.genred(*arrays), expected)


def descend(function, y, b, p):
    def step(x, _):
        value, slope = jax.value_and_grad(lambda x: (function(x, y, b, p) ** 2).sum())(x)
        return x - 0.01 * slope, value

    return step


def test_a_scan_and_its_gradient(gaussian, agree, rng):
    x, *others = gaussian.arrays(rng)

    def last(function):
        def run(x, *others):
            end, values = jax.lax.scan(descend(function, *others), x, None, length=4)
            return (end * end).sum() + values[-1]

        return jax.jit(jax.value_and_grad(run, (0, 1, 2, 3)))

    agree(last(gaussian.genred)(x, *others), last(gaussian.dense)(x, *others))


def test_a_scan_over_the_arrays_themselves(gaussian, agree, rng):
    x, y, b, p = gaussian.arrays(rng)
    many = jnp.stack([x, 2 * x, 3 * x])
    run = lambda function: jax.lax.scan(lambda c, x: (c, function(x, y, b, p)), 0.0, many)[1]
    agree(run(gaussian.genred), run(gaussian.dense))


def test_a_map_and_its_gradient(gaussian, agree, rng):
    x, y, b, p = gaussian.arrays(rng)
    many = jnp.stack([x, 2 * x, 3 * x])

    def run(function, size):
        total = lambda m: jax.lax.map(lambda x: function(x, y, b, p), m, batch_size=size).sum()
        return jax.jit(jax.value_and_grad(total))(many)

    for size in (None, 2):
        agree(run(gaussian.genred, size), run(gaussian.dense, size))


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_and_its_gradient(taken, gaussian, agree, rng):
    arrays = gaussian.arrays(rng)

    def run(function):
        branch = lambda t, *a: jax.lax.cond(
            t, lambda *a: function(*a).sum(), lambda x, *a: x.sum(), *a
        )
        return jax.jit(jax.value_and_grad(branch, (1, 2)))(taken, *arrays)

    agree(run(gaussian.genred), run(gaussian.dense))


def test_a_while_loop(gaussian, agree, rng):
    x, y, b, p = gaussian.arrays(rng)

    def run(function):
        more = lambda state: state[1] < 3
        step = lambda state: (state[0] + function(state[0], y, b, p).sum(), state[1] + 1)
        return jax.lax.while_loop(more, step, (x, 0))[0]

    agree(run(gaussian.genred), run(gaussian.dense))


def test_a_donated_array_is_read_before_it_is_reused(gaussian, agree, rng):
    arrays = gaussian.arrays(rng)
    b = jnp.concatenate([arrays[2], arrays[2][:, :1]], 1)
    wide = Genred("Exp(-p*SqDist(x,y))*b", ["x=Vi(3)", "y=Vj(3)", "b=Vj(3)", "p=Pm(1)"], axis=1)
    expected = wide(arrays[0], arrays[1], b, arrays[3])
    replace = jax.jit(lambda x, y, b, p: wide(x, y, b, p), donate_argnums=0)
    spent = jnp.array(arrays[0])
    agree(replace(spent, arrays[1], b, arrays[3]), expected)


def test_results_feed_results(gaussian, agree, rng):
    x, y, b, p = gaussian.arrays(rng)

    def chain(function):
        a = function(x, y, b, p)
        return function(y, x, a, p) + function(y, y, b, p)

    agree(jax.jit(lambda: chain(gaussian.genred))(), chain(gaussian.dense))


def test_one_object_serves_both_x64_modes(gaussian, agree, rng):
    genred = gaussian.genred
    nearest = Genred("SqDist(x, y)", ["x = Vi(3)", "y = Vj(3)"], "ArgMin", axis=1)
    numbers = [np.asarray(array) for array in gaussian.arrays(rng)]
    for _ in range(2):
        for mode, dtype, index in ((True, "float64", "int64"), (False, "float32", "int32")):
            with jax.enable_x64(mode):
                result = genred(*numbers)
                assert result.dtype == dtype
                expected = gaussian.dense(*map(jnp.asarray, numbers))
                agree(result, expected)
                assert nearest(*numbers[:2]).dtype == index
                assert jax.jit(nearest)(*numbers[:2]).dtype == index
                slope = lambda function: jax.jit(jax.grad(lambda *a: function(*a).sum()))
                agree(slope(genred)(*numbers), slope(gaussian.dense)(*numbers))


def test_float32_stays_float32_in_x64_mode(gaussian, agree, rng):
    arrays = gaussian.arrays(rng, "float32")
    result = gaussian.genred(*arrays)
    assert result.dtype == "float32"
    agree(result, gaussian.dense(*arrays))


SPECS = (P("r"), P(), P(), P())


def test_rows_spread_over_a_manual_mesh(gaussian, mesh, loss, agree, rng):
    _, y, b, p = gaussian.arrays(rng)
    x = jnp.asarray(rng.uniform(0.2, 1, (8, 3)))
    local = jax.shard_map(gaussian.genred, mesh=mesh, in_specs=SPECS, out_specs=P("r"))
    agree(jax.jit(local)(x, y, b, p), gaussian.dense(x, y, b, p))
    found = jax.jit(jax.grad(loss(local), gaussian.slots))(x, y, b, p)
    agree(found, jax.grad(loss(gaussian.dense), gaussian.slots)(x, y, b, p))


def test_columns_spread_over_a_manual_mesh(gaussian, mesh, loss, agree, rng):
    x, _, _, p = gaussian.arrays(rng)
    y, b = (jnp.asarray(rng.uniform(0.2, 1, (8, width))) for width in (3, 2))
    total = jax.shard_map(
        lambda *a: jax.lax.psum(gaussian.genred(*a), "r"),
        mesh=mesh,
        in_specs=(P(), P("r"), P("r"), P()),
        out_specs=P(),
    )
    agree(jax.jit(total)(x, y, b, p), gaussian.dense(x, y, b, p))
    found = jax.jit(jax.grad(loss(total), gaussian.slots))(x, y, b, p)
    agree(found, jax.grad(loss(gaussian.dense), gaussian.slots)(x, y, b, p))


def test_gradients_inside_a_manual_mesh(gaussian, mesh, agree, rng):
    _, y, b, p = gaussian.arrays(rng)
    x = jnp.asarray(rng.uniform(0.2, 1, (8, 3)))

    def slope(function):
        return jax.vmap(jax.grad(lambda x: function(x[None], y, b, p).sum()))

    inside = jax.shard_map(slope(gaussian.genred), mesh=mesh, in_specs=P("r"), out_specs=P("r"))
    agree(jax.jit(inside)(x), slope(gaussian.dense)(x))
