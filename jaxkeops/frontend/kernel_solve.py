"""Linear systems of kernels: (alpha + K) a = b, for K a sum over pairs that is linear in a."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..dtypes import FLOATS
from ..errors import ArgumentError, ArgumentTypeError, UnknownNameError
from ..formula import declare, parse
from ..formula.node import Var
from .arrays import Arrays
from .caller import caller
from .conjugate import System, stopping
from .genred import FLAGS, GenredBase, check_call

OF_COMPLEX = {"complex64": "float32", "complex128": "float64"}
OPTIONS = ("alpha", "eps", "rtol", "maxiter", "preconditioner", "report")


@dataclass(frozen=True)
class Product:
    """The matrix of a system, as a function: a sum that is linear in its argument `slot`.

    Equal ones compute the same, so what a door compiled for one serves the other.
    """

    function: GenredBase
    slot: int
    options: tuple[tuple[str, Any], ...]

    def __call__(self, a: Any, *others: Any) -> Any:
        """The product with `a`, for the other arguments of the sum."""
        given = (*others[: self.slot], a, *others[self.slot :])
        return self.function(*given, **dict(self.options))


@dataclass(frozen=True)
class ComplexProduct:
    """The same of a complex matrix, whose product takes complex numbers as pairs."""

    arrays: Arrays
    pairs: Product

    def __call__(self, a: Any, *others: Any) -> Any:
        """The product with `a`, of complex numbers."""
        return self.arrays.complex_view(self.pairs(self.arrays.real_view(a), *others))


def solve(
    arrays: Arrays,
    matrix: Callable[..., Any],
    parameters: Sequence[Any],
    b: Any,
    alpha: Any = 1e-10,
    eps: float = 1e-6,
    rtol: float | None = None,
    maxiter: int | None = None,
    preconditioner: Callable[[Any], Any] | None = None,
    report: bool = False,
) -> Any:
    """a with (alpha + matrix) a = b, (..., M, E), by conjugate gradients; with `Report` if asked.

    Stops when |residual| <= max(eps min(sqrt(size of b), |b|), rtol |b|), for each batch element,
    rtol by default 8 units in the last place; or after maxiter iterations, by default 10 M, from
    100 to 10000, with a `ConvergenceWarning`.
    """
    if not arrays.is_array(b):
        raise ArgumentTypeError(f"b must be a {arrays.library}, got {type(b).__name__}.")
    shape = tuple(b.shape)
    if len(shape) < 2:
        raise ArgumentError(f"b has a row for each row of the kernel, (..., M, E), got {shape}.")
    dtype = arrays.dtype(b)
    dtype = OF_COMPLEX.get(dtype, dtype)
    if dtype not in FLOATS:
        raise ArgumentError(f"b must be of floats, got dtype {dtype}. Convert it first.")
    if preconditioner is not None and not callable(preconditioner):
        raise ArgumentTypeError(
            f"preconditioner is a function of residuals, got {type(preconditioner).__name__}."
        )
    asked = stopping(eps, rtol, maxiter, shape[-2], FLOATS[dtype].eps)
    weight = _of_dtype(arrays, alpha, dtype)
    system = System(matrix, tuple(parameters), b, weight, asked, preconditioner, caller())
    solution, how = arrays.solve(system)
    return (solution, how) if report else solution


def _of_dtype(arrays: Arrays, alpha: Any, dtype: str) -> Any:
    """`alpha` as what leaves the dtype of its product with an array of `dtype` alone."""
    if isinstance(alpha, int | float | np.number) or (
        isinstance(alpha, np.ndarray) and not alpha.shape
    ):
        return float(alpha)
    given = arrays.dtype(alpha) if arrays.is_array(alpha) else type(alpha).__name__
    if not arrays.is_array(alpha) or given in OF_COMPLEX:
        raise ArgumentTypeError(f"alpha is a real number or {arrays.library}, got {given}.")
    return alpha if given == dtype else arrays.cast(alpha, dtype)


class KernelSolver:
    """Solves (alpha + K) a = b for a, where K a is the Sum of a formula that is linear in a.

    KernelSolve(formula, aliases, varinvalias, axis=0, ...): varinvalias is the name of a among the
    aliases. A call takes an array for each alias; that in the place of a is b, (..., M, E). K must
    be symmetric and positive definite, which is not checked. Options of a call: alpha=1e-10,
    eps=1e-6, rtol, maxiter, preconditioner, report, as in `solve`; backend, device_id, ranges.
    """

    _arrays: ClassVar[Arrays]

    def __init__(
        self,
        formula: str,
        aliases: Sequence[str],
        varinvalias: str,
        axis: int = 0,
        dtype: Any = None,
        opt_arg: Any = None,
        dtype_acc: str = "auto",
        use_double_acc: bool = False,
        sum_scheme: str = "auto",
        enable_chunks: bool = True,
        rec_multVar_highdim: bool | int | None = None,
        use_fast_math: bool = True,
        cuda_type: Any = None,
    ) -> None:
        given = (dtype_acc, use_double_acc, sum_scheme, enable_chunks, rec_multVar_highdim)
        options = dict(zip(FLAGS, (*given, use_fast_math), strict=True))
        self._function = self._arrays.genred(formula, aliases, "Sum", axis=axis, **options)
        self._slot = _slot(varinvalias, aliases)
        self.formula = self._function.formula
        self.aliases = self._function.aliases
        self.varinvalias = varinvalias
        self.axis = axis

    def __call__(
        self,
        *args: Any,
        backend: str = "auto",
        device_id: int = -1,
        ranges: Sequence[Any] | None = None,
        **options: Any,
    ) -> Any:
        """The solution, an array like the argument that b is."""
        unknown = [name for name in options if name not in OPTIONS]
        if unknown:
            raise ArgumentTypeError(
                f"There is no option {unknown[0]!r}: a solve takes {', '.join(OPTIONS)}, backend, "
                "device_id and ranges."
            )
        function, slot = self._function, self._slot
        check_call(len(args), function._names, backend, function.backends)

        given = (("backend", backend), ("device_id", device_id), ("ranges", ranges))
        matrix = Product(function, slot, given)
        others = (*args[:slot], *args[slot + 1 :])
        return solve(self._arrays, matrix, others, args[slot], **options)

    def __repr__(self) -> str:
        return f"KernelSolve({self.formula!r}, {self.aliases!r}, {self.varinvalias!r})"


def _slot(name: str, aliases: Sequence[str]) -> int:
    """The position of the unknown among the arrays of a call."""
    declared = declare(aliases)
    if name in declared.names:
        return declared.names[name].slot
    slots: dict[int, Var] = dict(declared.slots)
    found = parse(name, declared.names, slots) if isinstance(name, str) and "(" in name else None
    if not isinstance(found, Var):
        raise UnknownNameError(
            f"varinvalias is the name of the unknown among the aliases, "
            f"{', '.join(declared.names) or 'none'}; got {name!r}."
        )
    return found.slot
