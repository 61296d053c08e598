"""How a reduced function is computed: by operations of XLA, and with blocks that go round."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, PartitionSpec as P

from jaxkeops import reduce_pairs
from jaxkeops.errors import ArgumentError

AXES = ("i", "j", None)


def smooth(x, y, p):
    return jnp.exp(-p[0] * jnp.sum((x - y) ** 2)) * y


def gradients(function):
    return jax.grad(lambda *args: jnp.sum(jnp.sin(function(*args))), (0, 1, 2))


@pytest.fixture
def ringed(rng):
    """A function of whole arrays, of which each device has a block; and the arrays."""
    mesh = jax.make_mesh((4,), ("r",), axis_types=(AxisType.Auto,))
    arrays = tuple(jnp.asarray(rng.uniform(0.2, 1, s)) for s in ((8, 3), (12, 3), (3,)))

    def make(function, p=None):
        specs = (P("r"), P("r"), P(p))
        return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=P("r")))

    return make, arrays


def test_xla_by_name_calls_no_kernel(dense, points, agree):
    args = points()
    by_xla = reduce_pairs(smooth, in_axes=AXES, backend="XLA")
    agree(by_xla(*args), dense(smooth, AXES)(*args))
    agree(gradients(by_xla)(*args), gradients(dense(smooth, AXES))(*args))
    assert "custom_call" not in jax.jit(gradients(by_xla)).lower(*args).as_text()


def test_other_backends_are_refused():
    with pytest.raises(ArgumentError, match=r"'auto' or 'XLA', got 'GPU'.*jax\.device_put"):
        reduce_pairs(smooth, in_axes=AXES, backend="GPU")


def test_blocks_go_round_and_so_do_derivatives(ringed, dense, agree):
    make, args = ringed
    around = make(reduce_pairs(smooth, in_axes=AXES, ring="r"))
    agree(around(*args), dense(smooth, AXES)(*args))
    agree(jax.jit(gradients(around))(*args), gradients(dense(smooth, AXES))(*args))
    closed = make(lambda x, y, p: reduce_pairs(lambda x, y: smooth(x, y, p), ring="r")(x, y))
    agree(jax.jit(gradients(closed))(*args), gradients(dense(smooth, AXES))(*args))


def test_rows_are_counted_through_all_blocks(ringed, dense, agree):
    make, args = ringed
    around = make(reduce_pairs(smooth, in_axes=AXES, reduction="argmin", ring="r"))
    agree(around(*args), dense(smooth, AXES, "argmin")(*args))


def test_a_ring_that_does_not_fit_is_refused(ringed, points):
    make, (x, y, _) = ringed
    around = reduce_pairs(smooth, in_axes=AXES, ring="r")
    with pytest.raises(ArgumentError, match=r"ring names mesh axes .* got 'r': none are manual"):
        around(*points())
    with pytest.raises(ArgumentError, match="What all pairs share is a parameter, and may differ"):
        make(around, "r")(x, y, jnp.ones(4))
