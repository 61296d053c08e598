"""Every op in plain XLA: its value against dense float64, value and gradient against the kernel."""

from __future__ import annotations

from typing import get_args

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from oracle import evaluate

from jaxkeops import ir
from jaxkeops.formula import OPS, Var, make_formula
from jaxkeops.ir import INSTRS, Input
from jaxkeops.jax.primitive import Way, reduce
from jaxkeops.jax.xla.accumulators import ACCUMULATORS
from jaxkeops.jax.xla.spelling import SPELLING, exp2

M, N = 5, 7
SAMPLES = [(op, *op.samples[0]) for op in OPS.values() if op.arity]


def test_every_instruction_is_spelled():
    assert SPELLING.keys() == INSTRS.keys()


def test_every_accumulator_is_known():
    assert ACCUMULATORS.keys() == set(get_args(ir.Accumulator))


def agree(found, right):
    scale = max(1.0, np.abs(right).max())
    np.testing.assert_allclose(found, right, rtol=0, atol=64 * np.finfo(float).eps * scale)


@pytest.mark.parametrize(("op", "dims", "params"), SAMPLES, ids=[op.name for op, *_ in SAMPLES])
def test_an_op_and_its_gradient(op, dims, params, rng):
    variables = [Var(dim, slot, "ijp"[slot % 3]) for slot, dim in enumerate(dims)]
    inputs = [*(Input(var.axis, var.dim) for var in variables), Input("i", 0), Input("j", 0)]
    formula = make_formula("Sum", op(*variables, *params), inputs)
    rows = {"i": (M,), "j": (N,), "p": ()}
    arrays = [
        jnp.asarray(rng.uniform(*op.domain, (*rows[given.axis], given.dim))) for given in inputs
    ]

    def both(backend):
        def loss(first):
            (found,) = reduce(formula, Way(backend=backend), [first, *arrays[1:]])
            weights = jnp.cos(jnp.arange(found.size, dtype=found.dtype)).reshape(found.shape)
            return (weights * found).sum(), found

        (_, value), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(arrays[0])
        return value, slope

    value, slope = both("XLA")
    declared = [Var(given.dim, k, given.axis) for k, given in enumerate(inputs)]
    agree(value, evaluate(formula.node, dict(enumerate(arrays)), declared).sum(-2))
    for found, right in zip((value, slope), both("auto"), strict=True):
        agree(found, right)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_two_keep_their_digits_however_small(dtype, rng):
    info = np.finfo(dtype)
    exponents = rng.uniform(info.minexp, info.maxexp, 200).astype(dtype)
    found = np.asarray(exp2(jnp.asarray(exponents)))
    with mpmath.workprec(80):
        right = [mpmath.power(2, float(each)) for each in exponents]
        errors = [
            abs(float((mpmath.mpf(float(a)) - b) / b)) for a, b in zip(found, right, strict=True)
        ]
    assert max(errors) <= 4 * info.eps
    ends = jnp.asarray([-jnp.inf, jnp.inf, jnp.nan, 0, -1e9, 1e9], dtype)
    np.testing.assert_array_equal(exp2(ends), [0, np.inf, np.nan, 1, 0, np.inf])
