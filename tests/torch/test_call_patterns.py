"""Calls that projects make of PyKeOps' torch door, by project, against dense PyTorch."""

from __future__ import annotations

import math

import pytest
import torch

import jaxkeops.torch
from jaxkeops.torch import LazyTensor, Pm, Vi, Vj, generic_argkmin, generic_logsumexp
from jaxkeops.torch.cluster import (
    cluster_ranges_centroids,
    from_matrix,
    grid_cluster,
    sort_clusters,
    swap_axes,
)

B, M, N, D = 2, 6, 7, 3


@pytest.fixture
def draw(rng):
    return lambda *shape: torch.tensor(rng.uniform(0.1, 1.1, shape))


def assert_same(result, expected):
    torch.testing.assert_close(result, expected, rtol=1e-11, atol=1e-12)


def test_geomloss_softmin_of_batches(draw):
    x, y, h, eps = draw(B, M, D), draw(B, N, D), draw(B, N), torch.tensor([0.3]).double()
    x_i, y_j = LazyTensor(x[:, :, None, :]), LazyTensor(y[:, None, :, :])
    h_j = LazyTensor(h[:, None, :, None])
    dense = ((x[:, :, None] - y[:, None]) ** 2).sum(-1)
    C_ij = ((x_i - y_j) ** 2).sum(-1) / 2
    softmin = -eps * (h_j - C_ij * LazyTensor(1 / eps)).logsumexp(2).view(B, -1)
    assert_same(softmin, -eps * torch.logsumexp(h[:, None] - dense / (2 * eps), 2))
    distances = ((x_i - y_j) ** 2).sum(-1).sqrt()
    smoothed = (h_j - distances / eps).logsumexp(dim=2)
    assert_same(smoothed[..., 0], torch.logsumexp(h[:, None] - dense.sqrt() / eps, 2))


def test_geomloss_kernels_on_clusters(draw):
    x, y, b = draw(M, D), draw(N, D), draw(N, 1)
    x_lab, y_lab = grid_cluster(x, 0.5), grid_cluster(y, 0.5)
    (x, weights), x_lab = sort_clusters((x, draw(M)), x_lab)
    (y, b), y_lab = sort_clusters((y, b), y_lab)
    ranges_x, x_c, _ = cluster_ranges_centroids(x, x_lab, weights=weights)
    ranges_y, y_c, _ = cluster_ranges_centroids(y, y_lab)
    keep = ((x_c[:, None] - y_c) ** 2).sum(-1) < 0.5
    ranges = from_matrix(ranges_x, ranges_y, keep)
    K_xy = (-((LazyTensor(x[:, None]) - LazyTensor(y[None])) ** 2).sum(2) / (2 * 0.3**2)).exp()
    dense = torch.exp(-((x[:, None] - y) ** 2).sum(2) / (2 * 0.3**2))
    dense = dense * keep[x_lab.long()][:, y_lab.long()]
    K_xy.ranges = ranges
    assert_same(K_xy @ b, dense @ b)
    assert_same(K_xy.t() @ weights[:, None], dense.T @ weights[:, None])
    log = generic_logsumexp(
        "( B - (P * Norm2(X-Y) ) )", "A = Vi(1)", "X = Vi(3)", "Y = Vj(3)", "B = Vj(1)", "P = Pm(1)"
    )
    norm = (x[:, None] - y).norm(dim=-1) * 2
    kept = torch.where(keep[x_lab.long()][:, y_lab.long()], b.T - norm, -math.inf)
    found = log(x, y, b, torch.tensor([2.0]).double(), ranges=ranges)
    assert_same(found[:, 0], torch.logsumexp(kept, 1))
    back = swap_axes(swap_axes(ranges))
    assert all(one is other for one, other in zip(back, ranges, strict=True))


