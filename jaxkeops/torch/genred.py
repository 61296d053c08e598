"""The PyTorch door: reductions of formulas over tensors, on CPUs and CUDA GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import ArgumentError, ArgumentTypeError
from ..frontend.genred import GenredBase, check_call
from .arguments import check_ranges
from .derivatives import Tensors
from .function import reduce_arguments
from .place import moved, place_of


class Genred(GenredBase):
    """A reduction of a formula over all pairs of rows, as a function of PyTorch tensors.

    Genred(formula, aliases, reduction_op="Sum", axis=0, ...) has the signature of
    `pykeops.torch.Genred`. With `aliases = ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"]` a call takes
    x: (M, 3), y: (N, 3), p: (1,), all of one dtype (float32, float64, float16 or bfloat16) and on
    one device, the CPU or a CUDA GPU, and gives (M, dim of the formula) for axis=1 (reduced over j)
    or (N, dim) for axis=0 (reduced over i), of that dtype. Tensors of 16 bits are computed on as
    float32. Axes before these are batch axes; they follow NumPy's rule for extents of 1. Results
    that are row numbers are int64.

    All results but row numbers have derivatives of any order, in reverse and forward mode, for
    `backward`, `torch.func` and dual tensors. Those of Min, Max and KMin are the formula's at the
    pairs found (of equals, the first), and zero where there is no pair. Every reduction works
    under `torch.func.vmap` and `torch.compile(fullgraph=True)`.

    Time M * N; memory for the result only: the (M, N) matrix is never formed. The first call of a
    formula compiles it, in tens of milliseconds. Arrays that are not contiguous are copied.
    Sums of float32 are totalled in float64, whatever `dtype_acc` and `sum_scheme` say.
    Threads may share one object.
    """

    def __call__(
        self,
        *args: torch.Tensor,
        backend: str = "auto",
        device_id: int = -1,
        ranges: Sequence[torch.Tensor] | None = None,
        out: torch.Tensor | Sequence[torch.Tensor] | None = None,
    ) -> torch.Tensor | Tensors:
        """The reduction over the rows of `args`, one tensor for each alias.

        ranges: the pairs to reduce over, by blocks: (ranges_i, slices_i, redranges_j, ranges_j,
        slices_j, redranges_i), int32 or int64, of shapes (Mc, 2), (Mc,), (Mcc, 2), and the same
        with i and j exchanged. Rows ranges_i[k], from a start to before an end, are reduced over
        the rows redranges_j[slices_i[k-1]:slices_i[k]] of j; other rows get the result over no
        row. axis=1 takes the first three, axis=0 the others; gradients take both halves, which
        must say the same. They are the same for all batch elements.
        out: a tensor of the result's shape and dtype, contiguous, that takes the result; not with
        gradients.
        backend: "auto" computes where the tensors are; on a GPU, on the current stream, and may be
        captured in a CUDA graph after a first call. "CPU", and "GPU" and the names that begin so,
        copy tensors that are elsewhere, and the results back. device_id: which GPU then, -1 for
        `jaxkeops.default_device_id`; of tensors that are on a GPU it must be theirs.
        Raises `ArgumentError` for shapes, dtypes or options that do not fit, `ArgumentTypeError`
        for what is not a tensor, `NoBackendError` for a device that is none of these or not there;
        `out` is then as it was. Numbers in ranges on a GPU are not checked: what is out of bounds
        is cut off.
        """
        home = None
        if backend != "auto" or device_id != -1:
            check_call(len(args), self._names, backend)
            place = place_of(args, backend, device_id)
            if place is not None:
                home, args = args[0].device, moved(args, place)
                ranges = ranges if ranges is None else moved(ranges, place)
        if self._accumulates:
            self._check_accumulator(args)
        blocks = () if ranges is None else check_ranges(ranges, self.axis, args)
        results = reduce_arguments(self._formula, self._names, args, blocks)
        if home is not None:
            results = moved(results, home)
        if not self._plain:
            results = self._seen(results)
        if out is not None:
            results = _write(results, out)
        return results[0] if len(results) == 1 else results

    def _seen(self, results: Tensors) -> Tensors:
        """What users see of the flat results."""
        return tuple(
            array.reshape(*array.shape[:-1], *result.tail)
            for array, result in zip(results, self._formula.results, strict=True)
            if not result.hidden
        )


def _write(results: Tensors, out: Any) -> Tensors:
    targets = tuple(out) if isinstance(out, tuple | list) else (out,)
    if len(targets) != len(results):
        raise ArgumentError(f"out must hold {len(results)} tensors, got {len(targets)}.")
    for target, result in zip(targets, results, strict=True):
        _check_out(target, result)
    for target, result in zip(targets, results, strict=True):
        target.copy_(result)
    return targets


def _check_out(out: Any, result: torch.Tensor) -> None:
    if not isinstance(out, torch.Tensor):
        raise ArgumentTypeError(f"out must be a torch.Tensor, got {type(out).__name__}.")
    if result.requires_grad or (out.requires_grad and torch.is_grad_enabled()):
        raise ArgumentError(
            "out= does not carry gradients, and a tensor here requires them. Call without out, or "
            "within torch.no_grad()."
        )
    if out.shape != result.shape or out.dtype != result.dtype or out.device != result.device:
        raise ArgumentError(
            f"out must have shape {tuple(result.shape)}, dtype {result.dtype} and device "
            f"{result.device}, got shape {tuple(out.shape)}, dtype {out.dtype} and device "
            f"{out.device}."
        )
    if not out.is_contiguous():
        raise ArgumentError("out must be contiguous.")
