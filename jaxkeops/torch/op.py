"""The one operation that PyTorch sees, `torch.ops.jaxkeops.reduce`: kernels and shapes.

A call names its formula by text, so an exported program carries all that it needs: a process that
imports `jaxkeops.torch` can run it. Derivatives are in `derivatives.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from ..compiler import cuda_kernel, kernel
from ..dtypes import FLOATS
from ..errors import ArgumentError
from ..formula import Formula, formula_of
from ..frontend.genred import common_dtype
from ..frontend.ranges import NAMES
from ..frontend.shapes import Shape, align
from ..runtime import native

native.require()

FLOAT_NAMES = {getattr(torch, name): name for name in FLOATS}
INDEX = torch.int64  # row numbers, as everywhere in PyTorch
DTYPES = {name: dtype for dtype, name in FLOAT_NAMES.items()} | {"int64": INDEX}

LIBRARY = torch.library.Library("jaxkeops", "DEF")
# ranges: none, or the six arrays, first those of the kept rows: the derivatives need the others.
LIBRARY.define("reduce(str formula, Tensor[] args, Tensor[] ranges) -> Tensor[]")


@lru_cache(maxsize=4096)
def _plan(
    text: str, dtype: torch.dtype, shapes: tuple[Shape, ...]
) -> tuple[native.Kernel, tuple[tuple[Shape, torch.dtype], ...]]:
    """The kernel for arrays of these shapes, with the shape and dtype of each result."""
    formula = formula_of(text)
    compiled = kernel(formula, FLOAT_NAMES[dtype])
    return compiled, _results(formula, compiled, shapes)


def _results(
    formula: Formula, compiled: native.Kernel | native.CudaKernel, shapes: tuple[Shape, ...]
) -> tuple[tuple[Shape, torch.dtype], ...]:
    fitted = align(formula.inputs, shapes, _labels(len(shapes)))
    return tuple(
        (fitted.result(result.width, result.axis), DTYPES[output[1]])
        for result, output in zip(formula.results, compiled.outputs, strict=True)
    )


def _labels(count: int) -> list[str]:
    return [f"argument {slot}" for slot in range(count)]


def _run(
    text: str, args: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    dtype = args[0].dtype
    if not all(arg.dtype is dtype for arg in args):  # addresses alone do not tell
        common_dtype([str(arg.dtype).removeprefix("torch.") for arg in args], _labels(len(args)))
    inputs = tuple([arg.contiguous() for arg in args])
    shapes = tuple([arg.shape for arg in inputs])
    compiled, results = _plan(text, dtype, shapes)
    outputs = [torch.empty(shape, dtype=dtype) for shape, dtype in results]
    if ranges:
        _run_on_ranges(compiled, inputs, tuple(outputs), ranges)
    else:
        compiled.call_tensors(inputs, tuple(outputs))
    return outputs


def _run_on_ranges(
    compiled: native.Kernel,
    inputs: tuple[torch.Tensor, ...],
    outputs: tuple[torch.Tensor, ...],
    ranges: Sequence[torch.Tensor],
) -> None:
    row_blocks, ends, column_blocks = (array.contiguous() for array in ranges[:3])
    try:
        compiled.call_tensors(inputs, outputs, (row_blocks, ends, column_blocks))
    except ValueError as error:
        raise ArgumentError(str(error)) from None


LIBRARY.impl("reduce", _run, "CPU")


@lru_cache(maxsize=4096)
def _cuda_plan(
    text: str,
    dtype: torch.dtype,
    shapes: tuple[Shape, ...],
    blocks: tuple[int, int] | None,
    device: int,
) -> tuple[native.CudaKernel, tuple[tuple[Shape, torch.dtype], ...], int]:
    """The same for a GPU, and the bytes of workspace; `blocks` are the lengths of ranges."""
    formula = formula_of(text)
    M = align(formula.inputs, shapes, _labels(len(shapes))).M
    compiled = cuda_kernel(formula, FLOAT_NAMES[dtype], ranges=blocks is not None, M=M)
    _, _, multiprocessors = native.cuda_devices()[device]
    size = compiled.workspace_bytes(shapes, multiprocessors, blocks)
    return compiled, _results(formula, compiled, shapes), size


def _run_on_cuda(
    text: str, args: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Puts the reduction on the current stream. Memory is PyTorch's, so graphs may capture it."""
    dtype, place = args[0].dtype, args[0].device
    _require_one_device(args, ranges)
    if not all(arg.dtype is dtype for arg in args):
        common_dtype([str(arg.dtype).removeprefix("torch.") for arg in args], _labels(len(args)))
    inputs = tuple([arg.contiguous() for arg in args])
    shapes = tuple([tuple(arg.shape) for arg in inputs])
    three = _of_one_dtype([array.contiguous() for array in ranges[:3]])
    blocks = (three[1].shape[0], three[2].shape[0]) if three else None
    device = place.index or 0
    compiled, results, size = _cuda_plan(text, dtype, shapes, blocks, device)
    outputs = [torch.empty(shape, dtype=dtype, device=place) for shape, dtype in results]
    workspace = torch.empty(size, dtype=torch.uint8, device=place) if size else None
    stream = torch.cuda.current_stream(place).cuda_stream
    try:
        compiled.call_tensors(inputs, tuple(outputs), workspace, device, stream, three or None)
    except ValueError as error:
        raise ArgumentError(str(error)) from None
    return outputs


def _of_one_dtype(arrays: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Arrays of integers as a kernel for GPUs reads them."""
    if all(array.dtype is arrays[0].dtype for array in arrays):
        return tuple(arrays)
    return tuple([array.to(INDEX) for array in arrays])


def _require_one_device(args: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor]) -> None:
    """Exported programs come here unchecked, and a kernel must not read another device's memory."""
    place = args[0].device
    for slot, tensor in enumerate((*args, *ranges[:3])):
        if tensor.device != place:
            name = f"argument {slot}" if slot < len(args) else NAMES[slot - len(args)]
            raise ArgumentError(
                f"All arrays must be on one device: argument 0 is on {place}, {name} on "
                f"{tensor.device}. Move one of them."
            )


LIBRARY.impl("reduce", _run_on_cuda, "CUDA")


@torch.library.register_fake("jaxkeops::reduce", lib=LIBRARY)
def _shapes_only(
    text: str, args: Sequence[torch.Tensor], ranges: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    formula = formula_of(text)
    fitted = align(formula.inputs, [tuple(arg.shape) for arg in args], _labels(len(args)))
    return [
        args[0].new_empty(
            fitted.result(result.width, result.axis),
            dtype=INDEX if result.kind == "index" else args[0].dtype,
        )
        for result in formula.results
    ]


run_op = torch.ops.jaxkeops.reduce.default
