"""Lazy tensors as operators of GPyTorch's library, and their gradients, against dense tensors."""

from __future__ import annotations

import pytest
import torch

library = pytest.importorskip("linear_operator")

from jaxkeops.errors import ArgumentError, ArgumentTypeError  # noqa: E402
from jaxkeops.torch import LazyTensor, Pm, Vi, Vj  # noqa: E402
from jaxkeops.torch.linear_operator import LazyLinearOperator  # noqa: E402

B, M, N, D = 2, 7, 5, 3


@pytest.fixture
def draw(rng):
    return lambda *shape: torch.tensor(rng.normal(size=shape))


def gaussian(x, y, scale):
    """Of batches, or of none; the scale is one number, or one for each batch element."""
    x, y = LazyTensor(x[..., :, None, :]), LazyTensor(y[..., None, :, :])
    return (-x.sqdist(y) * scale / 2).exp() * 2


def dense(x, y, scale):
    scale = torch.as_tensor(scale)
    scale = scale[..., None] if scale.dim() > 1 else scale
    return 2 * torch.exp(-((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1) * scale / 2)


def close(found, known, units=1e4):
    eps = torch.finfo(torch.float64).eps
    torch.testing.assert_close(found, known, rtol=units * eps, atol=units * eps)


# Arrays without batch axes, with them, and with those of one array or parameter alone.
CASES = {
    "one matrix": ((M, D), (N, D), ()),
    "batches": ((B, M, D), (B, N, D), ()),
    "batches of one": ((B, M, D), (N, D), ()),
    "batches of parameters": ((M, D), (N, D), (B, 1)),
}


@pytest.fixture(params=CASES)
def matrices(request, draw):
    x, y, scale = (draw(*shape) for shape in CASES[request.param])
    scale = scale.abs()
    lazy_scale = LazyTensor(scale[:, None, None]) if scale.dim() else scale
    return LazyLinearOperator(lazy=gaussian(x, y, lazy_scale)), dense(x, y, scale)


def test_an_operator_is_the_matrix(matrices, draw):
    operator, matrix = matrices
    assert operator.shape == matrix.shape
    assert operator.dtype == torch.float64
    for right in (draw(N), draw(N, 2), draw(B, N, 2), draw(3, 1, N, 2)):
        close(operator @ right, matrix @ right)
    close(operator.mT @ draw(M, 2).fill_(1.0), matrix.mT @ torch.ones(M, 2).double())
    close(operator.to_dense(), matrix)
    close((operator + operator * 3).to_dense(), 4 * matrix)
    close(operator.evaluate_kernel().to_dense(), matrix)


def test_parts_of_an_operator(matrices):
    operator, matrix = matrices
    assert isinstance(operator[..., 1:4, :], LazyLinearOperator)
    close(operator[..., 1:4, 2:].to_dense(), matrix[..., 1:4, 2:])
    index = torch.tensor([0, 3, 3])
    close(operator[..., index, :].to_dense(), matrix[..., index, :])
    close(
        operator[..., index, torch.tensor([1, 1, 4])], matrix[..., index, torch.tensor([1, 1, 4])]
    )
    if operator.dim() == 3:
        close(operator[1].to_dense(), matrix[1])
        close(operator[:1].to_dense(), matrix[:1])
        batch = torch.tensor([1, 0, 1])
        close(operator[batch, index, index], matrix[batch, index, index])
    for moved in (operator.unsqueeze(0), operator.expand(4, *matrix.shape)):
        assert moved.shape[0] in (1, 4)
        close(moved.to_dense()[0], matrix)
    close(operator.detach().clone().to_dense(), matrix)


@pytest.mark.parametrize("batch", [(), (B,)], ids=["one", "batches"])
def test_solves_and_log_determinants_have_gradients(batch, draw):
    x, b, scale = draw(*batch, M, D), draw(*batch, M, 1), torch.tensor(0.5).double()
    given = [each.requires_grad_() for each in (x, b, scale)]

    def operator(x, scale):
        return LazyLinearOperator(lazy=gaussian(x, x, scale)).add_diagonal(
            torch.tensor(1.0).double()
        )

    def matrix(x, scale):
        return dense(x, x, scale) + torch.eye(M, dtype=torch.float64)

    with library.settings.fast_computations(
        solves=False, log_prob=False, covar_root_decomposition=False
    ):
        quadratic, determinant = operator(x, scale).inv_quad_logdet(b, logdet=True)
    known_quadratic = (b * torch.linalg.solve(matrix(x, scale), b)).sum((-2, -1))
    known_determinant = torch.logdet(matrix(x, scale))
    close(quadratic, known_quadratic)
    close(determinant, known_determinant)
    found, known = (
        torch.autograd.grad((one + other).sum(), given)
        for one, other in ((quadratic, determinant), (known_quadratic, known_determinant))
    )
    for one, other in zip(found, known, strict=True):
        close(one, other, 1e6)
    with library.settings.max_cholesky_size(1), library.settings.cg_tolerance(1e-10):
        solved = operator(x, scale).solve(b)
    known_solved = torch.linalg.solve(matrix(x, scale), b)
    torch.testing.assert_close(solved, known_solved, rtol=1e-6, atol=1e-6)
    weights = draw(*solved.shape)
    found, known = (
        torch.autograd.grad((each * weights).sum(), given) for each in (solved, known_solved)
    )
    for one, other in zip(found, known, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_products_have_gradients(draw):
    x, y, v = (each.requires_grad_() for each in (draw(B, M, D), draw(N, D), draw(N, 2)))
    scale = torch.tensor(0.5).double().requires_grad_()
    weights = draw(B, M, 2)
    found = LazyLinearOperator(lazy=gaussian(x, y, scale)) @ v
    known = dense(x, y, scale) @ v
    gradients = (
        torch.autograd.grad((each * weights).sum(), (x, y, v, scale)) for each in (found, known)
    )
    for one, other in zip(*gradients, strict=True):
        close(one, other)


def test_pairs_out_of_the_ranges_are_zeros(draw):
    x = draw(8, D)
    ids = torch.arange(8) // 4
    operator = LazyLinearOperator(lazy=gaussian(x, x, 1.0).segment_ids(ids, ids))
    matrix = dense(x, x, 1.0) * (ids[:, None] == ids)
    close(operator @ x, matrix @ x)
    close(operator.to_dense(), matrix)
    close(operator.diagonal(), matrix.diagonal())
    i, j = torch.tensor([0, 1, 7]), torch.tensor([7, 2, 5])
    close(operator[i, j], matrix[i, j])


def test_what_is_no_matrix_is_refused(draw):
    x = draw(M, D)
    K = gaussian(x, x, 1.0)
    for given, error, fault in [
        (K.dense(), ArgumentTypeError, "made of a real LazyTensor of PyTorch, got Tensor"),
        (K * 1j, ArgumentTypeError, "got ComplexLazyTensor"),
        (
            Vi(x) - Vj(x),
            ArgumentError,
            r"A matrix has the shape \(\*batch, M, N\), got \(7, 7, 3\)",
        ),
        (Vi(x).sqdist(Vj(1, D)), ArgumentError, "with 1 arguments still to come"),
        (Pm(2.0), ArgumentError, "needs one"),
    ]:
        with pytest.raises(error, match=fault):
            LazyLinearOperator(lazy=given)
