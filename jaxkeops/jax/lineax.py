"""Lazy tensors as linear operators of lineax, which must be installed: it is imported from here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax

from ..errors import ArgumentError, ArgumentTypeError
from .lazy import LazyTensor


class LazyLinearOperator(lineax.AbstractLinearOperator):
    """The matrix of a lazy tensor, for the solvers of lineax.

    LazyLinearOperator(K, tags=()), K: (M, N) without batch axes (`jax.vmap` makes them), takes
    vectors (N,) to (M,). tags: what is known of the matrix, and not checked: of lineax'
    `symmetric_tag`, `positive_semidefinite_tag` and the like, one or several.
    Solutions have derivatives for the arrays of K, as for right-hand sides. `as_matrix`, which
    direct solvers ask for, forms the (M, N) values; products take time M * N and memory M + N.
    Pairs that the ranges of K leave out are zeros. Operators compose by `@`.
    Raises `ArgumentError` or `ArgumentTypeError` for what is no matrix of real numbers.
    """

    matrix: LazyTensor
    tags: frozenset[object] = eqx.field(static=True)

    def __init__(self, matrix: Any, tags: object | Iterable[object] = ()) -> None:
        if not isinstance(matrix, LazyTensor):
            raise ArgumentTypeError(
                f"A LazyLinearOperator is made of a real LazyTensor of JAX, got "
                f"{type(matrix).__name__}. For a product, compose operators by @."
            )
        if len(matrix.shape) != 2:
            raise ArgumentError(
                f"A matrix has the shape (M, N), got {tuple(matrix.shape)}. Sum over coordinates "
                "first, as in K.sum(-1); map over batch axes by jax.vmap."
            )
        if matrix.dtype is None:
            raise ArgumentError("A matrix of numbers alone has no dtype: it needs an array.")
        self.matrix = matrix
        self.tags = frozenset(tags if isinstance(tags, Iterable) else [tags])

    def mv(self, vector: jax.Array) -> jax.Array:
        """The product with a vector, (N,) -> (M,)."""
        return self.matrix @ vector

    def as_matrix(self) -> jax.Array:
        """All values, (M, N)."""
        return self.matrix.dense()

    def transpose(self) -> LazyLinearOperator:
        """The operator of the transpose."""
        return LazyLinearOperator(self.matrix.T, lineax.transpose_tags(self.tags))

    def in_structure(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(self.matrix.shape[1:], jnp.dtype(self.matrix.dtype))

    def out_structure(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(self.matrix.shape[:1], jnp.dtype(self.matrix.dtype))


# For the real numbers that these are, what is definite is symmetric, and so is what is diagonal.
_DIAGONAL = (lineax.diagonal_tag,)
_DEFINITE = (lineax.positive_semidefinite_tag, lineax.negative_semidefinite_tag)
_FOLLOWS_FROM = {
    lineax.is_symmetric: (lineax.symmetric_tag, *_DEFINITE, *_DIAGONAL),
    lineax.is_diagonal: _DIAGONAL,
    lineax.is_tridiagonal: (lineax.tridiagonal_tag, *_DIAGONAL),
    lineax.has_unit_diagonal: (lineax.unit_diagonal_tag,),
    lineax.is_lower_triangular: (lineax.lower_triangular_tag, *_DIAGONAL),
    lineax.is_upper_triangular: (lineax.upper_triangular_tag, *_DIAGONAL),
    lineax.is_positive_semidefinite: (lineax.positive_semidefinite_tag,),
    lineax.is_negative_semidefinite: (lineax.negative_semidefinite_tag,),
}


def _asks(tags: tuple[object, ...]) -> Any:
    return lambda operator: any(tag in operator.tags for tag in tags)


for _question, _tags in _FOLLOWS_FROM.items():
    _question.register(LazyLinearOperator)(_asks(_tags))


@lineax.linearise.register(LazyLinearOperator)
@lineax.conj.register(LazyLinearOperator)
def _itself(operator: LazyLinearOperator) -> LazyLinearOperator:
    return operator


@lineax.materialise.register(LazyLinearOperator)
def _materialised(operator: LazyLinearOperator) -> lineax.MatrixLinearOperator:
    return lineax.MatrixLinearOperator(operator.as_matrix(), operator.tags)


@lineax.diagonal.register(LazyLinearOperator)
def _diagonal(operator: LazyLinearOperator) -> jax.Array:
    return operator.matrix.diagonal()


@lineax.tridiagonal.register(LazyLinearOperator)
def _tridiagonal(operator: LazyLinearOperator) -> tuple[jax.Array, jax.Array, jax.Array]:
    matrix = operator.matrix
    if matrix.ranges is not None:
        return lineax.tridiagonal(_materialised(operator))
    lower, upper = matrix[1:, :-1].diagonal(), matrix[:-1, 1:].diagonal()
    return matrix.diagonal(), lower, upper
