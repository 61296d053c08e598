"""Kernel ridge regression in PyTorch: an optimiser differentiates through the linear system."""

from __future__ import annotations

import torch
from gallery import run
from matplotlib.figure import Figure
from surface import check, draw, noisy_values, pixels

from jaxkeops.torch import LazyTensor, Vi, Vj


def gaussian(x: torch.Tensor, y: torch.Tensor, width: torch.Tensor) -> LazyTensor:
    """The kernel (M, N), lazy."""
    return (-Vi(x).sqdist(Vj(y)) / (2 * width**2)).exp()


class Ridge(torch.nn.Module):
    """A smooth function near given values; it learns how smooth, and how near."""

    def __init__(self, width: float, alpha: float) -> None:
        super().__init__()
        self.logs = torch.nn.Parameter(torch.tensor([width, alpha]).log())

    def forward(self, new: torch.Tensor, x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The function (M, 1) at `new`, of values (N, 1) at x."""
        width, alpha = self.logs.exp()
        weights = gaussian(x, x, width).solve(values, alpha=alpha, rtol=1e-5)
        return gaussian(new, x, width) @ weights


def main(points: int = 4000, side: int = 100) -> Figure:
    """Learns a surface from noisy values, and how smooth it is from values left aside."""
    x, values = map(torch.from_numpy, noisy_values(points))
    half = points // 2
    ridge = Ridge(0.5, 1.0)
    optimizer = torch.optim.LBFGS(ridge.parameters(), max_iter=8, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        """The mean squared error (), on one half, of what is learned from the other."""
        optimizer.zero_grad()
        error = (ridge(x[half:], x[:half], values[:half]) - values[half:]).square().mean()
        error.backward()
        return error

    before = optimizer.step(loss).item()
    after = loss().item()
    width, alpha = ridge.logs.exp().tolist()
    print(f"loss {before:.3f} -> {after:.3f}: width {width:.2f}, alpha {alpha:.2f}")
    assert after < before

    with torch.no_grad():
        learned = ridge(torch.from_numpy(pixels(side)), x, values).numpy()
    check(learned, side)
    return draw(x.numpy(), values.numpy(), learned, side)


if __name__ == "__main__":
    run(main)
