"""Meshes whose axes are explicit: types say where arrays are, of results too."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from collectives import collectives, compiled
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from jaxkeops.jax import Genred

M, N = 24, 16


@pytest.fixture
def grid():
    return jax.make_mesh((4, 2), ("r", "c"), axis_types=(AxisType.Explicit,) * 2)


@pytest.fixture
def arrays(grid, rng):
    def make(i, j):
        shapes, specs = ((M, 3), (N, 3), (N, 2), (1,)), (P(i), P(j), P(j), P())
        return [
            jax.device_put(rng.uniform(0.2, 1, shape), NamedSharding(grid, spec))
            for shape, spec in zip(shapes, specs, strict=True)
        ]

    return make


def here(arrays):
    return [jnp.asarray(np.asarray(array)) for array in arrays]


SPLITS = {
    "rows": ("r", None, {}),
    "columns": (None, ("r", "c"), {"all-reduce": 1}),
    "rows and columns": ("r", "c", {"all-reduce": 1}),
    "both by one axis": ("r", "r", {"all-gather": 2}),
}


@pytest.mark.parametrize("split", SPLITS)
def test_results_are_typed_as_rows_are(split, gaussian, arrays, agree):
    i, j, expected = SPLITS[split]
    given = arrays(i, j)
    program = compiled(gaussian.genred, *given)
    found = program(*given)
    agree(found, gaussian.dense(*here(given)))
    assert jax.typeof(found).sharding.spec == P(i, None)
    assert collectives(program) == expected
    assert jax.eval_shape(gaussian.genred, *given).sharding.spec == P(i, None)


def test_fewer_rows_are_gathered_and_the_result_is_cut_again(gaussian, arrays, agree, grid, rng):
    x, _, _, p = arrays("r", None)
    y, b = (
        jax.device_put(rng.uniform(0.2, 1, (256, width)), NamedSharding(grid, P("r")))
        for width in (3, 2)
    )
    program = compiled(gaussian.genred, x, y, b, p)
    found = program(x, y, b, p)
    agree(found, gaussian.dense(*here((x, y, b, p))))
    assert found.sharding.spec == P("r", None)
    assert collectives(program) == {"all-gather": 1, "all-reduce": 1}


@pytest.mark.parametrize("split", SPLITS)
def test_gradients_are_typed_as_arrays_are(split, gaussian, arrays, agree, loss):
    given = arrays(*SPLITS[split][:2])
    slope = lambda function: jax.grad(loss(function), gaussian.slots)
    found = jax.jit(slope(gaussian.genred))(*given)
    agree(found, slope(gaussian.dense)(*here(given)))
    for gradient, array in zip(found, given, strict=True):
        assert gradient.sharding.is_equivalent_to(array.sharding, array.ndim)


@pytest.mark.parametrize("width", [1, 2])  # sums of one column have slopes
@pytest.mark.parametrize("specs", [(P(("r", "c")), P("r")), (P("c"), P("r")), (P(), P("r"))])
def test_rows_of_operands_may_lie_along_different_axes(specs, width, grid, agree, rng):
    aliases = ["x = Vi(2)", f"a = Vi({width})", "y = Vj(2)", "p = Pm(1)"]
    genred = Genred("Exp(-p * SqDist(x, y)) * a", aliases, axis=1)
    local = [rng.uniform(0.2, 1, shape) for shape in ((M, 2), (M, width), (N, 2), (1,))]
    given = [
        jax.device_put(array, NamedSharding(grid, spec))
        for array, spec in zip(local, (*specs, P("c"), P()), strict=True)
    ]
    slope = jax.grad(lambda *a: (genred(*a) ** 2).sum(), (0, 1, 2, 3))
    product = lambda *a: jax.jvp(slope, a, tuple(map(jnp.ones_like, a)))
    agree(jax.jit(product)(*given), product(*map(jnp.asarray, local)))


@pytest.mark.parametrize("name", ["LogSumExp_with_weights", "KMin_2", "Max_of_vectors"])
def test_other_reductions_are_merged(name, reduced_by_name, grid, agree, loss, rng):
    case = reduced_by_name[name]
    shapes, specs = ((M, 2), (N, 2), (N, 2), (1,)), (P("r"), P("c"), P("c"), P())
    given = [
        jax.device_put(rng.uniform(0.2, 1, shape), NamedSharding(grid, spec))
        for shape, spec in zip(shapes, specs, strict=True)
    ]
    agree(jax.jit(case.genred)(*given), case.dense(*here(given)))
    slope = lambda function: jax.grad(loss(function), case.slots)
    agree(jax.jit(slope(case.genred))(*given), slope(case.dense)(*here(given)))


def test_a_batch_keeps_its_axis(gaussian, arrays, grid, agree, rng):
    _, y, b, p = arrays(None, "c")
    x = jax.device_put(rng.uniform(0.2, 1, (4, M, 3)), NamedSharding(grid, P("r")))
    each = lambda function: lambda *a: function(*a)
    found = jax.jit(each(gaussian.genred))(x, y, b, p)
    agree(found, gaussian.dense(*here((x, y, b, p))))
    assert jax.typeof(found).sharding.spec == P("r", None, None)
