"""Real lazy tensors: operators, powers, comparisons, coordinates."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any, Self

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...formula.methods import METHODS, REAL, coordinates, joined, power
from .algebra import Algebra
from .masks import Masks
from .operations import RealOperations
from .products import Products
from .reductions import Reductions
from .solve import Solves
from .values import Values

_BUILD = {name: spec.build for name, spec in METHODS[REAL].items()}


class RealTensor(Algebra, Values, Products, Solves, Masks, Reductions, RealOperations):
    """A real vector for each pair (i, j)."""

    __slots__ = ()

    def _binary(self, symbol: str, name: str, other: Any, swapped: bool = False) -> Any:
        other = self._other(other)
        if other is None:
            return NotImplemented
        if other.is_complex:
            return other._combined(symbol, name, self, not swapped)
        operands = (other, self) if swapped else (self, other)
        return self._apply(symbol, _BUILD[name], operands)

    def __or__(self, other: Any) -> Any:
        """The scalar product, over the coordinates."""
        return self._binary("|", "scalprod", other)

    def __ror__(self, other: Any) -> Any:
        return self._binary("|", "scalprod", other, swapped=True)

    def __neg__(self) -> Self:
        return self._apply("-", _BUILD["minus"], (self,))

    def __pow__(self, exponent: Any) -> Any:
        """Integers and halves are literals; other numbers, arrays and expressions are inputs."""
        number = _literal_power(exponent)
        if number is not None:
            return self._apply("**", power, (self,), (number,))
        return self._binary("**", "powf", exponent)

    def __rpow__(self, base: Any) -> Any:
        return self._binary("**", "powf", base, swapped=True)

    def power(self, exponent: Any) -> Any:
        """self ** exponent."""
        return self**exponent

    def __lt__(self, other: Any) -> Any:
        return self._binary("<", "lessthan", other)

    def __le__(self, other: Any) -> Any:
        return self._binary("<=", "lessorequal", other)

    def __gt__(self, other: Any) -> Any:
        return self._binary(">", "lessthan", other, swapped=True)

    def __ge__(self, other: Any) -> Any:
        return self._binary(">=", "lessorequal", other, swapped=True)

    def __eq__(self, other: Any) -> Any:
        return self._binary("==", "equal", other)

    def __ne__(self, other: Any) -> Any:
        return self._binary("!=", "notequal", other)

    __hash__ = None

    def __mod__(self, other: Any) -> Any:
        """self - other floor(self / other)."""
        return self.mod(other)

    def diff(self, v: Any, u: Any) -> Self:
        """The derivative of this for v along u; tuples of v and u add up."""
        if not isinstance(v, tuple):
            return super().diff(v, u)
        if not isinstance(u, tuple) or len(u) != len(v):
            raise ArgumentError(f"diff takes one direction for each of {len(v)} variables.")
        return reduce(operator.add, (self.diff(*each) for each in zip(v, u, strict=True)))

    def norm(self, dim: int = -1) -> Self:
        """The Euclidean norm of the coordinates, which are the last axis."""
        self._check_last("norm", dim)
        return self.norm2()

    def _coordinates(self, start: int, size: int) -> Self:
        return self._apply("[]", coordinates, (self,), (start, size))

    @classmethod
    def concatenate(cls, tensors: Sequence[Any], axis: int = -1) -> Any:
        """The coordinates of all, one after the other; `axis` is the last."""
        if isinstance(tensors, cls) or not isinstance(tensors, Sequence) or not tensors:
            raise ArgumentTypeError(
                f"concatenate takes a tuple of LazyTensors, got {type(tensors).__name__}."
            )
        operands = tuple(cls._operand(each) for each in tensors)
        if axis not in (-1, max(each.dim() for each in operands) - 1):
            raise ArgumentError(
                f"LazyTensors are concatenated along their coordinates, the last axis, got {axis}."
            )
        if any(each.is_complex for each in operands):
            operands = tuple(cls._complex._complex_operand(each) for each in operands)
        kind = cls._complex if operands[0].is_complex else cls._real
        return operands[0]._apply("concatenate", joined, operands, (), kind)

    @classmethod
    def cat(cls, tensors: Sequence[Any], dim: int = -1) -> Any:
        """The coordinates of all, one after the other; `dim` is the last axis."""
        return cls.concatenate(tensors, dim)


def _literal_power(exponent: Any) -> float | None:
    """The exponent, if the formula may hold it: a program is compiled for each."""
    if isinstance(exponent, bool | np.bool_):
        return None
    if isinstance(exponent, int | np.integer):
        return int(exponent)
    if isinstance(exponent, float | np.floating):
        if float(exponent).is_integer():
            return int(exponent)
        return float(exponent) if abs(exponent) == 0.5 else None
    return None
