"""Lazy tensors of PyTorch tensors: gradients, transforms, and what PyTorch does around them."""

from __future__ import annotations

import pytest
import torch

from jaxkeops.torch import LazyTensor, Pm, Vi, Vj

M, N, D = 4, 5, 3
REDUCTIONS = {
    "sum": (lambda K: K.sum(1), lambda K: K.sum(1)),
    "logsumexp": (lambda K: K.logsumexp(1), lambda K: torch.logsumexp(K, 1)),
    "min": (lambda K: K.min(dim=1), lambda K: K.min(1).values),
    "max": (lambda K: K.max(dim=0), lambda K: K.max(0).values),
    "Kmin": (lambda K: K.Kmin(2, dim=1), lambda K: K.sort(1).values[:, :2, 0]),
    "dense": (lambda K: K.dense()[..., None], lambda K: K),
    "diagonal": (lambda K: K.diagonal()[:, None], lambda K: torch.diagonal(K[..., 0])[:, None]),
    "rows": (lambda K: K.rows([2, 0]).sum(1), lambda K: K[[2, 0]].sum(1)),
}


@pytest.fixture
def tensors(rng):
    shapes = ((M, D), (N, D), (1,))
    return tuple(torch.tensor(rng.uniform(0.2, 1.2, s), requires_grad=True) for s in shapes)


def lazy_kernel(x, y, p):
    return (-((Vi(x) - Vj(y)) ** 2).sum(-1) * p).exp()


def dense_kernel(x, y, p):
    return torch.exp(-((x[:, None] - y) ** 2).sum(-1, keepdim=True) * p)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_gradients_of_first_and_second_order(name, tensors, close):
    lazy, dense = REDUCTIONS[name]
    results = []
    for kernel, reduce in ((lazy_kernel, lazy), (dense_kernel, dense)):
        value = torch.sin(reduce(kernel(*tensors))).sum()
        first = torch.autograd.grad(value, tensors, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), tensors)
        results.append((value, first, second))
    close(results[0], results[1])


def test_gradients_of_numbers_and_of_batches(rng, close):
    x, y, s, t = (
        torch.tensor(rng.uniform(0.5, 1, shape), requires_grad=True)
        for shape in ((2, M, 1, D), (3, 1, 1, N, D), (), (2, 1, 1, 1))
    )

    def lazy():
        return (LazyTensor(x) * LazyTensor(y) * s / LazyTensor(t)).sum(-1).exp().sum(dim=3)

    def dense():
        return (x * y * s / t).sum(-1, keepdim=True).exp().sum(3)

    results = [(f(), torch.autograd.grad(f().square().sum(), (x, y, s, t))) for f in (lazy, dense)]
    close(*results)


def test_a_number_of_another_dtype_keeps_its_gradient():
    x, s = torch.ones(M, D), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (Vi(x) * s).sum(0).sum().backward()
    assert s.grad == M * D


def test_products_have_gradients(tensors, rng, close):
    b = torch.tensor(rng.normal(size=(N, 2)), requires_grad=True)
    given = (*tensors, b)
    lazy = torch.autograd.grad((lazy_kernel(*tensors) @ b).square().sum(), given)
    dense = torch.autograd.grad((dense_kernel(*tensors)[..., 0] @ b).square().sum(), given)
    close(lazy, dense)


def test_complex_gradients(rng, close):
    z = torch.tensor(rng.normal(size=(M, D)) + 1j * rng.normal(size=(M, D)), requires_grad=True)
    y = torch.tensor(rng.normal(size=(N, D)), requires_grad=True)

    def of(Z, Y):
        return (Z**2 / (Y + 2j)).exp()

    lazy = of(Vi(z), Vj(y)).sum(1)
    dense = of(z[:, None], y).sum(1)
    close(lazy, dense)
    weights = torch.tensor(rng.normal(size=(M, D)) + 1j * rng.normal(size=(M, D)))
    found, known = (
        torch.autograd.grad((each * weights).real.sum(), (z, y)) for each in (lazy, dense)
    )
    close(found, known)


