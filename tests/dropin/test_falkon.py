"""falkon's kernels, as it calls PyKeOps for products of kernel matrices, against dense PyTorch."""

from __future__ import annotations

import math
from importlib import import_module

import pytest

torch = pytest.importorskip("torch", minversion="2.11")

M, N, D, E = 7, 9, 3, 2


def matern(nu):
    def kernel(x1, x2, s):
        r = torch.cdist(x1 / s, x2 / s) * math.sqrt(2 * nu)
        return {0.5: 1.0, 1.5: 1 + r, 2.5: 1 + r + r**2 / 3}[nu] * torch.exp(-r)

    return kernel


# Formula, the names of its parameters, and the kernel. Formulas and aliases are falkon's.
KERNELS = {
    "gaussian": (
        "Exp(SqDist(x1 / g, x2 / g) * IntInv(-2)) * v",
        {"g": D},
        lambda x1, x2, g: torch.exp(-(torch.cdist(x1 / g, x2 / g) ** 2) / 2),
    ),
    "laplacian": (
        "Exp(-Sqrt(SqDist(x1 / g, x2 / g))) * v",
        {"g": 1},
        lambda x1, x2, g: torch.exp(-torch.cdist(x1 / g, x2 / g)),
    ),
    "matern 1/2": ("Exp(-Norm2(x1 / s - x2 / s)) * v", {"s": D}, matern(0.5)),
    "matern 3/2": (
        "(IntCst(1) + Sqrt(IntCst(3)) * Norm2(x1 / s - x2 / s)) * "
        "(Exp(-Sqrt(IntCst(3)) * Norm2(x1 / s - x2 / s)) * v)",
        {"s": D},
        matern(1.5),
    ),
    "matern 5/2": (
        "((IntCst(1) + Sqrt(IntCst(5)) * Norm2(x1 / s - x2 / s) + (IntInv(3) * IntCst(5)) * "
        "SqNorm2(x1 / s - x2 / s)) * Exp(-Sqrt(IntCst(5)) * Norm2(x1 / s - x2 / s))) * v",
        {"s": D},
        matern(2.5),
    ),
    "linear": (
        "(gamma * (X | Y) + beta) * v",
        {"gamma": 1, "beta": 1},
        lambda x1, x2, gamma, beta: gamma * x1 @ x2.T + beta,
    ),
    "polynomial": (
        "Powf((gamma * (X | Y) + beta), degree) * v",
        {"gamma": 1, "beta": 1, "degree": 1},
        lambda x1, x2, gamma, beta, degree: (gamma * x1 @ x2.T + beta) ** degree,
    ),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", KERNELS)
def test_a_product_with_a_kernel_matrix(name, dtype, rng, as_pykeops):
    formula, parameters, kernel = KERNELS[name]
    import_module("keopscore").config.config.use_cuda = False
    x1, x2, v = (
        torch.tensor(rng.uniform(0.1, 1.1, shape), dtype=dtype)
        for shape in ((M, D), (N, D), (N, E))
    )
    given = [torch.tensor(rng.uniform(0.5, 1.5, dim), dtype=dtype) for dim in parameters.values()]
    rows = ("X", "Y") if "X" in formula else ("x1", "x2")
    aliases = [
        f"{rows[0]} = Vi({D})",
        f"{rows[1]} = Vj({D})",
        f"v = Vj({E})",
        *(f"{each} = Pm({dim})" for each, dim in parameters.items()),
    ]
    product = import_module("pykeops.torch").Genred(
        formula,
        aliases,
        reduction_op="Sum",
        axis=1,
        dtype_acc="auto",
        sum_scheme="auto",
        rec_multVar_highdim=1,
    )
    out = torch.empty(M, E, dtype=dtype)
    with torch.inference_mode():
        found = product(x1, x2, v, *given, out=out, backend="CPU", device_id=-1)
    assert found.data_ptr() == out.data_ptr()
    known = kernel(x1.double(), x2.double(), *(each.double() for each in given)) @ v.double()
    units = 200 * torch.finfo(dtype).eps
    torch.testing.assert_close(out.double(), known, rtol=units, atol=units)
    blocks = torch.empty(M, E, dtype=dtype)  # falkon fills its result by blocks of rows
    for start in range(0, M, 3):
        rows_of = x1[start : start + 3]
        product(rows_of, x2, v, *given, out=blocks[start : start + 3], backend="CPU")
    torch.testing.assert_close(blocks, out, rtol=units, atol=units)
