"""A reduction with all its gradients through PyTorch's autograd, for any Genred of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..workload import Arrays
from . import Call


def finish_importing() -> None:
    """PyTorch imports sympy, for 0.4 s, when it is first given a cotangent."""
    x = torch.ones(1, requires_grad=True)
    torch.autograd.grad(x + 1, x, torch.ones(1))


def with_gradients(operation: Callable[..., torch.Tensor], arrays: Arrays) -> Call:
    """The results of `operation` and its derivatives; the last array is the cotangent."""
    *given, cotangent = (torch.from_numpy(array) for array in arrays)
    leaves = [tensor.requires_grad_() for tensor in given]

    def call() -> tuple[Any, ...]:
        result = operation(*leaves)
        return result.detach(), *torch.autograd.grad(result, leaves, cotangent)

    return call
