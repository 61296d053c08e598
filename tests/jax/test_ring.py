"""Blocks of columns that go round the devices, inside of jax.shard_map."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from collectives import collectives, compiled
from jax.sharding import PartitionSpec as P

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.jax import Genred, Vi, Vj

M, N = 16, 24


def shapes_of(case, lengths=(M, N)):
    rows = {"Vi": lengths[:1], "Vj": lengths[1:], "Pm": ()}
    kinds = [alias.split(" = ")[1][:2] for alias in case.aliases]
    return [(*rows[kind], shape[-1]) for kind, shape in zip(kinds, case.shapes, strict=True)]


@pytest.fixture
def draw(rng):
    def make(case, lengths=(M, N)):
        return [jnp.asarray(rng.uniform(0.2, 1, shape)) for shape in shapes_of(case, lengths)]

    return make


@pytest.fixture
def ringed(mesh):
    """A case as a function of whole arrays, of which each device has a block."""

    def make(case, genred=None, **options):
        genred = case.genred if genred is None else genred
        specs = tuple(P() if alias.endswith("Pm(1)") else P("r") for alias in case.aliases)

        def local(*arrays):
            results = genred(*arrays, ring="r")
            return results[0] if isinstance(results, tuple) else results

        return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=P("r"), **options)

    return make


@pytest.mark.parametrize(
    ("axis", "check"), [("gaussian", True), ("gaussian", False), ("gaussian_over_i", True)]
)
def test_each_device_meets_all_blocks(axis, check, by_name, ringed, draw, loss, agree):
    case = by_name[axis]
    arrays = draw(case)
    function = ringed(case, check_vma=check)
    program = compiled(function, *arrays)
    agree(program(*arrays), case.dense(*arrays))
    assert set(collectives(program)) == {"collective-permute"}
    slope = lambda function: jax.grad(loss(function), case.slots)
    agree(jax.jit(slope(function))(*arrays), slope(case.dense)(*arrays))


def test_every_reduction(reduced_case, ringed, draw, agree):
    arrays = draw(reduced_case)
    agree(jax.jit(ringed(reduced_case))(*arrays), reduced_case.dense(*arrays))


# Of each way to differentiate, one.
@pytest.mark.parametrize("name", ["SumSoftMaxWeight_with_weights", "Max_ArgMax", "KMin_2"])
def test_other_reductions_have_their_gradients(name, reduced_by_name, ringed, draw, loss, agree):
    case = reduced_by_name[name]
    arrays = draw(case)
    slope = lambda function: jax.grad(loss(function), case.slots)
    agree(jax.jit(slope(ringed(case)))(*arrays), slope(case.dense)(*arrays))


def test_all_modes_and_orders(gaussian, ringed, draw, agree):
    arrays = draw(gaussian)
    function = ringed(gaussian)

    def product(function):
        total = lambda *a: (function(*a) ** 2).sum()
        slope = jax.grad(total, (0, 1, 2, 3))
        return lambda *a: jax.jvp(slope, a, tuple(map(jnp.ones_like, a)))

    agree(jax.jit(product(function))(*arrays), product(gaussian.dense)(*arrays))


def test_a_batch_goes_round_at_once(gaussian, mesh, draw, agree, rng):
    _, y, b, p = draw(gaussian)
    many = jnp.asarray(rng.uniform(0.2, 1, (3, M, 3)))
    local = jax.vmap(
        lambda x, y, b, p: gaussian.genred(x, y, b, p, ring="r"), (0, None, None, None)
    )
    function = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(P(None, "r"), P("r"), P("r"), P()),
        out_specs=P(None, "r"),
    )
    agree(jax.jit(function)(many, y, b, p), gaussian.dense(many, y, b, p))


def test_rows_are_numbered_through_all_blocks(mesh, rng):
    genred = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], "ArgKMin", axis=1, opt_arg=3)
    x, y = (jnp.asarray(rng.integers(0, 3, (count, 2)), float) for count in (M, N))
    function = jax.shard_map(
        lambda x, y: genred(x, y, ring="r"), mesh=mesh, in_specs=P("r"), out_specs=P("r")
    )
    np.testing.assert_array_equal(jax.jit(function)(x, y), genred(x, y))


@pytest.mark.parametrize("axes", [("a", "b"), ("b", "a")])
def test_a_ring_of_two_axes(axes, gaussian, draw, agree):
    grid = jax.make_mesh((2, 4), ("a", "b"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    arrays = draw(gaussian)
    both = P(axes)
    function = jax.shard_map(
        lambda *a: gaussian.genred(*a, ring=axes),
        mesh=grid,
        in_specs=(both, both, both, P()),
        out_specs=both,
    )
    agree(jax.jit(function)(*arrays), gaussian.dense(*arrays))


def test_reductions_of_lazy_tensors_go_round(mesh, rng, agree, loss):
    x, y = (jnp.asarray(rng.normal(size=(count, 3))) for count in (M, N))
    v = jnp.asarray(rng.normal(size=(N, 2)))

    def kernel(x, y):
        return (-0.5 * Vi(x).sqdist(Vj(y))).exp()

    ways = {
        "sum": lambda x, y, v, **around: (kernel(x, y) * Vj(v)).sum(1, **around),
        "product": lambda x, y, v, **around: kernel(x, y).__matmul__(v, **around),
        "later": lambda x, y, v, **around: kernel(x, y).logsumexp(1, weight=Vj(v), call=False)(
            **around
        ),
        "nearest": lambda x, y, v, **around: kernel(x, y).argKmin(3, axis=1, **around),
    }
    for name, way in ways.items():
        ringed = jax.shard_map(partial(way, ring="r"), mesh=mesh, in_specs=P("r"), out_specs=P("r"))
        program = compiled(ringed, x, y, v)
        agree(program(x, y, v), way(x, y, v))
        assert set(collectives(program)) == {"collective-permute"}, name
    with pytest.raises(ArgumentError, match="none are manual here"):
        ways["sum"](x, y, v, ring="r")
    with pytest.raises(ArgumentTypeError, match="no option 'ring': solve takes"):
        kernel(x, x).solve(v, ring="r")


def test_memory_does_not_grow_with_the_devices(gaussian, mesh, ringed, draw):
    """Gathered columns would be as much again for each device."""
    arrays = draw(gaussian, (64, 1 << 14))
    total = lambda *a: (ringed(gaussian)(*a) ** 2).sum()
    program = compiled(jax.grad(total, gaussian.slots), *arrays)
    block = (1 << 14) // mesh.size * (3 + 2) * 8
    assert program.memory_analysis().temp_size_in_bytes < 4 * block


def test_a_ring_outside_of_shard_map_is_refused(gaussian, draw):
    with pytest.raises(ArgumentError, match="none are manual here"):
        gaussian.genred(*draw(gaussian), ring="r")


def test_an_axis_that_does_not_exist_is_refused(gaussian, mesh, draw):
    local = lambda *a: gaussian.genred(*a, ring="s")
    function = jax.shard_map(local, mesh=mesh, in_specs=P(), out_specs=P())
    with pytest.raises(ArgumentError, match="got 's': 'r' are manual"):
        function(*draw(gaussian))


def test_parameters_that_differ_are_refused(gaussian, mesh, draw):
    *arrays, _ = draw(gaussian)
    function = jax.shard_map(
        lambda *a: gaussian.genred(*a, ring="r"), mesh=mesh, in_specs=P("r"), out_specs=P("r")
    )
    with pytest.raises(ArgumentError, match="p is a parameter, and may differ along r"):
        function(*arrays, jnp.ones(4))


def test_ranges_are_refused(gaussian, mesh, draw):
    half = (np.array([[0, 4]]), np.array([1]), np.array([[0, 6]]))
    function = jax.shard_map(
        lambda *a: gaussian.genred(*a, ring="r", ranges=half + half),
        mesh=mesh,
        in_specs=(P("r"), P("r"), P("r"), P()),
        out_specs=P("r"),
    )
    with pytest.raises(ArgumentError, match="ring takes no ranges"):
        function(*draw(gaussian))