def test_geomloss_symbolic_kernels(draw):
    x, y, b, p = draw(M, D), draw(N, D), draw(N, 1), torch.tensor([0.5]).double()
    K = (-((Vi(0, D) - Vj(1, D)) ** 2).sum(-1) * Pm(3, 1)).exp() * Vj(2, 1)
    function = K.sum_reduction(axis=1)
    dense = torch.exp(-((x[:, None] - y) ** 2).sum(-1) * p)
    assert_same(function(x, y, b, p), dense @ b)


def test_gpytorch_kernels(draw):
    x1, x2, scale = draw(B, M, D), draw(1, N, D), draw(B, 1, 1).requires_grad_()
    lazy1 = LazyTensor((x1 / scale)[..., :, None, :])
    lazy2 = LazyTensor((x2 / scale)[..., None, :, :])
    distance = (((lazy1 - lazy2) ** 2).sum(-1) + 1e-20).sqrt()
    exponential = (-math.sqrt(5) * distance).exp()
    matern = (math.sqrt(5) * distance + (1 + 5.0 / 3.0 * distance**2)) * exponential
    dense1, dense2 = (x1 / scale)[:, :, None], (x2 / scale)[:, None]
    r = (((dense1 - dense2) ** 2).sum(-1) + 1e-20).sqrt()
    expected = (math.sqrt(5) * r + (1 + 5.0 / 3.0 * r**2)) * torch.exp(-math.sqrt(5) * r)
    rhs = draw(B, N, 20)
    assert matern.shape == (B, M, N)
    assert_same(matern @ rhs, expected @ rhs)
    assert_same(
        torch.autograd.grad((matern @ rhs).sum(), scale)[0],
        torch.autograd.grad((expected @ rhs).sum(), scale)[0],
    )
    periodic = ((math.pi * (lazy1 - lazy2).abs()).sin() ** 2 * -2).sum(-1).exp()
    known = torch.exp((torch.sin(math.pi * (dense1 - dense2).abs()) ** 2 * -2).sum(-1))
    assert_same(periodic @ rhs, known @ rhs)
    outputscale = draw(B, 1, 1, 1)
    assert_same((outputscale * matern) @ rhs, (outputscale[..., 0] * expected) @ rhs)


def test_torchdr_affinities(draw):
    x, f = draw(M, D), draw(M)
    C = -2 * (LazyTensor(x[:, None]) | LazyTensor(x[None]))
    norm = (x**2).sum(-1)
    C = C + LazyTensor(norm[:, None], 0) + LazyTensor(norm[:, None], 1)
    dense = ((x[:, None] - x) ** 2).sum(-1)
    values, rows = C.Kmin_argKmin(K=3, dim=1)
    expected = torch.sort(dense, 1)
    assert_same(values, expected.values[:, :3])
    assert (rows[:, 1:] == expected.indices[:, 1:3]).all()
    f_i, f_j = LazyTensor(f[:, None], 0), LazyTensor(f[:, None], 1)
    log_p = f_i + f_j - C
    assert_same(
        log_p.logsumexp(1).logsumexp(0), (f[:, None] + f - dense).reshape(-1).logsumexp(0)[None]
    )
    assert_same(
        log_p.exp().sum(1).sum(0)[:, None], torch.exp(f[:, None] + f - dense).sum()[None, None]
    )
    assert_same(((1 + C).abs() ** 0.5).sum(dim=0)[:, 0], (1 + dense).sqrt().sum(0))
    assert_same((1 - C).step().sum(1)[:, 0], (dense <= 1).sum(1).double())
    assert C.T.shape == C.shape == (M, M)
    assert isinstance(C, LazyTensor)


