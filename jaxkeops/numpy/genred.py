"""The NumPy door: reductions of formulas over arrays in the memory of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compiler import kernel
from ..errors import ArgumentError, ArgumentTypeError
from ..frontend.genred import GenredBase, check_call, common_dtype
from ..frontend.shapes import fit


class Genred(GenredBase):
    """A reduction of a formula over all pairs of rows, as a function of NumPy arrays.

    Genred(formula, aliases, reduction_op="Sum", axis=0, ...) has the signature of
    `pykeops.numpy.Genred`. With `aliases = ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"]` a call takes
    x: (M, 3), y: (N, 3), p: (1,), all float32 or all float64, and gives (M, dim of the formula)
    for axis=1 (reduced over j) or (N, dim) for axis=0 (reduced over i). Axes before these are
    batch axes; they follow NumPy's rule for extents of 1. Results that are row numbers are int64.

    Time M * N; memory for the result only: the (M, N) matrix is never formed. The first call of a
    formula compiles it, in tens of milliseconds. Arrays that are not contiguous are copied.
    Sums of float32 are totalled in float64, whatever `dtype_acc` and `sum_scheme` say.
    Threads may share one object.
    """

    def __call__(
        self,
        *args: np.ndarray,
        backend: str = "auto",
        device_id: int = -1,
        ranges: Sequence[np.ndarray] | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray | tuple[np.ndarray, ...]:
        """The reduction over the rows of `args`, one array for each alias.

        out: an array of the result's shape and dtype, C-contiguous, that takes the result.
        device_id is accepted and ignored on CPUs. Raises `ArgumentError` for shapes, dtypes or
        options that do not fit, `ArgumentTypeError` for what is not an array, before anything
        runs.
        """
        if backend not in ("auto", "CPU") or ranges is not None or out is not None:
            return self._call_with_options(args, backend, ranges, out)
        results = self._run(args)
        return results if len(results) > 1 else results[0]

    def _run(self, args: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
        first = args[0] if args else None
        if type(first) is np.ndarray:
            ready = self._ready.get(first.dtype)
            if ready is not None:
                compiled, dtypes = ready
                results = compiled.call_buffers(args, np.empty, dtypes)
                if results is not None:
                    return results
        return self._run_checked(args, None)

    def _run_checked(
        self, args: tuple[Any, ...], out: tuple[np.ndarray, ...] | None
    ) -> tuple[np.ndarray, ...]:
        """What the fast path did not take: arrays to complete or copy, a first call, an error."""
        for name, arg in zip(self._names, args, strict=False):
            if not isinstance(arg, np.ndarray):
                raise ArgumentTypeError(
                    f"{name} must be a numpy.ndarray, got {type(arg).__name__}. Use "
                    "numpy.asarray, or the jaxkeops door of its library."
                )
        check_call(len(args), self._names, "auto", None)
        dtype = common_dtype([arg.dtype.name for arg in args], self._names)
        fitted = fit(self._formula.inputs, [arg.shape for arg in args], self._names)
        arrays = tuple(
            np.require(arg, np.dtype(dtype), ["C_CONTIGUOUS", "ALIGNED"]).reshape(shape)
            for arg, shape in zip(args, fitted.arrays, strict=True)
        )
        compiled = kernel(self._formula, dtype)
        dtypes = tuple(np.dtype(output[1]) for output in compiled.outputs)
        self._ready[np.dtype(dtype)] = compiled, dtypes
        if out is not None:
            _check_out(out, [fitted.result(o[0]) for o in compiled.outputs], dtypes, arrays)
        results = compiled.call_buffers(arrays, np.empty, dtypes, out)
        assert results is not None, (self.formula, [array.shape for array in arrays])
        return results

    def _call_with_options(
        self,
        args: tuple[Any, ...],
        backend: str,
        ranges: Sequence[np.ndarray] | None,
        out: Any,
    ) -> np.ndarray | tuple[np.ndarray, ...]:
        check_call(len(args), self._names, backend, ranges)
        wanted = None
        if out is not None:
            wanted = tuple(out) if isinstance(out, tuple | list) else (out,)
        results = self._run_checked(args, wanted)
        return results if len(results) > 1 else results[0]


def _check_out(
    out: tuple[Any, ...],
    shapes: Sequence[tuple[int, ...]],
    dtypes: Sequence[np.dtype],
    arrays: Sequence[np.ndarray],
) -> None:
    if len(out) != len(shapes):
        raise ArgumentError(f"out must hold {len(shapes)} arrays, got {len(out)}.")
    for array, shape, dtype in zip(out, shapes, dtypes, strict=True):
        if not isinstance(array, np.ndarray):
            raise ArgumentTypeError(f"out must be a numpy.ndarray, got {type(array).__name__}.")
        if array.shape != shape or array.dtype != dtype:
            raise ArgumentError(
                f"out must have shape {shape} and dtype {dtype}, got shape {array.shape} and "
                f"dtype {array.dtype}."
            )
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ArgumentError("out must be C-contiguous and writeable.")
        if any(np.may_share_memory(array, given) for given in arrays):
            raise ArgumentError("out must not share memory with an argument. Give a new array.")
