"""Formulas of programs for shapes, deformetrica's and geomstats', with the options they give."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", minversion="2.11")

from jaxkeops.torch import Genred, Vi, Vj  # noqa: E402

M, N, D, E = 5, 6, 3, 2


@pytest.fixture
def draw(rng):
    return lambda *shape: torch.tensor(rng.normal(size=shape))


def assert_same(found, known):
    torch.testing.assert_close(found, known, rtol=1e-11, atol=1e-11)


def test_deformetrica_kernels(draw):
    x, y, p, q = draw(M, D), draw(N, D), draw(N, E), draw(M, D)
    g = torch.tensor([0.7]).double()
    square = ((x[:, None] - y) ** 2).sum(-1)
    kernel = torch.exp(-g * square)
    aliases = ["G = Pm(1)", f"X = Vi({D})", f"Y = Vj({D})", f"P = Vj({E})"]
    options = {"reduction_op": "Sum", "axis": 1, "cuda_type": "float64"}
    convolve = Genred("Exp(-G*SqDist(X,Y)) * P", aliases, **options)
    assert_same(convolve(g, x, y, p, backend="CPU", device_id=-1), kernel @ p)
    weighted = Genred(
        "Exp(-(WeightedSqDist(G, X, Y))) * Square((Nx|Ny)) * P",
        ["G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "Nx = Vi(3)", "Ny = Vj(3)", f"P = Vj({E})"],
        **options,
    )
    n = draw(N, D)
    assert_same(weighted(g, x, y, q, n, p), (kernel * (q @ n.T) ** 2) @ p)
    gradient = Genred(
        "(Px|Py) * Exp(-G*SqDist(X,Y)) * (X-Y)",
        ["G = Pm(1)", "X = Vi(3)", "Y = Vj(3)", "Px = Vi(3)", "Py = Vj(3)"],
        **options,
    )
    dense = (q @ n.T * kernel)[..., None] * (x[:, None] - y)
    assert_same(gradient(g, x, y, q, n, device_id=-1), dense.sum(1))


def test_geomstats_varifolds_have_gradients(draw):
    x, y, u, v = draw(M, D), draw(N, D), draw(M, D), draw(N, D)
    w, s = draw(M, 1).abs(), draw(N, 1).abs()
    for each in (x, u, w):
        each.requires_grad_()

    def kernel(i, j):
        square = Vi(i, D).sqdist(Vj(j, D))
        return (-square * 2.0).exp()

    product = kernel(0, 1) * (Vi(2, D) * Vj(3, D)).sum() ** 2
    reduction = (product * Vj(product.new_variable_index(), 1)).sum_reduction(axis=1)
    found = (reduction(x, y, u, v, s) * w).sum()
    dense = torch.exp(-2 * ((x[:, None] - y) ** 2).sum(-1)) * (u @ v.T) ** 2
    known = (dense @ s * w).sum()
    assert_same(found, known)
    for one, other in zip(
        torch.autograd.grad(found, (x, u, w)), torch.autograd.grad(known, (x, u, w)), strict=True
    ):
        assert_same(one, other)