def test_dmasif_convolutions(draw):
    points, normals, features = draw(M, 3), draw(M, 3), draw(M, 4)
    nuv, weights, bias = draw(M, 3, 3), draw(4, 3), draw(4)
    x_i, x_j = LazyTensor(points[:, None]), LazyTensor(points[None])
    n_i, n_j = LazyTensor(normals[:, None]), LazyTensor(normals[None])
    nuv_i, f_j = LazyTensor(nuv.view(M, 1, 9)), LazyTensor(features[None])
    d2 = ((x_j - x_i) ** 2).sum(-1) * (2 - (n_i | n_j)) ** 2
    window = (-d2).exp()
    local = nuv_i.matvecmult(x_j - x_i)
    A, b = LazyTensor(weights.view(1, 1, 12)), LazyTensor(bias.view(1, 1, 4))
    hidden = (A.matvecmult(local) + b).relu()
    result = (window * hidden * f_j).sum(dim=1)
    diff = points - points[:, None]
    dense = torch.exp(-(diff**2).sum(-1) * (2 - normals @ normals.T) ** 2)
    inner = torch.relu(torch.einsum("iab,ijb->ija", nuv, diff) @ weights.T + bias)
    assert_same(result, (dense[..., None] * inner * features).sum(1))
    tangents = (LazyTensor(1) * window * (x_j - x_i).tensorprod(x_j - x_i)).sum(0)
    outer = (dense[..., None, None] * diff[..., None] * diff[..., None, :]).flatten(-2)
    assert_same(tangents, outer.sum(0))
    stacked = LazyTensor.cat((x_i, n_j), dim=-1).concat(f_j)
    assert stacked.shape == (M, M, 10)
    assert_same(
        d2.argKmin(K=2, axis=1),
        (diff**2).sum(-1).mul((2 - normals @ normals.T) ** 2).argsort(1)[:, :2],
    )
    assert d2.argmin(dim=1).shape == (M, 1)
    assert d2.min(dim=1).shape == (M, 1)


def test_s4_kernels(draw):
    v, z, w = (torch.complex(draw(B, size), draw(B, size)) for size in (N, M, N))
    v_l, w_l = (LazyTensor(each.view(B, 1, N, 1)) for each in (v, w))
    z_l = LazyTensor(z.view(B, M, 1, 1))
    quotients = v_l / (z_l - w_l)
    result = quotients.sum(dim=len(quotients.shape) - 1)
    assert_same(result[..., 0], (v[:, None] / (z[..., None] - w[:, None])).sum(-1))
    length = LazyTensor(torch.arange(5.0, dtype=torch.float64).view(1, 1, 5, 1))
    vandermonde = (LazyTensor(w.view(B, N, 1, 1)) * length).exp()
    dense = torch.exp(w[:, :, None] * torch.arange(5.0, dtype=torch.float64))
    assert_same(
        (vandermonde * LazyTensor(v.view(B, N, 1, 1))).sum(dim=1)[..., 0],
        (dense * v[..., None]).sum(1),
    )
    assert_same(
        (1j * LazyTensor(draw(M, 1, 1)) * 0).sum(0), torch.zeros(1, 1, dtype=torch.complex128)
    )


def test_gudhi_neighbours(draw):
    x, y = draw(M, D), draw(N, D)
    X, Y = LazyTensor(x[:, None]), LazyTensor(y[None])
    for p in (1, 2, 3.5, math.inf):
        if p == math.inf:
            lazy, dense = (X - Y).abs().max(-1), (x[:, None] - y).abs().amax(-1)
        else:
            lazy = ((X - Y).abs() ** p).sum(-1)
            dense = ((x[:, None] - y).abs() ** p).sum(-1)
        values, rows = lazy.Kmin_argKmin(3, dim=1)
        known = dense.sort(1)
        assert_same(values, known.values[:, :3])
        assert_same(rows, known.indices[:, :3])
        assert_same(lazy.argKmin(3, dim=1), rows)
        assert_same(lazy.Kmin(3, dim=1), values)


def test_deep_graph_matching(draw):
    x, y = draw(B, M, D), draw(B, N, D)
    y[0, 2] = -math.inf
    lazy = (-LazyTensor(x[:, :, None]) * LazyTensor(y[:, None])).sum(dim=-1)
    found = lazy.argKmin(3, dim=2, backend="auto")
    known = torch.argsort(-(x[:, :, None] * y[:, None]).sum(-1), 2)[..., :3]
    assert_same(found, known)


