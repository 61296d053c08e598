"""Complex lazy tensors: pairs of coordinates inside, complex numbers outside."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...errors import ArgumentTypeError
from ...formula.methods import (
    COMPLEX,
    METHODS,
    complex_over_real,
    complex_power,
    complex_scalar_product,
    complex_sum,
    complex_times_real,
    coordinates,
)
from .algebra import Algebra
from .masks import Masks
from .operations import ComplexOperations
from .products import Products
from .reductions import Reductions
from .solve import Solves
from .values import Values

_BUILD = {name: spec.build for name, spec in METHODS[COMPLEX].items()}
_BUILD |= {"scalprod": complex_scalar_product, "powf": complex_power}
# Where the other is real, the product needs not be one of complex numbers.
_WITH_REAL = {"mult": complex_times_real, "divide": complex_over_real}
NAMES = {"complex64": "float32", "complex128": "float64"}
OF_FLOATS = {floats: complex_ for complex_, floats in NAMES.items()}


class ComplexTensor(Algebra, Values, Products, Solves, Masks, Reductions, ComplexOperations):
    """A complex vector for each pair (i, j).

    Its sums are complex arrays; it has no order, so no comparisons, minima or maxima.
    """

    __slots__ = ()

    def _binary(self, symbol: str, name: str, other: Any, swapped: bool = False) -> Any:
        other = self._other(other)
        return NotImplemented if other is None else self._combined(symbol, name, other, swapped)

    def _combined(self, symbol: str, name: str, other: Any, swapped: bool) -> Any:
        """The operator of this and an expression, real or complex, on its right unless swapped."""
        if name not in _BUILD:
            self._refused(other)
        with_real = None if other.is_complex or (swapped and name == "divide") else name
        if with_real in _WITH_REAL:
            return self._apply(symbol, _WITH_REAL[name], (self, other), (), self._complex)
        other = self._complex_operand(other)
        operands = (other, self) if swapped else (self, other)
        return self._apply(symbol, _BUILD[name], operands, (), self._complex)

    @property
    def dtype(self) -> str | None:
        """The name of the dtype of results; None as long as no array says."""
        floats = self._frame.dtype
        return None if floats is None else OF_FLOATS.get(floats, floats)

    def __neg__(self) -> Self:
        return self * -1

    def __or__(self, other: Any) -> Any:
        """The sum over the coordinates of the products; none is conjugated."""
        return self._binary("|", "scalprod", other)

    def __ror__(self, other: Any) -> Any:
        return self._binary("|", "scalprod", other, swapped=True)

    def __pow__(self, exponent: Any) -> Any:
        """By products for integers, else exp(exponent log(self)), the principal value."""
        if isinstance(exponent, int | np.integer) and not isinstance(exponent, bool):
            return self.pow(int(exponent))
        return self._binary("**", "powf", exponent)

    def __rpow__(self, base: Any) -> Any:
        return self._binary("**", "powf", base, swapped=True)

    def power(self, exponent: Any) -> Any:
        """self ** exponent."""
        return self**exponent

    def square(self) -> Self:
        """self * self."""
        return self * self

    def _coordinates(self, start: int, size: int) -> Self:
        literals = (2 * start, 2 * size)
        return self._apply("[]", coordinates, (self,), literals, self._complex)

    def concat(self, other: Any) -> Any:
        """The coordinates of this, then those of the other."""
        return self._real.concatenate((self, other))

    @classmethod
    def concatenate(cls, tensors: Any, axis: int = -1) -> Any:
        """The coordinates of all, one after the other; `axis` is the last."""
        return cls._real.concatenate(tensors, axis)

    @classmethod
    def cat(cls, tensors: Any, dim: int = -1) -> Any:
        """The coordinates of all, one after the other; `dim` is the last axis."""
        return cls._real.concatenate(tensors, dim)

    def _rows_or_coordinates(self, name: str, axis: Any, dim: Any, options: dict[str, Any]) -> Any:
        _check_sum(name)
        given = axis if dim is None else dim
        if (given == -1 or given == self.dim() - 1) and not options:
            return self._apply("sum", complex_sum, (self,), (), self._complex)
        return super()._rows_or_coordinates(name, axis, dim, options)

    def reduction(self, reduction_op: str, *args: Any, **options: Any) -> Any:
        """The sum; no other reduction is of complex numbers."""
        _check_sum(reduction_op)
        return super().reduction(reduction_op, *args, **options)

    def _refused(self, other: Any) -> Any:
        raise ArgumentTypeError(
            "Complex lazy tensors are not compared. Compare real, imag or abs()."
        )

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refused
    __hash__ = None


def _check_sum(reduction: str) -> None:
    if reduction != "Sum":
        raise ArgumentTypeError(
            f"{reduction} is not defined for complex numbers: only Sum is. Take real, imag or "
            "abs() first."
        )
