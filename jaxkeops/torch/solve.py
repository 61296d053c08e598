"""Conjugate gradients over PyTorch tensors, with derivatives by the equation of the solution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ..frontend import conjugate
from ..frontend.conjugate import Report, Stopping, System


@dataclass(frozen=True)
class Problem:
    """(alpha + K) a = b without its tensors.

    matrix: a, alpha, parameters -> the product. reports: takes in how each solve ended.
    """

    matrix: Callable[..., Any]
    stopping: Stopping
    preconditioner: Callable[[Any], Any] | None
    reports: list[Report] = field(default_factory=list)


def solve(system: System) -> tuple[torch.Tensor, Report]:
    """The solution, and how it ended; warns if it did not converge, in derivatives too."""
    b, alpha = system.b, system.alpha
    if not isinstance(alpha, torch.Tensor):
        alpha = torch.as_tensor(alpha, dtype=b.dtype, device=b.device)

    def matrix(a: torch.Tensor, alpha: torch.Tensor, *parameters: Any) -> torch.Tensor:
        return system.matrix(a, *parameters) + alpha * a

    problem = Problem(matrix, system.stopping, system.preconditioner)
    solution = Solution.apply(problem, b, alpha, *system.parameters)
    return solution, problem.reports[0]


class Solution(torch.autograd.Function):
    """The solution of a problem for b, alpha and parameters. The matrix is symmetric."""

    @staticmethod
    def forward(
        ctx: Any, problem: Problem, b: torch.Tensor, *parameters: torch.Tensor
    ) -> torch.Tensor:
        def apply(a: torch.Tensor) -> torch.Tensor:
            return problem.matrix(a, *parameters)

        asked = problem.stopping
        target = conjugate.squared_target(b, asked, _where)
        state = conjugate.start(b, problem.preconditioner, target, _where)
        while state.iteration < asked.maxiter and state.active.any():
            state = conjugate.step(state, apply, problem.preconditioner, target, _where)
        report = conjugate.report(state, b, target)
        problem.reports.append(report)
        worst = float(report.residual.max()) if report.residual.numel() else 0.0
        conjugate.warn(bool(report.converged.all()), worst, state.iteration)
        ctx.problem = problem
        ctx.shape = b.shape
        ctx.save_for_backward(state.x, *parameters)
        return state.x

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[Any, ...]:
        """From (alpha + K) x = b: that of b solves the system for g, and the others follow."""
        x, *parameters = ctx.saved_tensors
        solved = Solution.apply(ctx.problem, g.contiguous(), *parameters)
        wanted = [k for k, needed in enumerate(ctx.needs_input_grad[2:]) if needed]
        gradients: list[torch.Tensor | None] = [None] * len(parameters)
        if wanted:
            keep = torch.is_grad_enabled()
            with torch.enable_grad():
                # Views, for x depends on the parameters as well: that is not to count here.
                views = [each.view_as(each) for each in parameters]
                product = ctx.problem.matrix(x, *views)
            found = torch.autograd.grad(
                product, [views[k] for k in wanted], -solved, create_graph=keep, allow_unused=True
            )
            for k, gradient in zip(wanted, found, strict=True):
                gradients[k] = gradient
        return None, solved.sum_to_size(ctx.shape), *gradients


def _where(condition: torch.Tensor, one: Any, other: Any) -> torch.Tensor:
    """torch.where, in which numbers take the dtype of tensors."""
    return torch.where(condition, one, other)