def test_vision3d_radius_search(draw):
    q, s = draw(2, 3, M, D), draw(2, 3, N, D)
    lazy = (LazyTensor(q[..., :, None, :]) - LazyTensor(s[..., None, :, :])).norm2()
    dense = (q[..., :, None, :] - s[..., None, :, :]).norm(dim=-1)
    batch = q.dim() - 2
    values, rows = lazy.Kmin_argKmin(2, dim=batch + 1)
    assert_same(values, dense.sort(-1).values[..., :2])
    assert rows.shape == (2, 3, M, 2)
    counts = (0.5 - lazy).relu().sign().sum(dim=batch + 1)
    assert_same(counts[..., 0], (dense < 0.5).sum(-1).double())


def test_distorch_and_others(draw):
    a, b = draw(M, D), draw(N, D)
    dense = ((a[:, None] - b) ** 2).sum(-1)
    assert_same(Vi(a).sqdist(Vj(b)).min(dim=1).squeeze(1).sqrt_(), dense.amin(1).sqrt())
    assert_same(((Vi(a) - Vj(b)) ** 2).sum().Kmin(3, 1), dense.sort(1).values[:, :3])
    nearest = generic_argkmin("SqDist(x, y)", "a = Vi(4)", "x = Vi(3)", "y = Vj(3)")
    assert_same(nearest(a, b), dense.argsort(1)[:, :4])
    row = LazyTensor(a[1])  # fast_krr takes rows of a kernel so
    assert_same(
        ((-(row - LazyTensor(b[:, None])).sqnorm2()).exp() @ torch.ones(1).double()).view(-1),
        torch.exp(-dense[1]),
    )


def test_point_convolutions(draw):
    x, n, w = draw(M, 3), draw(M, 3), draw(M, 6)
    x_i, x_j, n_i, w_j = Vi(x), Vj(x), Vi(n), Vj(w)
    angle = (n_i.normalize() | (x_j - x_i).normalize()).clamp(-1, 1).acos().cos()
    unit = torch.nn.functional.normalize
    diff = x - x[:, None]
    cosine = (unit(n, dim=-1)[:, None] * unit(diff, dim=-1)).sum(-1)
    assert_same(angle.sum(0)[:, 0], cosine.sum(0))
    pi = LazyTensor(-1).acos()
    assert_same((pi * x_i[0]).sum(1)[:, 0], math.pi * x[:, 0])
    assert_same((x_i - x_j).norm(-1).sum(1)[:, 0], diff.norm(dim=-1).sum(1))
    product = w_j.keops_tensordot(x_i, (2, 3), (3,), (1,), (0,))
    assert_same(product.sum(1), torch.einsum("jab,ib->ia", w.view(M, 2, 3), x))
    kron = x_i.keops_kron(w_j, [3], [6])
    assert kron._shape == (M, M, 18)
    gate = ((x_i - x_j).sqnorm2() - 0.5).ifelse(1, 0)
    assert_same(gate.sum_reduction(axis=1)[:, 0], ((diff**2).sum(-1) >= 0.5).sum(1).double())


def test_linpde_polynomials(draw):
    r = Vi(draw(M, 1)) * Vj(draw(N, 1))
    dense = r.dense()
    result = Pm(0.5)
    for c in (1.0, -0.25):
        result *= r
        result += Pm(c)
    known = (0.5 * dense + 1.0) * dense - 0.25
    assert_same((1 - r).ifelse(result, 0.0).dense(), torch.where(dense <= 1, known, 0.0))


def test_scripts_set_the_package_up():
    pykeops = jaxkeops
    pykeops.set_verbose(False)
    assert isinstance(pykeops.__version__, str)
    assert pykeops.config.gpu_available in (True, False)
