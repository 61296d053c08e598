"""How many passes over the pairs a gradient makes: one for each axis."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxkeops import Genred

ALIASES = ["G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "B = Vj(2)"]
ARRAYS = jnp.ones(1), jnp.ones((50, 3)), jnp.ones((60, 3)), jnp.ones((60, 2))


def sweeps_of(function, *args):
    """The shapes of the results of each kernel of a program, inner programs too."""
    found = []

    def walk(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "jaxkeops_reduce":
                found.append([out.aval.shape for out in equation.outvars])
            for inner in equation.params.values():
                inner = getattr(inner, "jaxpr", inner)  # a closed program holds the open one
                if hasattr(inner, "eqns"):
                    walk(inner)

    walk(jax.make_jaxpr(function)(*args).jaxpr)
    return found


def loss(reduction, formula):
    reduce = Genred(formula, ALIASES, reduction, axis=1)
    return lambda *arrays: reduce(*arrays).sum()


def test_all_gradients_take_one_pass_for_each_axis():
    function = loss("Sum", "Exp(-G * SqDist(X,Y)) * B")
    gradient = jax.grad(function, argnums=(0, 1, 2, 3))
    # The value itself is asked by nobody, but only XLA takes it out.
    assert sweeps_of(gradient, *ARRAYS)[-2:] == [[(50, 3), (1,)], [(60, 5)]]
    value_and_grad = jax.value_and_grad(function, argnums=(0, 1, 2, 3))
    assert len(sweeps_of(value_and_grad, *ARRAYS)) == 3


def test_parameters_never_become_rows():
    gradient = jax.grad(loss("Sum", "Exp(-G * SqDist(X,Y)) * B"))
    assert sweeps_of(gradient, *ARRAYS)[-1] == [(1,)]


def test_a_sum_of_one_column_keeps_the_slopes_of_its_rows():
    function = loss("Sum", "Exp(-G * SqDist(X,Y)) * Elem(B,0)")
    assert sweeps_of(jax.value_and_grad(function, argnums=(0, 1)), *ARRAYS) == [[(50, 5)]]
    every = jax.value_and_grad(function, argnums=(0, 1, 2, 3))
    assert sweeps_of(every, *ARRAYS) == [[(50, 5)], [(60, 5)]]
    assert sweeps_of(function, *ARRAYS) == [[(50, 1)]]
