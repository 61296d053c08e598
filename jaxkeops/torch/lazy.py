"""Lazy tensors of PyTorch tensors."""

from __future__ import annotations

from typing import Any

from ..frontend.lazy import ComplexTensor, RealTensor, variable
from .arrays import TorchArrays, torch_function

_ARRAYS = TorchArrays()


class LazyTensor(RealTensor):
    """A vector for each pair of rows i and j of PyTorch tensors, computed when it is reduced.

    LazyTensor(x) of x: (..., M, 1, D) has rows i, of (..., 1, N, D) rows j, of (..., 1, 1, D) or
    (D,) parameters; of (rows, D), those of `axis`: 0 for i, 1 for j. Numbers and lists of them are
    parameters, a triple (index, dim, axis) an argument of a call still to come. Complex numbers
    make a `ComplexLazyTensor`. Operators and methods give lazy tensors, reductions over i or j
    tensors; the (M, N) values are never all formed, but by `dense()`.
    Raises `ArgumentError` or `ArgumentTypeError`, with the shapes, for what does not fit.
    """

    __slots__ = ()
    _arrays = _ARRAYS
    __torch_function__ = classmethod(torch_function)


class ComplexLazyTensor(ComplexTensor):
    """A complex vector for each pair of rows i and j of PyTorch tensors."""

    __slots__ = ()
    _arrays = _ARRAYS
    __torch_function__ = classmethod(torch_function)


LazyTensor._real = ComplexLazyTensor._real = LazyTensor
LazyTensor._complex = ComplexLazyTensor._complex = ComplexLazyTensor


def Vi(x: Any, dim: int | None = None) -> Any:
    """The rows i of x, (M, D); or, of an index and a dim, of that argument of a call to come."""
    return variable(LazyTensor, x, dim, 0)


def Vj(x: Any, dim: int | None = None) -> Any:
    """The rows j of x, (N, D); or, of an index and a dim, of that argument of a call to come."""
    return variable(LazyTensor, x, dim, 1)


def Pm(x: Any, dim: int | None = None) -> Any:
    """A parameter (D,), a number or a list; or, of an index and a dim, an argument to come."""
    return variable(LazyTensor, x, dim, 2)
