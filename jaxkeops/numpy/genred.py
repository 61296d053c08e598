"""The NumPy door: reductions of formulas over arrays in the memory of this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compiler import cuda_kernel, kernel
from ..errors import ArgumentError, ArgumentTypeError
from ..frontend.genred import GenredBase, check_call, common_dtype, gpu_number
from ..frontend.ranges import NAMES, check_range_shapes, check_ranges, half
from ..frontend.shapes import Fit, fit
from ..runtime import native

native.require()

# Of ml_dtypes, which need not be there: told by name, and handed to kernels as uint16.
AS_BITS = ("bfloat16",)
INDEX = np.dtype(np.int64)


class Genred(GenredBase):
    """A reduction of a formula over all pairs of rows, as a function of NumPy arrays.

    Genred(formula, aliases, reduction_op="Sum", axis=0, ...) has the signature of
    `pykeops.numpy.Genred`. With `aliases = ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"]` a call takes
    x: (M, 3), y: (N, 3), p: (1,), all of one dtype (float32, float64, float16, or the bfloat16 of
    ml_dtypes), and gives (M, dim of the formula) for axis=1 (reduced over j) or (N, dim) for
    axis=0 (reduced over i), of that dtype. Arrays of 16 bits are computed on as float32. Axes
    before these are batch axes; they follow NumPy's rule for extents of 1. Results that are row
    numbers are int64.

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
        ranges: six integer arrays (ranges_i, slices_i, redranges_j, ranges_j, slices_j,
        redranges_i) that restrict the pairs to blocks: rows ranges_i[k] meet the columns of
        redranges_j[slices_i[k - 1]:slices_i[k]]; the last three are the same with i and j
        exchanged. axis=1 reads the first three, axis=0 the last. Rows in no block get what an
        empty reduction gives.
        backend: "auto" and "CPU" compute where the arrays are. "GPU", and the names that begin so,
        copy them to a CUDA GPU and the results back at each call: it pays where N is in the
        thousands. device_id: which GPU, -1 for `jaxkeops.default_device_id`; ignored on CPUs.
        Raises `ArgumentError` for shapes, dtypes or options that do not fit, `ArgumentTypeError`
        for what is not an array, `NoBackendError` where there is no GPU, before anything runs.
        """
        if backend in ("auto", "CPU") and ranges is None and out is None:
            first = args[0] if args else None
            ready = self._ready.get(first.dtype) if type(first) is np.ndarray else None
            if ready is not None:
                compiled, dtypes = ready
                results = compiled.call_buffers(args, np.empty, dtypes)
                if results is not None:
                    return self._shaped(results)
            elif type(first) is np.ndarray and (first.dtype, "bits") in self._ready:
                results = self._call_as_bits(args, first.dtype)
                if results is not None:
                    return self._shaped(results)
        return self._call_checked(args, backend, device_id, ranges, out)

    def _call_as_bits(
        self, args: tuple[Any, ...], dtype: np.dtype
    ) -> tuple[np.ndarray, ...] | None:
        """The fast path where the buffer protocol has no name for `dtype`; None if args misfit."""
        if not all(type(arg) is np.ndarray and arg.dtype is dtype for arg in args):
            return None
        compiled, dtypes, seen = self._ready[dtype, "bits"]
        views = tuple([arg.view(np.uint16) for arg in args])
        results = compiled.call_buffers(views, np.empty, dtypes)
        if results is None:
            return None
        return tuple([array.view(each) for array, each in zip(results, seen, strict=True)])

    def _call_checked(
        self,
        args: tuple[Any, ...],
        backend: str,
        device_id: int,
        ranges: Sequence[np.ndarray] | None,
        out: Any,
    ) -> np.ndarray | tuple[np.ndarray, ...]:
        """What the fast path did not take: arrays to complete or copy, a first call, an error."""
        check_call(len(args), self._names, backend)
        for name, arg in zip(self._names, args, strict=True):
            if not isinstance(arg, np.ndarray):
                raise ArgumentTypeError(
                    f"{name} must be a numpy.ndarray, got {type(arg).__name__}. Use "
                    "numpy.asarray, or the jaxkeops door of its library."
                )
        name = common_dtype([arg.dtype.name for arg in args], self._names)
        self._check_accumulator(args)
        dtype = np.dtype(args[0].dtype.type)  # in the machine's byte order
        fitted = fit(self._formula.inputs, [arg.shape for arg in args], self._names)
        arrays = tuple(
            np.require(arg, dtype, ["C_CONTIGUOUS", "ALIGNED"]).reshape(shape)
            for arg, shape in zip(args, fitted.arrays, strict=True)
        )
        dtypes = tuple(
            dtype if result.kind == "float" else INDEX for result in self._formula.results
        )
        if out is None:
            results = tuple(
                np.empty(fitted.result(result.width, result.axis), each)
                for result, each in zip(self._formula.results, dtypes, strict=True)
            )
        else:
            given = tuple(out) if isinstance(out, tuple | list) else (out,)
            results = self._out(given, fitted, dtypes, arrays)
        blocks = None if ranges is None else half(_integer_ranges(ranges), self.axis)
        try:
            if backend.startswith("GPU"):
                gpu = gpu_number(device_id, len(native.cuda_devices()))
                ranged = blocks is not None
                compiled = cuda_kernel(self._formula, name, ranges=ranged, M=fitted.M)
                compiled.call_buffers(_buffers(arrays), _buffers(results), gpu, blocks)
            else:
                self._run(name, dtypes, arrays, results, blocks)
        except ValueError as error:
            raise ArgumentError(str(error)) from None
        return out if out is not None else self._shaped(results)

    def _run(
        self,
        name: str,
        dtypes: tuple[np.dtype, ...],
        arrays: tuple[np.ndarray, ...],
        results: tuple[np.ndarray, ...],
        blocks: tuple[np.ndarray, ...] | None,
    ) -> None:
        """Runs on this CPU, and makes the next calls with such data quick."""
        compiled, dtype = kernel(self._formula, name), arrays[0].dtype
        # Without rows beside it, the axis of a parameter's one row would be a batch to the kernel.
        has_rows = any(given.axis != "p" for given in self._formula.inputs)
        if has_rows and name in AS_BITS:
            stored = tuple(np.dtype(np.uint16) if each == dtype else each for each in dtypes)
            self._ready[dtype, "bits"] = compiled, stored, dtypes
        elif has_rows:
            self._ready[dtype] = compiled, dtypes
        done = compiled.call_buffers(_buffers(arrays), np.empty, dtypes, _buffers(results), blocks)
        assert done is not None, (self.formula, [array.shape for array in arrays])

    def _shaped(self, results: tuple[np.ndarray, ...]) -> np.ndarray | tuple[np.ndarray, ...]:
        """What users see of the kernel's flat results."""
        if self._plain:
            return results if len(results) > 1 else results[0]
        seen = tuple(
            array.reshape(*array.shape[:-1], *result.tail)
            for array, result in zip(results, self._formula.results, strict=True)
            if not result.hidden
        )
        return seen if len(seen) > 1 else seen[0]

    def _out(
        self,
        given: tuple[Any, ...],
        fitted: Fit,
        dtypes: Sequence[np.dtype],
        arrays: Sequence[np.ndarray],
    ) -> tuple[np.ndarray, ...]:
        """The arrays that a kernel fills: those given, checked and flat, and new ones for what
        users do not see.
        """
        results = self._formula.results
        seen = [k for k, result in enumerate(results) if not result.hidden]
        if len(given) != len(seen):
            raise ArgumentError(f"out must hold {len(seen)} arrays, got {len(given)}.")
        taken = [
            np.empty(fitted.result(result.width), dtype)
            for result, dtype in zip(results, dtypes, strict=True)
            if result.hidden
        ]
        for k, array in zip(seen, given, strict=True):
            shape = (*fitted.result(0)[:-1], *results[k].tail)
            _check_out(array, shape, dtypes[k], arrays)
            taken.insert(k, array.reshape(fitted.result(results[k].width)))
        return tuple(taken)