def test_transforms_of_functions(tensors, close):
    x, y, p = (tensor.detach() for tensor in tensors)

    def lazy(x):
        return lazy_kernel(x, y, p).logsumexp(1).sum()

    def dense(x):
        return torch.logsumexp(dense_kernel(x, y, p), 1).sum()

    close(torch.func.grad(lazy)(x), torch.func.grad(dense)(x))
    close(torch.func.hessian(lazy)(x), torch.func.hessian(dense)(x))
    close(torch.func.jvp(lazy, (x,), (x,)), torch.func.jvp(dense, (x,), (x,)))
    xs = torch.stack([x, 2 * x, 3 * x])
    close(torch.func.vmap(lazy)(xs), torch.stack([dense(each) for each in xs]))


def test_results_are_what_users_go_on_with(tensors):
    K = lazy_kernel(*tensors)
    result = K.sum(dim=1)
    assert result.view(-1).shape == (M,)
    assert result.requires_grad
    assert K.sum(1).sum(0)[:, None].shape == (1, 1)
    values, rows = K.Kmin_argKmin(K=2, dim=1)
    assert rows.dtype == torch.int64
    assert values.is_contiguous()
    assert K.min(dim=1).squeeze(1).sqrt_().shape == (M,)
    out = torch.empty(M, 1, dtype=torch.float64)
    with torch.inference_mode():
        assert K.sum(1, out=out) is out


def test_tensors_that_are_not_contiguous_or_half(rng, close):
    x = torch.tensor(rng.normal(size=(D, M))).T
    y = torch.tensor(rng.normal(size=(N, 2 * D)))[:, ::2]
    close((Vi(x) - Vj(y)).sum(1), (x[:, None] - y).sum(1))
    half = Vi(x.to(torch.bfloat16)) * 0.5
    assert half.dtype == "bfloat16"
    assert half.sum(0).dtype == torch.bfloat16


def test_numbers_take_the_default_dtype():
    assert (Pm(0.5) * 2).sum(0).dtype == torch.float32


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_it_compiles_as_one_graph(rng):
    x, y = torch.tensor(rng.normal(size=(M, D))), torch.tensor(rng.normal(size=(N, D)))

    def function(x, y):
        return ((Vi(x) - Vj(y)) ** 2).sum(-1).sum(1)

    torch.testing.assert_close(torch.compile(function, fullgraph=True)(x, y), function(x, y))


def test_solutions_have_gradients_of_any_order(rng, close):
    x, b, g, alpha = (
        torch.tensor(value, requires_grad=True, dtype=torch.float64)
        for value in (rng.normal(size=(10, 2)), rng.normal(size=(10, 2)), 0.5, 0.3)
    )

    def lazy(x, b, g, alpha):
        return (-Vi(x).sqdist(Vj(x)) * g).exp().solve(b, alpha=alpha, eps=1e-14)

    def dense(x, b, g, alpha):
        K = torch.exp(-((x[:, None] - x) ** 2).sum(-1) * g)
        return torch.linalg.solve(K + alpha * torch.eye(10, dtype=x.dtype), b)

    given = (x, b, g, alpha)
    results = []
    for function in (lazy, dense):
        value = function(*given).sin().sum()
        first = torch.autograd.grad(value, given, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), given)
        results.append((value, first, second))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_a_right_side_is_one_for_all_batch_elements(rng):
    x = torch.tensor(rng.normal(size=(3, 10, 1, 2)))
    b = torch.tensor(rng.normal(size=(10, 2)), requires_grad=True)
    K = (-LazyTensor(x).sqdist(LazyTensor(x.swapaxes(1, 2)))).exp()
    dense = torch.exp(-((x - x.swapaxes(1, 2)) ** 2).sum(-1)) + 0.5 * torch.eye(10)
    found, expected = K.solve(b, alpha=0.5, eps=1e-13), torch.linalg.solve(dense, b)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(each.square().sum(), b)[0] for each in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)
