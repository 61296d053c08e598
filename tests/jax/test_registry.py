"""Every op of the language under JAX's own checks of derivatives, both modes, to second order."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax.test_util import check_grads

from jaxkeops.formula import OPS, Var, make_formula
from jaxkeops.ir import Input
from jaxkeops.jax.primitive import Way, reduce

M, N = 2, 3
# What is prescribed is not the derivative of the value, which is what these checks find.
SAMPLES = [(op, *op.samples[0]) for op in OPS.values() if op.arity and not op.prescribed]


@pytest.mark.parametrize(("op", "dims", "params"), SAMPLES, ids=[op.name for op, *_ in SAMPLES])
def test_derivatives_pass_check_grads(op, dims, params, rng):
    axes = "ijp"
    variables = [Var(dim, slot, axes[slot % 3]) for slot, dim in enumerate(dims)]
    formula = make_formula(
        "Sum", op(*variables, *params), [Input(var.axis, var.dim) for var in variables]
    )
    rows = {"i": (M,), "j": (N,), "p": ()}
    with jax.enable_x64(True):
        arrays = tuple(
            jnp.asarray(rng.uniform(*op.domain, (*rows[var.axis], var.dim))) for var in variables
        )
        check_grads(lambda *given: reduce(formula, Way(), given)[0], arrays, order=2)