def _buffers(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The arrays, or views of their bits where the buffer protocol has no name for the dtype."""
    return tuple(
        array.view(np.uint16) if array.dtype.name in AS_BITS else array for array in arrays
    )


def _integer_ranges(ranges: Any) -> tuple[np.ndarray, ...]:
    """The six arrays as contiguous int64, their shapes and their agreement checked."""
    arrays = []
    for name, given in zip(NAMES, check_ranges(ranges), strict=True):
        array = np.asarray(given)
        if array.dtype.kind not in "iu":
            raise ArgumentError(f"{name} holds integers, got dtype {array.dtype}.")
        arrays.append(np.ascontiguousarray(array, np.int64))
    check_range_shapes([array.shape for array in arrays])
    pairs = [_pair_count(*half(arrays, axis)) for axis in (1, 0)]
    if pairs[0] != pairs[1]:
        raise ArgumentError(
            f"The two halves of ranges are not the same pairs: {', '.join(NAMES[:3])} cover "
            f"{pairs[0]}, {', '.join(NAMES[3:])} cover {pairs[1]}. The second half is the first "
            "with i and j exchanged."
        )
    return tuple(arrays)


def _pair_count(blocks: np.ndarray, ends: np.ndarray, reduced: np.ndarray) -> int:
    """How many pairs a half covers; what is out of bounds is refused later, with its place."""
    lengths = np.concatenate([[0], np.cumsum(reduced[:, 1] - reduced[:, 0])])
    stops = np.clip(ends, 0, len(reduced))
    starts = np.concatenate([[0], stops[:-1]]).astype(np.int64)
    return int(((blocks[:, 1] - blocks[:, 0]) * (lengths[stops] - lengths[starts])).sum())


def _check_out(
    array: Any, shape: tuple[int, ...], dtype: np.dtype, arrays: Sequence[np.ndarray]
) -> None:
    if not isinstance(array, np.ndarray):
        raise ArgumentTypeError(f"out must be a numpy.ndarray, got {type(array).__name__}.")
    if array.shape != shape or array.dtype != dtype:
        raise ArgumentError(
            f"out must have shape {shape} and dtype {dtype}, got shape {array.shape} and dtype "
            f"{array.dtype}."
        )
    if not (array.flags.c_contiguous and array.flags.writeable):
        raise ArgumentError("out must be C-contiguous and writeable.")
    if any(np.may_share_memory(array, given) for given in arrays):
        raise ArgumentError("out must not share memory with an argument. Give a new array.")
