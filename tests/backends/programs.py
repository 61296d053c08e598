"""Runs programs as LLVM compiles them, through the interface of csrc/core/kernel.h."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from jaxkeops import ir
from jaxkeops.backends import llvm
from jaxkeops.ir.machine import Machine


@functools.lru_cache(maxsize=16)
def loaded(source: str, machine: Machine, symbols: tuple[str, ...]) -> llvm.Code:
    llvm.verify(source)
    return llvm.load(llvm.compile_object(source, machine), symbols)


def run(
    program: ir.Program,
    machine: Machine,
    arrays: Sequence[np.ndarray],
    M: int,
    N: int,
    parts: Sequence[int] = (),
    few: bool = False,
    resume: bool = False,
    scratch: bool = True,
) -> list[np.ndarray]:
    """The program compiled for a machine, on (rows, dim) arrays.

    parts: where columns are split, if they are; outputs over rows then need M to be one block.
    few: whether lanes are columns.
    resume: whether each part goes on from the one before, instead of being merged with it.
    scratch: whether columns have one, which only those whose values are used need.
    """
    sources = [llvm.emit(program, machine), *([llvm.emit_few(program, machine)] if few else [])]
    functions = (("rows", "columns") if program.column_width else ("rows",), ("rows",))
    codes = [
        loaded(source, machine, symbols)
        for source, symbols in zip(sources, functions, strict=False)
    ]
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    kept = np.full((N, program.column_width), np.nan, program.dtype)
    outputs = [np.full((M, out.width), -7, out.dtype) for out in program.outputs]
    pointers = [
        (ctypes.c_void_p * len(group))(*(array.ctypes.data for array in group))
        for group in (arrays, outputs)
    ]
    everything = (ctypes.c_int64 * 2)(0, N)
    over_rows = [
        k for k, out in enumerate(program.outputs) if isinstance(out, ir.Output) and out.over_rows
    ]
    partials = np.full(sum(program.outputs[k].width for k in over_rows), np.nan)
    each = llvm.workspace_bytes(program, machine)
    workspace = np.zeros(64 + each * (1 + len(parts)), np.uint8)
    call = (ctypes.c_int64 * 10)(
        M,
        N,
        ctypes.addressof(pointers[0]),
        ctypes.addressof(pointers[1]),
        kept.ctypes.data if scratch else 0,
        ctypes.addressof(everything),
        1,
        workspace.ctypes.data + -workspace.ctypes.data % 64,
        partials.ctypes.data,
    )
    if program.column_width and scratch:
        signature(codes[0].addresses["columns"])(ctypes.addressof(call), 0, N)
    rows = signature(codes[-1].addresses["rows"])
    if not parts:
        rows(ctypes.addressof(call), 0, M)
    block = 1 if few else llvm.row_block(program, machine)
    first = call[7]
    for begin in range(0, M if parts else 0, block):
        end = min(M, begin + block)
        for k, columns in enumerate(pairwise([0, *parts, N])):
            everything[:] = columns
            call[7], call[9] = first + (0 if resume else k * each), -2 if resume and k else -1
            rows(ctypes.addressof(call), begin, end)
        call[7], call[9] = first, 1 if resume else len(parts) + 1
        rows(ctypes.addressof(call), begin, end)
    for k in over_rows:
        width = program.outputs[k].width
        outputs[k], partials = partials[:width].astype(program.dtype), partials[width:]
    return outputs
