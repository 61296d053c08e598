"""Every op of the language under PyTorch's own checks of derivatives, first and second order."""

from __future__ import annotations

import pytest
import torch

from jaxkeops.formula import OPS, Var, make_formula
from jaxkeops.ir import Input
from jaxkeops.torch.derivatives import apply

M, N = 2, 3
# What is prescribed is not the derivative of the value, which is what these checks find.
SAMPLES = [(op, *op.samples[0]) for op in OPS.values() if op.arity and not op.prescribed]


@pytest.mark.parametrize(("op", "dims", "params"), SAMPLES, ids=[op.name for op, *_ in SAMPLES])
def test_derivatives_pass_gradcheck(op, dims, params, rng):
    axes = "ijp"
    variables = [Var(dim, slot, axes[slot % 3]) for slot, dim in enumerate(dims)]
    formula = make_formula(
        "Sum", op(*variables, *params), [Input(var.axis, var.dim) for var in variables]
    )
    rows = {"i": (M,), "j": (N,), "p": ()}
    arrays = tuple(
        torch.tensor(rng.uniform(*op.domain, (*rows[var.axis], var.dim)), requires_grad=True)
        for var in variables
    )

    def function(*given):
        return apply(formula, given)[0]

    if function(*arrays).requires_grad:
        torch.autograd.gradcheck(function, arrays, check_forward_ad=True)
        torch.autograd.gradgradcheck(function, arrays)
