"""k-means in PyTorch: several starts at once, along a batch axis."""

from __future__ import annotations

import torch
from clusters import CLUSTERS, check, draw, mixture
from gallery import run
from matplotlib.figure import Figure

from jaxkeops.torch import LazyTensor, Vi, Vj


def nearest(points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """The numbers (..., N) of the nearest of centres (..., K, 2)."""
    distances = LazyTensor(points[:, None]).sqdist(LazyTensor(centres[..., None, :, :]))
    return distances.argmin(dim=-2)[..., 0]


def spread_out(points: torch.Tensor, starts: int) -> torch.Tensor:
    """Centres (starts, K, 2), each drawn by the squared distance to those before: k-means++."""
    chosen, squared = [], torch.ones(starts, len(points))
    for _ in range(CLUSTERS):
        chosen.append(points[torch.multinomial(squared, 1)])
        squared = torch.minimum(squared, ((points - chosen[-1]) ** 2).sum(-1))
    return torch.cat(chosen, 1)


def lloyd(points: torch.Tensor, centres: torch.Tensor, steps: int) -> tuple[torch.Tensor, ...]:
    """The centres (starts, K, 2) after `steps`, and before each step the mean squared distances."""
    inertia = []
    everything = points.expand(len(centres), -1, -1)
    for _ in range(steps):
        labels = nearest(points, centres)[..., None].expand(-1, -1, 2)
        inertia.append((points - centres.gather(1, labels)).square().sum(-1).mean(1))
        # An empty cluster keeps its centre.
        centres = centres.scatter_reduce(1, labels, everything, "mean", include_self=False)
    return centres, torch.stack(inertia, 1)


def main(points: int = 50_000, starts: int = 8, steps: int = 20) -> Figure:
    """Finds the centres of a mixture of 16 Gaussians."""
    x, truth = map(torch.from_numpy, mixture(points))
    torch.manual_seed(0)
    centres, inertia = lloyd(x, spread_out(x, starts), steps)
    best = centres[inertia[:, -1].argmin()]
    errors = Vi(truth).sqdist(Vj(best)).min(dim=1).sqrt()
    check(inertia.numpy(), errors.numpy(), points)
    return draw(x.numpy(), nearest(x, best).numpy(), best.numpy(), inertia.numpy())


if __name__ == "__main__":
    run(main)
