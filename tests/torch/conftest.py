"""The formulas of these tests, each with its dense meaning, and tensors to try them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from jaxkeops.torch import Genred


@dataclass(frozen=True)
class Case:
    """A reduction, the same in dense PyTorch, and the shapes of its tensors."""

    reduction: Callable[..., torch.Tensor]
    dense: Callable[..., torch.Tensor]
    shapes: tuple[tuple[int, ...], ...]

    def tensors(self, rng, dtype=torch.float64, **options):
        drawn = [torch.tensor(rng.uniform(0.2, 1.2, shape), dtype=dtype) for shape in self.shapes]
        return tuple(tensor.requires_grad_(**options) if options else tensor for tensor in drawn)

    def mixed(self, *tensors):
        """A number that depends on every result, and not linearly."""
        return torch.sin(self.reduction(*tensors)).sum()

    def dense_mixed(self, *tensors):
        return torch.sin(self.dense(*tensors)).sum()


def differences(x, y):
    return x[..., :, None, :] - y[..., None, :, :]


def weights(x, y, p):
    return torch.exp(-p[..., None] * (differences(x, y) ** 2).sum(-1))


def gaussian(x, y, b, p):
    return weights(x, y, p) @ b


def gaussian_over_i(x, y, a, p):
    return weights(x, y, p).mT @ a


def log_sum_exp(x, y, c):
    # Not torch.logsumexp: its own derivatives fail where reverse follows forward mode.
    exponents = c.mT - (differences(x, y) ** 2).sum(-1)
    return torch.log(torch.exp(exponents).sum(-1, keepdim=True))


def vectors(x, y, b):
    products = (x @ b.mT)[..., None]
    return (differences(x, y) * products**2 + torch.sin(y)[..., None, :, :] * products).sum(-2)


def narrow(s, b, t):
    return (s * b.sum(-2)) + (torch.sin(t) * b).sum(-2) + b.shape[-2] * s**2


GAUSSIAN = ("Exp(-p*SqDist(x,y))*b", ["x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "p = Pm(1)"])
CASES = {
    "gaussian": Case(Genred(*GAUSSIAN, axis=1), gaussian, ((3, 3), (4, 3), (4, 2), (1,))),
    "axis 0": Case(
        Genred("Exp(-p*SqDist(x,y))*a", ("x = Vi(3)", "y = Vj(3)", "a = Vi(2)", "p = Pm(1)")),
        gaussian_over_i,
        ((3, 3), (4, 3), (3, 2), (1,)),
    ),
    "batches": Case(
        Genred(*GAUSSIAN, axis=1), gaussian, ((2, 1, 2, 3), (3, 3, 3), (1, 3, 3, 2), (2, 1, 1))
    ),
    "log-sum-exp": Case(
        Genred("c - SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)", "c = Vj(1)"], "LogSumExp", axis=1),
        log_sum_exp,
        ((3, 2), (4, 2), (4, 1)),
    ),
    "vectors": Case(
        Genred(
            "(x-y) * Square((x|b)) + Sin(y) * (x|b)",
            ["x = Vi(2)", "y = Vj(2)", "b = Vj(2)"],
            axis=1,
        ),
        vectors,
        ((3, 2), (4, 2), (4, 2)),
    ),
    "narrow": Case(
        Genred("s*b + Sin(t)*b + Square(s)", ["s = Vi(1)", "b = Vj(3)", "t = Vj(1)"], axis=1),
        narrow,
        ((3, 1), (4, 3), (4, 1)),
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def gaussian_case():
    return CASES["gaussian"]


@pytest.fixture
def log_sum_exp_case():
    return CASES["log-sum-exp"]


def assert_close(results, expected):
    """Equal to a few hundred units in the last place of the largest element, all the way down."""
    if isinstance(expected, tuple | list):
        assert len(results) == len(expected)
        for one, other in zip(results, expected, strict=True):
            assert_close(one, other)
        return
    assert results.shape == expected.shape
    assert results.dtype == expected.dtype
    scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    bound = 200 * torch.finfo(expected.dtype).eps * scale
    torch.testing.assert_close(results, expected, rtol=0, atol=bound)


@pytest.fixture
def close():
    return assert_close
