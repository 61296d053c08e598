"""Programs and their meshes: several, mixed, of a context, of odd sizes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from collectives import collectives, compiled
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P

from jaxkeops.jax import reduce_pairs
from jaxkeops.jax.devices import common_mesh

SHAPES = ((24, 3), (16, 3), (16, 2), (1,))


@pytest.fixture
def arrays(rng):
    return [jnp.asarray(rng.uniform(0.2, 1, shape)) for shape in SHAPES]


def placed(arrays, mesh, i="r", j="c"):
    specs = (P(i), P(j), P(j), P())
    return [
        jax.device_put(array, NamedSharding(mesh, spec))
        for array, spec in zip(arrays, specs, strict=True)
    ]


def grid_of(*kinds):
    return jax.make_mesh((4, 2), ("r", "c"), axis_types=kinds)


@pytest.mark.parametrize(
    "kinds",
    [(AxisType.Explicit, AxisType.Auto), (AxisType.Auto, AxisType.Explicit)],
    ids=["explicit rows", "explicit columns"],
)
def test_one_axis_is_explicit(kinds, gaussian, arrays, agree):
    given = placed(arrays, grid_of(*kinds))
    program = compiled(gaussian.genred, *given)
    agree(program(*given), gaussian.dense(*arrays))
    assert collectives(program) == {"all-reduce": 1}


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_a_mesh_of_the_context(kind, gaussian, arrays, agree):
    mesh = grid_of(kind, kind)
    with jax.set_mesh(mesh):
        given = placed(arrays, mesh)
        program = compiled(gaussian.genred, *given)
        agree(np.asarray(program(*given)), np.asarray(gaussian.dense(*arrays)))
    assert collectives(program) == {"all-reduce": 1}


def test_constraints_alone_say_where_arrays_are(gaussian, arrays, agree):
    mesh = grid_of(AxisType.Auto, AxisType.Auto)

    def constrained(*arrays):
        return gaussian.genred(
            *(
                jax.lax.with_sharding_constraint(array, NamedSharding(mesh, spec))
                for array, spec in zip(arrays, (P("r"), P("c"), P("c"), P()), strict=True)
            )
        )

    program = compiled(constrained, *arrays)
    agree(
        program(*jax.device_put(tuple(arrays), program.input_shardings[0])), gaussian.dense(*arrays)
    )
    assert collectives(program) == {"all-reduce": 1}


def test_a_program_of_two_meshes(gaussian, arrays, agree):
    """The same devices under other names, in another order of axes."""
    other = jax.make_mesh((2, 2, 2), ("a", "b", "c"), axis_types=(AxisType.Auto,) * 3)
    x, y, b, p = placed(arrays, grid_of(AxisType.Auto, AxisType.Auto))

    def function(x, y, b, p):
        return gaussian.genred(
            x, jax.lax.with_sharding_constraint(y, NamedSharding(other, P("c"))), b, p
        )

    program = compiled(function, x, y, b, p)
    agree(program(x, y, b, p), gaussian.dense(*arrays))
    assert collectives(program) == {"all-reduce": 1}


def test_six_devices(gaussian, rng, agree):
    mesh = Mesh(np.array(jax.devices()[2:]).reshape(2, 3), ("r", "c"))
    arrays = [jnp.asarray(rng.uniform(0.2, 1, (18, shape[-1]))) for shape in SHAPES[:3]]
    arrays.append(jnp.ones(1))
    for i, j in (("r", "c"), ("c", "r"), (None, ("c", "r"))):
        given = placed(arrays, mesh, i, j)
        program = compiled(gaussian.genred, *given)
        agree(program(*given), gaussian.dense(*arrays))
        assert collectives(program) == {"all-reduce": 1}


def test_axes_that_are_not_manual_are_gathered_in_shard_map(gaussian, arrays, agree):
    mesh = grid_of(AxisType.Auto, AxisType.Auto)
    given = placed(arrays, mesh)
    partly = jax.shard_map(
        gaussian.genred,
        mesh=mesh,
        in_specs=(P("r"), P(), P(), P()),
        out_specs=P("r"),
        axis_names={"r"},
    )
    agree(jax.jit(partly)(*given), gaussian.dense(*arrays))


def test_a_loop_over_devices_and_its_gradient(gaussian, arrays, agree):
    given = placed(arrays, grid_of(AxisType.Auto, AxisType.Auto))

    def last(function):
        def run(x, *others):
            step = lambda x, _: (x - 0.01 * (function(x, *others) @ jnp.ones((2, 3))), None)
            return (jax.lax.scan(step, x, None, length=3)[0] ** 2).sum()

        return jax.jit(jax.grad(jax.checkpoint(run), (0, 1, 2, 3)))

    agree(last(gaussian.genred)(*given), last(gaussian.dense)(*arrays))


def test_a_plain_function_of_a_pair(gaussian, arrays, agree):
    given = placed(arrays, grid_of(AxisType.Auto, AxisType.Auto))
    function = reduce_pairs(
        lambda x, y, b, p: jnp.exp(-p * ((x - y) ** 2).sum()) * b, in_axes=("i", "j", "j", None)
    )
    program = compiled(function, *given)
    agree(program(*given), gaussian.dense(*arrays))
    assert collectives(program) == {"all-reduce": 1}


SPECS = ((None, None), ("r", None), (("r", "c"), None), (("c", "r"), None), ("c", "r"))


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (2, 3), (3, 2), (1, 5), (2, 1)], ids=str)
def test_shardings_tell_their_mesh(shape):
    count = shape[0] * shape[1]
    devices = jax.devices()[:count]
    mesh = Mesh(np.array(devices).reshape(shape), ("r", "c"))
    shardings = [NamedSharding(mesh, P(*spec)) for spec in SPECS]
    arrays = [jax.ShapeDtypeStruct((30, 30), "float32", sharding=each) for each in shardings]
    found, specs = common_mesh(devices, arrays)
    assert tuple(found.devices.flat) == tuple(devices)
    for spec, sharding in zip(specs, shardings, strict=True):
        assert NamedSharding(found, spec).is_equivalent_to(sharding, 2)
