"""Lazy tensors as matrices: products with arrays and with each other, SciPy's names for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from .expression import Expression


class Products(Expression):
    """A lazy tensor of dim 1 is a matrix (*batch, M, N), never formed."""

    __slots__ = ()

    def __matmul__(self, v: Any, **options: Any) -> Any:
        """The product with an array: (N,) -> (*batch, M), (*batch, N, E) -> (*batch, M, E).

        With another lazy tensor, the product of both, as a `Product`. Options are those of a sum.
        """
        _check_matrix(self)
        if isinstance(v, Expression | Product):
            return Product(self, v)
        if not self._arrays.is_array(v):
            return NotImplemented
        shape = tuple(v.shape)
        if not shape or shape[-2:][0] != self._columns():
            raise ArgumentError(
                f"@: a LazyTensor of shape {self.shape} takes an array of {self._columns()} rows, "
                f"({self._columns()},) or (..., {self._columns()}, E), got shape {shape}."
            )
        if len(shape) == 1:
            result = self.__matmul__(self._arrays.reshape(v, (*shape, 1)), **options)
            return self._arrays.reshape(result, tuple(result.shape)[:-1])
        if not shape[-1]:  # no formula is of no coordinates
            return self._of_nothing(v)
        product = self * self._real._rows(v, "j")
        return product.sum(dim=product.dim() - 2, **options)

    def __rmatmul__(self, v: Any) -> Any:
        """The product of an array with this: (M,) -> (*batch, N), (*batch, E, M) -> (..., E, N)."""
        _check_matrix(self)
        if not self._arrays.is_array(v):
            return NotImplemented
        if len(v.shape) < 2:
            return self.T @ v
        result = self.T @ v.swapaxes(-1, -2)
        return result.swapaxes(-1, -2)

    def _columns(self) -> int:
        return self._shape[-2]

    def _of_nothing(self, v: Any) -> Any:
        """The product with an array (*batch, N, 0), which is (*batch, M, 0)."""
        nothing = self._real._rows(v, "j")
        try:
            batch = self._frame.joined(nothing._frame)[0].batch
        except ArgumentError as error:
            raise ArgumentError(f"@: {error}") from None
        result = self._arrays.reshape(v, (*batch, self._shape[-3], 0))
        made_complex = self.is_complex and not nothing.is_complex
        return self._arrays.complex_view(result) if made_complex else result

    def matvec(self, v: Any) -> Any:
        """self @ v: with `rmatvec`, `shape` and `dtype`, what SciPy's `aslinearoperator` asks."""
        return self @ v

    def rmatvec(self, v: Any) -> Any:
        """The product of the adjoint with v: self.T @ v, conjugated if this is complex."""
        return (self.conj() if self.is_complex else self).T @ v


class Product:
    """A product of matrices, lazy tensors or products: applied one after the other, last first."""

    __array_ufunc__ = None

    def __init__(self, left: Any, right: Any) -> None:
        _check_matrix(right)
        if left.shape[-1] != right.shape[-2]:
            raise ArgumentError(
                f"@: matrices of shapes {left.shape} and {right.shape} have no product: the first "
                "has as many columns as the second has rows."
            )
        try:
            np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        except ValueError:
            raise ArgumentError(
                f"@: matrices of shapes {left.shape} and {right.shape} have no product: the "
                "extents of batch axes must be equal, or 1."
            ) from None
        self.left = left
        self.right = right

    @property
    def shape(self) -> tuple[int, ...]:
        """(*batch, M, N)."""
        batch = np.broadcast_shapes(self.left.shape[:-2], self.right.shape[:-2])
        return (*batch, self.left.shape[-2], self.right.shape[-1])

    @property
    def dtype(self) -> str | None:
        """The name of the dtype of results: complex if one of the two is."""
        known = [each.dtype for each in (self.left, self.right) if each.dtype is not None]
        return next((name for name in known if name.startswith("complex")), (*known, None)[0])

    @property
    def T(self) -> Product:
        """The product of the transposes, the other way round."""
        return Product(self.right.T, self.left.T)

    def t(self) -> Product:
        """The product of the transposes, the other way round."""
        return self.T

    def __matmul__(self, v: Any) -> Any:
        if isinstance(v, Expression | Product):
            return Product(self, v)
        return self.left @ (self.right @ v)

    def __rmatmul__(self, v: Any) -> Any:
        """The product of an array with this: (M,) -> (*batch, N), (*batch, E, M) -> (..., E, N)."""
        return (v @ self.left) @ self.right

    def matvec(self, v: Any) -> Any:
        """self @ v."""
        return self @ v

    def rmatvec(self, v: Any) -> Any:
        """The product of the adjoint with v."""
        return self.right.rmatvec(self.left.rmatvec(v))

    def dense(self) -> Any:
        """The matrix of the product, (*batch, M, N); pairs outside of ranges count as zeros."""
        return self.left @ self.right.dense()

    def __repr__(self) -> str:
        return f"Product of shape {self.shape}, of\n{self.left!r}\n{self.right!r}"


def _check_matrix(given: Any) -> None:
    if isinstance(given, Product):
        return
    shape = given.shape_of_numbers
    if shape[-1] != 1:
        raise ArgumentError(
            f"@: a LazyTensor of shape {shape} has {shape[-1]} coordinates, and a matrix one. "
            "Reduce them first, as in K.sum(-1), or multiply by * and reduce over an axis."
        )
    if given._frame.symbolic:
        raise ArgumentTypeError(
            "@ needs the arrays, and some are arguments of a call still to come. Multiply by a "
            "variable instead, and reduce: (K * Vj(2, dim)).sum(1)."
        )
