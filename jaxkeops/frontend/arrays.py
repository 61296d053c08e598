"""The contract of an array library: what lazy tensors and solves ask of a door."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from .conjugate import Report, System
from .genred import GenredBase
from .shapes import Shape


class Arrays(ABC):
    """What a door knows of its arrays, which have `shape`, `swapaxes` and indexing themselves.

    library: the name of the array type, for messages.
    genred: the door's reductions of formulas.
    """

    library: str
    genred: type[GenredBase]

    @abstractmethod
    def is_array(self, x: Any) -> bool:
        """Whether `x` is an array that the door takes."""

    @abstractmethod
    def dtype(self, array: Any) -> str:
        """The name of its dtype: "float32"."""

    @abstractmethod
    def default_dtype(self) -> str:
        """That of what is made of numbers alone."""

    @abstractmethod
    def argument(self, numbers: Any, dtype: str, like: Any) -> Any:
        """The numbers as an argument of a reduction, of `dtype`; on the device of `like`, if any.

        numbers: one float, which may become any argument of a parameter of dim 1; a list of them;
        or an array, as `known` gives.
        """

    @abstractmethod
    def cast(self, array: Any, dtype: str) -> Any:
        """The array with that dtype, differentiable."""

    def reshape(self, array: Any, shape: Shape) -> Any:
        """The array with that shape."""
        return array.reshape(shape)

    @abstractmethod
    def real_view(self, array: Any) -> Any:
        """Of complex numbers (..., D), the pairs (..., 2 D) of real and imaginary parts."""

    @abstractmethod
    def complex_view(self, array: Any) -> Any:
        """Of pairs (..., 2 D), the complex numbers (..., D)."""

    @abstractmethod
    def known(self, integers: Any) -> Any:
        """Integers as an array of NumPy; as they are, where they are not known yet."""

    @abstractmethod
    def patterns(self) -> dict[str, Callable[..., Any]]:
        """The functions of the door that make ranges, by name."""

    @abstractmethod
    def solve(self, system: System) -> tuple[Any, Report]:
        """The solution, and how it ended; warns if it did not converge."""
