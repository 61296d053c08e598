"""Conjugate gradients over PyTorch tensors, with derivatives by the equation of the solution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..frontend import conjugate
from ..frontend.caller import Caller
from ..frontend.conjugate import Report, Stopping, System

Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Problem:
    """(alpha + K) a = b without its tensors.

    matrix: a, alpha, parameters -> the product.
    """

    matrix: Callable[..., Any]
    stopping: Stopping
    preconditioner: Callable[[Any], Any] | None
    caller: Caller


def solve(system: System) -> tuple[torch.Tensor, Report]:
    """The solution, and how it ended; warns if it did not converge, in derivatives too."""
    b, alpha = system.b, system.alpha
    if not isinstance(alpha, torch.Tensor):
        alpha = torch.as_tensor(alpha, dtype=b.dtype, device=b.device)

    def matrix(a: torch.Tensor, alpha: torch.Tensor, *parameters: Any) -> torch.Tensor:
        return system.matrix(a, *parameters) + alpha * a

    problem = Problem(matrix, system.stopping, system.preconditioner, system.caller)
    solution, *how = Solution.apply(problem, b, alpha, *system.parameters)
    return solution, Report(*how)


class Solution(torch.autograd.Function):
    """The solution of a problem for b, alpha and parameters, and what `Report` says of it.

    The matrix is symmetric. Derivatives are solutions again, so orders do not end.
    """

    @staticmethod
    def forward(problem: Problem, b: torch.Tensor, *parameters: torch.Tensor) -> Outputs:
        def apply(a: torch.Tensor) -> torch.Tensor:
            return problem.matrix(a, *parameters)

        asked = problem.stopping
        b, scale, target = conjugate.scaled(b, asked, _where)
        state = conjugate.start(b, problem.preconditioner, target)
        while state.iteration < asked.maxiter and state.active.any():
            state = conjugate.step(state, apply, problem.preconditioner, target, _where)
        report = conjugate.report(state, b, target, scale)
        worst = float(report.residual.max()) if report.residual.numel() else 0.0
        conjugate.warn(problem.caller, bool(report.converged.all()), worst, state.iteration)
        return state.x * scale, report.converged, report.residual, torch.tensor(state.iteration)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Outputs) -> None:
        problem, b, *parameters = inputs
        x, *how = output
        ctx.problem = problem
        ctx.shape = b.shape
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*how)
        ctx.save_for_backward(x, *parameters)
        ctx.save_for_forward(x, *parameters)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor | None, *_: Any) -> tuple[Any, ...]:
        """From (alpha + K) x = b: that of b solves the system for g, and the others follow."""
        gradients: list[torch.Tensor | None] = [None] * (len(ctx.needs_input_grad) - 2)
        if g is None:
            return None, None, *gradients
        x, *parameters = ctx.saved_tensors
        solved = Solution.apply(ctx.problem, g.contiguous(), *parameters)[0]
        wanted = [k for k, needed in enumerate(ctx.needs_input_grad[2:]) if needed]
        if wanted:
            pull = _pull_back(ctx.problem, x, parameters, wanted)
            for k, gradient in zip(wanted, pull(-solved), strict=True):
                gradients[k] = gradient
        return None, solved.sum_to_size(ctx.shape), *gradients

    @staticmethod
    def jvp(ctx: Any, _: None, b: torch.Tensor | None, *moving: Any) -> tuple[Any, ...]:
        """The tangent solves the system for that of b, less those of the matrix times x."""
        x, *parameters = ctx.saved_tensors
        right = torch.zeros_like(x) if b is None else b.expand(x.shape)
        moved = [k for k, each in enumerate(moving) if each is not None]
        if moved:
            # Forward mode does not nest, so J t is the derivative of u -> J' u, which is linear.
            pull = _pull_back(ctx.problem, x, parameters, moved)
            _, push = torch.func.vjp(pull, torch.zeros_like(x))
            right = right - push(tuple(moving[k] for k in moved))[0]
        solved = Solution.apply(ctx.problem, right.contiguous(), *parameters)[0]
        return solved, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Outputs, Any]:
        """The mapped axis is one more batch axis, of b too; each element stops on its own."""
        problem, b, *parameters = args
        _, dim, *others = in_dims
        b = b.expand(info.batch_size, *b.shape) if dim is None else b.movedim(dim, 0)
        precondition = problem.preconditioner
        mapped = Problem(
            torch.func.vmap(problem.matrix, in_dims=(0, *others)),
            problem.stopping,
            None if precondition is None else torch.func.vmap(precondition),
            problem.caller,
        )
        return Solution.apply(mapped, b, *parameters), (0, 0, 0, None)


def _pull_back(
    problem: Problem, x: torch.Tensor, parameters: Sequence[torch.Tensor], wanted: Sequence[int]
) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """From a cotangent of matrix(x) to those of the parameters in `wanted`, with x held."""

    def product(*moving: torch.Tensor) -> torch.Tensor:
        given = list(parameters)
        for k, each in zip(wanted, moving, strict=True):
            given[k] = each
        return problem.matrix(x, *given)

    return torch.func.vjp(product, *(parameters[k] for k in wanted))[1]


def _where(condition: torch.Tensor, one: Any, other: Any) -> torch.Tensor:
    """torch.where, in which numbers take the dtype of tensors."""
    return torch.where(condition, one, other)
