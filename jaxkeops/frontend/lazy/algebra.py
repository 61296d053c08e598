"""What real and complex lazy tensors have in common: arithmetic, indices, products with arrays."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from .expression import Expression
from .protocols import NUMPY, apply_function, apply_ufunc

EVERYTHING = slice(None)


class Algebra(Expression):
    """Operators; what they build is up to real and to complex lazy tensors."""

    __slots__ = ()

    @abstractmethod
    def _binary(self, symbol: str, name: str, other: Any, swapped: bool = False) -> Any:
        """The method `name` of this and `other`, or of `other` and this; else NotImplemented."""

    @abstractmethod
    def _coordinates(self, start: int, size: int) -> Self:
        """Coordinates start to start + size - 1."""

    def _other(self, x: Any) -> Any:
        """`x` as an expression; None if it is nothing that one can be made of."""
        known = isinstance(x, Expression | int | float | complex | np.number | list | tuple)
        return self._operand(x) if known or hasattr(x, "shape") else None

    def __add__(self, other: Any) -> Any:
        return self._binary("+", "add", other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("+", "add", other, swapped=True)

    def __sub__(self, other: Any) -> Any:
        return self._binary("-", "subtract", other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("-", "subtract", other, swapped=True)

    def __mul__(self, other: Any) -> Any:
        return self._binary("*", "mult", other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("*", "mult", other, swapped=True)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("/", "divide", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("/", "divide", other, swapped=True)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Any:
        return self.abs()

    def _check_last(self, what: str, dim: Any) -> None:
        if dim not in (-1, self.dim() - 1):
            raise ArgumentError(
                f"{what} is of the coordinates: dim is -1 or {self.dim() - 1}, got {dim!r}."
            )

    def __getitem__(self, key: Any) -> Any:
        """Coordinates, by an integer or a slice; or [i, j] and [i, j, key]: rows and columns too.

        i, j: slices or arrays of row numbers, after a full slice for each batch axis.
        """
        if not isinstance(key, tuple):
            return self._at(key)
        batch = len(self._frame.batch)
        if len(key) - batch not in (2, 3) or any(
            not isinstance(each, slice) or each != EVERYTHING for each in key[:batch]
        ):
            raise ArgumentError(
                f"A LazyTensor of shape {self._shape} is indexed by [k] or [k:l], coordinates; by "
                f"[{':, ' * batch}i, j], rows and columns; or by [{':, ' * batch}i, j, k]."
            )
        i, j, *last = key[batch:]
        result = self
        if not _is_everything(i):
            result = result.rows(i)
        if not _is_everything(j):
            result = result.columns(j)
        return result._at(last[0]) if last else result

    def _at(self, key: Any) -> Any:
        count = self.shape_of_numbers[-1]
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            k = int(key) + count if key < 0 else int(key)
            if not 0 <= k < count:
                raise ArgumentError(
                    f"[{key}] asks for coordinate {key}, and there are 0 to {count - 1}."
                )
            return self._coordinates(k, 1)
        if not isinstance(key, slice):
            raise ArgumentTypeError(
                f"Coordinates are picked by an integer or a slice, got {type(key).__name__}. For "
                "rows and columns write K[i, j]."
            )
        start, stop, step = key.indices(count)
        if step != 1 or stop <= start:
            raise ArgumentError(
                f"[{key.start}:{key.stop}:{key.step}] of {count} coordinates: a slice has step 1 "
                "and holds at least one."
            )
        return self if stop - start == count else self._coordinates(start, stop - start)

    @property
    def shape_of_numbers(self) -> tuple[int, ...]:
        """(*batch, M, N, D), where a complex number counts once."""
        shape = self._shape
        return (*shape[:-1], shape[-1] // 2) if self.is_complex else shape

    @property
    def shape(self) -> tuple[int, ...]:
        """(*batch, M, N, D), without D where it is 1."""
        shape = self.shape_of_numbers
        return shape[:-1] if shape[-1] == 1 else shape

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions of lazy tensors, and its arrays beside them, are lazy tensors."""
        return apply_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function.__module__ != "numpy":  # norm and inv of numpy.linalg are of whole matrices
            return NotImplemented
        name = function.__name__
        return apply_function(NUMPY.get(name, name), args, options)


def _is_everything(key: Any) -> bool:
    return isinstance(key, slice) and key == EVERYTHING
