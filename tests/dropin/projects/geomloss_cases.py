"""geomloss' losses on each of its backends, beside its dense one and what PyKeOps gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from geomloss import SamplesLoss, ot

LOSSES = {
    "sinkhorn, p=1": {"loss": "sinkhorn", "p": 1, "blur": 0.05},
    "sinkhorn, p=2": {"loss": "sinkhorn", "p": 2, "blur": 0.05},
    "gaussian": {"loss": "gaussian", "blur": 0.5},
    "laplacian": {"loss": "laplacian", "blur": 0.5},
    "energy": {"loss": "energy"},
}
# How far each backend is from the dense one, in value and gradient: of distances, that keeps away
# from 0; multiscale leaves out blocks, and starts from a coarse solution. PyKeOps 2.3 on a CPU is
# as far.
DEVIATIONS = {
    ("sinkhorn, p=1", "online"): (3e-4, 5e-4),
    ("sinkhorn, p=1", "multiscale"): (2e-2, 5e-2),
    ("sinkhorn, p=2", "online"): (1e-7, 1e-6),
    ("sinkhorn, p=2", "multiscale"): (6e-3, 6e-2),
    ("gaussian", "online"): (1e-12, 1e-12),
    ("gaussian", "multiscale"): (1e-12, 1e-12),
    ("laplacian", "online"): (2e-5, 1e-5),
    ("laplacian", "multiscale"): (2e-5, 1e-5),
    ("energy", "online"): (1e-5, 1e-5),
    ("energy", "multiscale"): (1e-5, 1e-5),
}
# Value, and length of the gradient, by PyKeOps 2.3 on a CPU.
MULTISCALE = {
    "sinkhorn, p=1": (0.190376061115, 0.0442533505699),
    "sinkhorn, p=2": (0.0506173053755, 0.01878730271),
}


@pytest.fixture
def clouds(rng):
    x, y = rng.uniform(size=(300, 3)), 0.8 * rng.uniform(size=(400, 3)) + 0.3
    return torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)


def value_and_gradient(name, backend, x, y):
    value = SamplesLoss(backend=backend, **LOSSES[name])(x, y)
    return value.detach(), torch.autograd.grad(value, x)[0]


@pytest.mark.parametrize(("name", "backend"), DEVIATIONS)
def test_a_loss_is_that_of_the_dense_backend(name, backend, clouds):
    value, gradient = value_and_gradient(name, backend, *clouds)
    known, known_gradient = value_and_gradient(name, "tensorized", *clouds)
    in_value, in_gradient = DEVIATIONS[name, backend]
    assert abs(value - known) <= in_value * known
    assert (gradient - known_gradient).norm() <= in_gradient * known_gradient.norm()


@pytest.mark.parametrize("name", MULTISCALE)
def test_a_truncated_loss_is_that_of_pykeops(name, clouds):
    value, gradient = value_and_gradient(name, "multiscale", *clouds)
    np.testing.assert_allclose((value.item(), gradient.norm()), MULTISCALE[name], rtol=1e-9)


def test_losses_have_second_derivatives(clouds):
    x, y = clouds
    direction = torch.ones_like(x)

    def product(backend):
        value = SamplesLoss("gaussian", backend=backend, blur=0.5)(x, y)
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        return torch.autograd.grad((gradient * direction).sum(), x)[0]

    torch.testing.assert_close(product("online"), product("tensorized"), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_plans_are_lazy_tensors(library, clouds):
    x, y = (cloud.detach()[:40, :2] for cloud in clouds)
    cost = ((x[:, None] - y) ** 2).sum(-1)
    if library == "numpy":
        x, y, cost = x.numpy(), y.numpy(), cost.numpy()
    lazy = ot.solve_sample(x, y, reg=0.05, max_iter=1000)
    dense = ot.solve(cost, reg=0.05, max_iter=1000)
    np.testing.assert_allclose(lazy.value, dense.value, rtol=1e-4)
    np.testing.assert_allclose(lazy.plan, dense.plan, atol=1e-5)
    assert type(lazy.lazy_plan).__name__ == "LazyTensor"
    np.testing.assert_allclose(lazy.lazy_plan.sum(1).reshape(-1), lazy.plan.sum(1), rtol=1e-9)
    potentials = np.asarray(lazy.potential_a)[:, None] + np.asarray(lazy.potential_b)
    plan = np.exp((potentials - np.asarray(cost)) / 0.05) / 1600
    np.testing.assert_allclose(lazy.plan, plan, rtol=1e-9)
