"""PyTorch's function transforms of solutions of linear systems, against dense solves."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jvp, vmap

from jaxkeops.torch import KernelSolve, Vi, Vj

B, M, D, E = 3, 8, 2, 2
SHARP = {"eps": 1e-13, "rtol": 1e-14}


@pytest.fixture
def arrays(rng):
    return tuple(
        torch.tensor(array)
        for array in (rng.normal(size=(B, M, D)), rng.normal(size=(B, M, E)), rng.uniform(1, 2, B))
    )


def solution(x, b, alpha):
    return (-Vi(x).sqdist(Vj(x))).exp().solve(b, alpha=alpha, **SHARP)


def dense(x, b, alpha):
    K = torch.exp(-((x[:, None] - x) ** 2).sum(-1))
    return torch.linalg.solve(K + alpha * torch.eye(M, dtype=x.dtype), b)


def squared(solve):
    return lambda *given: (solve(*given) ** 2).sum()


TRANSFORMS = {
    "grad": lambda f, x, b, a: grad(squared(f), (0, 1, 2))(x[0], b[0], a[0]),
    "jvp": lambda f, x, b, a: jvp(f, (x[0], b[0], a[0]), (x[1], b[1], a[1])),
    "jvp of b alone": lambda f, x, b, a: jvp(lambda b: f(x[0], b, a[0]), (b[0],), (b[1],)),
    "jacfwd": lambda f, x, b, a: jacfwd(f)(x[0], b[0], a[0]),
    "hessian": lambda f, x, b, a: hessian(squared(f), 1)(x[0], b[0], a[0]),
    "hessian of points": lambda f, x, b, a: hessian(lambda x: squared(f)(x, b[0], a[0]))(x[0]),
    "vmap": lambda f, x, b, a: vmap(f)(x, b, a),
    "vmap of b alone": lambda f, x, b, a: vmap(f, (None, 0, None))(x[0], b, a[0]),
    "vmap of all but b": lambda f, x, b, a: vmap(f, (0, None, 0))(x, b[0], a),
    "vmap over a last axis": lambda f, x, b, a: vmap(f, (2, 1, None))(
        x.movedim(0, 2), b.movedim(0, 1), a[0]
    ),
    "vmap of vmap": lambda f, x, b, a: vmap(vmap(f, (None, 0, None)), (0, None, 0))(x, b, a),
    "vmap of grad": lambda f, x, b, a: vmap(grad(squared(f), (0, 2)))(x, b, a),
    "grad of vmap": lambda f, x, b, a: grad(lambda *given: squared(vmap(f))(*given))(x, b, a),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_a_solution(name, arrays):
    found, known = (TRANSFORMS[name](solve, *arrays) for solve in (solution, dense))
    for one, other in zip(*map(torch.utils._pytree.tree_leaves, (found, known)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_tangents_without_a_transform(arrays):
    x, b, alpha = (array[0] for array in arrays)
    moved = tuple(array[1] for array in arrays)
    with forward_ad.dual_level():
        given = [forward_ad.make_dual(*each) for each in zip((x, b, alpha), moved, strict=True)]
        found = forward_ad.unpack_dual(solution(*given)).tangent
    torch.testing.assert_close(found, jvp(dense, (x, b, alpha), moved)[1], rtol=1e-9, atol=1e-9)


def test_hermitian_systems_have_derivatives(arrays, rng):
    x, alpha = arrays[0][0].requires_grad_(), arrays[2][0].requires_grad_()
    b, weights, direction = (
        torch.complex(*map(torch.tensor, rng.normal(size=(2, M, E)))) for _ in range(3)
    )
    given = (x, b.requires_grad_(), alpha)

    def lazy(x, b, alpha):
        difference = Vi(x) - Vj(x)
        K = (1j * difference.sum(-1)).exp() * (-(difference**2).sum(-1)).exp()
        return K.solve(b, alpha=alpha, **SHARP)

    def known(x, b, alpha):
        difference = x[:, None] - x
        K = torch.exp(1j * difference.sum(-1) - (difference**2).sum(-1))
        return torch.linalg.solve(K + alpha * torch.eye(M, dtype=x.dtype), b)

    found = []
    for solve in (lazy, known):
        value = (solve(*given) * weights).real.sum()
        first = torch.autograd.grad(value, given, create_graph=True)
        second = torch.autograd.grad(sum(each.abs().square().sum() for each in first), given)
        moved = jvp(solve, given, (x.detach(), direction, alpha.detach()))[1]
        mapped = vmap(solve, (None, 0, None))(x, torch.stack([b, weights]), alpha)
        found.append((*first, *second, moved, mapped))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_reports_are_mapped(arrays):
    x, b, alpha = arrays

    def reported(x, b, alpha):
        K = (-Vi(x).sqdist(Vj(x))).exp()
        _, report = K.solve(b, alpha=alpha, report=True, preconditioner=lambda r: 2 * r, **SHARP)
        return report.converged, report.residual

    converged, residual = vmap(reported)(x, b, alpha)
    assert converged.shape == residual.shape == (B, 1, 1)
    assert converged.all()
    assert residual.max() < 1e-12


def test_systems_of_a_formula_are_mapped(arrays):
    x, b, alpha = arrays
    aliases = ["x = Vi(2)", "y = Vj(2)", "a = Vj(2)", "g = Pm(1)"]
    solve = KernelSolve("Exp(-g*SqDist(x,y))*a", aliases, "a", axis=1)
    g = torch.ones(1).double()
    found = vmap(lambda x, b, a: solve(x, x, b, g, alpha=a, **SHARP))(x, b, alpha)
    torch.testing.assert_close(found, vmap(dense)(x, b, alpha), rtol=1e-9, atol=1e-9)
