"""Modules as functions of a pair: any pytree, and those of Equinox."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import pytest

from jaxkeops import reduce_pairs

eqx = pytest.importorskip("equinox")


class Potential(eqx.Module):
    network: eqx.nn.MLP
    scale: jax.Array
    power: int = eqx.field(static=True)

    def __call__(self, x, y):
        return self.network(jnp.concatenate([x, self.scale * y])) ** self.power

    def total(self, x, y):
        return reduce_pairs(self)(x, y)


@pytest.fixture
def potential():
    network = eqx.nn.MLP(6, 2, 8, 2, key=jax.random.key(0), activation=jax.nn.silu)
    return Potential(network, jnp.asarray(0.7), 2)


def agree_as_arrays(agree, found, expected):
    agree(*(jax.tree.leaves(eqx.filter(tree, eqx.is_array)) for tree in (found, expected)))


def test_a_module_is_the_function(potential, dense, points, agree):
    x, y, _ = points()

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(module, wrap):
        return (wrap(module)(x, y) ** 2).sum()

    found, expected = loss(potential, reduce_pairs), loss(potential, dense)
    agree(found[0], expected[0])
    agree_as_arrays(agree, found[1], expected[1])


def test_a_module_is_an_argument_or_closed_over(potential, dense, points, agree):
    x, y, _ = points()
    expected = dense(potential)(x, y)
    as_argument = reduce_pairs(lambda x, y, module: module(x, y), in_axes=("i", "j", None))
    agree(eqx.filter_jit(as_argument)(x, y, potential), expected)
    agree(reduce_pairs(lambda x, y: potential(x, y))(x, y), expected)
    agree(potential.total(x, y), expected)


def test_modules_of_one_structure_share_a_kernel(potential, points):
    x, y, _ = points()
    traces = []

    @reduce_pairs(in_axes=("i", "j", None))
    def reduced(x, y, module):
        traces.append(module)
        return module(x, y)

    reduced(x, y, potential)
    reduced(x, y, jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, potential))
    assert len(traces) == 1
    reduced(x[:, :], y[:2], potential)
    assert len(traces) == 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gaussian:
    width: jax.Array
    name: str = field(default="gaussian", metadata={"static": True})

    def __call__(self, x, y):
        return jnp.exp(-jnp.sum(((x - y) / self.width) ** 2))


def test_dataclasses_may_be_functions(points, agree, dense):
    x, y, p = points()
    found = jax.grad(lambda kernel: reduce_pairs(kernel)(x, y).sum())(Gaussian(p))
    agree(found, jax.grad(lambda kernel: dense(kernel)(x, y).sum())(Gaussian(p)))


def test_objects_that_are_no_trees_may_be_functions(points, agree):
    class Scaled:
        def __call__(self, x, y):
            return 3 * x * y

    x, y, _ = points()
    agree(reduce_pairs(Scaled())(x, y), 3 * x * y.sum(0))
