"""Lazy tensors of JAX arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

from ..frontend.lazy import ComplexTensor, Product, RealTensor, variable
from .arrays import JaxArrays
from .tree import factors, flatten, product_of, unflatten

_ARRAYS = JaxArrays()


class LazyTensor(RealTensor):
    """A vector for each pair of rows i and j of JAX arrays, computed when it is reduced.

    LazyTensor(x) of x: (..., M, 1, D) has rows i, of (..., 1, N, D) rows j, of (..., 1, 1, D) or
    (D,) parameters; of (rows, D), those of `axis`: 0 for i, 1 for j. Numbers and lists of them are
    parameters, a triple (index, dim, axis) an argument of a call still to come. Complex numbers
    make a `ComplexLazyTensor`. Operators and methods give lazy tensors, reductions over i or j
    arrays; the (M, N) values are never all formed, but by `dense()`.
    A pytree of its arrays, so it may be an argument of a function that `jax.jit`, `jax.grad` or
    `jax.vmap` transforms; and it may be made of traced arrays.
    Raises `ArgumentError` or `ArgumentTypeError`, with the shapes, for what does not fit.
    """

    __slots__ = ()
    _arrays = _ARRAYS


class ComplexLazyTensor(ComplexTensor):
    """A complex vector for each pair of rows i and j of JAX arrays."""

    __slots__ = ()
    _arrays = _ARRAYS


LazyTensor._real = ComplexLazyTensor._real = LazyTensor
LazyTensor._complex = ComplexLazyTensor._complex = ComplexLazyTensor

for _cls in (LazyTensor, ComplexLazyTensor):
    jax.tree_util.register_pytree_node(_cls, flatten, partial(unflatten, _cls))
jax.tree_util.register_pytree_node(Product, factors, product_of)


def Vi(x: Any, dim: int | None = None) -> Any:
    """The rows i of x, (M, D); or, of an index and a dim, of that argument of a call to come."""
    return variable(LazyTensor, x, dim, 0)


def Vj(x: Any, dim: int | None = None) -> Any:
    """The rows j of x, (N, D); or, of an index and a dim, of that argument of a call to come."""
    return variable(LazyTensor, x, dim, 1)


def Pm(x: Any, dim: int | None = None) -> Any:
    """A parameter (D,), a number or a list; or, of an index and a dim, an argument to come."""
    return variable(LazyTensor, x, dim, 2)
