"""CUDA texts compiled by the host's C++ compiler, and launched as docs/design/cuda.md says."""

from __future__ import annotations

import ctypes
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxkeops import ir
from jaxkeops.backends import cuda
from jaxkeops.dtypes import DTYPES, FLOATS
from jaxkeops.ir import Output, Program

HERE = Path(__file__).parent
COMPILER = "g++"
# Two libraries of one process must not share what has the same name: -fno-gnu-unique.
FLAGS = [
    "-fno-gnu-unique",
    "-fvisibility=hidden",
    "-std=c++17",
    "-shared",
    "-fPIC",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-w",
]
BATCH_AXES = 4


@dataclass(frozen=True)
class Pattern:
    """The arrays of ranges, of an integer dtype: see docs/ranges.md."""

    row_blocks: np.ndarray
    ends: np.ndarray
    column_blocks: np.ndarray


@dataclass(frozen=True)
class Emulated:
    """One text in a compiled library."""

    program: Program
    source: cuda.Source
    library: ctypes.CDLL
    name: str

    def run(
        self,
        arrays: Sequence[np.ndarray],
        M: int,
        N: int,
        *,
        splits: int = 1,
        order: int = 0,
        ranges: Pattern | None = None,
    ) -> list[np.ndarray]:
        """The outputs; inputs are (*B, rows, dim), or (*B, dim) for a parameter."""
        launch = self.source.launch
        batch = _batch(self.program, arrays)
        elements = int(np.prod(batch))
        tiles = max(-(-M // launch.tile_rows), 1)
        blocks, columns = (
            (0, 0) if ranges is None else map(len, (ranges.ends, ranges.column_blocks))
        )
        tiles += blocks
        tiles_of_columns = -(-N // launch.tile_columns)
        split_columns = -(-tiles_of_columns // splits) * launch.tile_columns
        outputs = [_output(output, batch, M) for output in self.program.outputs]
        states = splits if splits > 1 or launch.keeps_states else 0
        # Noise: nothing may rely on a clean workspace.
        scratches = elements if self.source.column_inputs else 1
        workspace = [
            np.full(size, 0xA5, np.uint8)
            for size in (
                scratches * N * launch.column_bytes,
                states * elements * M * launch.state_bytes,
                elements * tiles * launch.total_bytes,
                tiles * launch.tile_bytes if ranges else 0,
                columns * launch.pair_bytes,
            )
        ]
        patterns = () if ranges is None else (ranges.row_blocks, ranges.ends, ranges.column_blocks)
        words = [M, N, elements, tiles, splits, split_columns]
        words += [1] * (BATCH_AXES - len(batch)) + list(batch)
        # No two batch elements share a scratch, unless there is one for all.
        shares = [int(np.prod(batch[axis + 1 :])) for axis in range(len(batch))]
        words += [0] * (BATCH_AXES - len(batch)) + (shares if scratches > 1 else [0] * len(batch))
        words += [array.ctypes.data if array.size else 0 for array in workspace]
        words += [blocks, columns, ranges.ends.itemsize if ranges else 0]
        words += [array.ctypes.data for array in patterns] or [0, 0, 0]
        words += [array.ctypes.data for array in outputs]
        words += [array.ctypes.data for array in arrays]
        for given, array in zip(self.program.inputs, arrays, strict=True):
            words += _strides(array, 1 if given.axis == "p" else 2)
        call = np.array(words, np.int64)
        empty = 0 in (M, N) or (ranges is not None and columns == 0)
        sizes = {
            "tiles": elements * tiles,
            "rows": elements * tiles,
            "columns": scratches,
            "elements": elements,
            "once": 1,
        }
        for step in launch.steps:
            wanted = {"always": not empty, "split": not empty and splits > 1, "empty": empty}
            if wanted[step.when]:
                blocks_x = sizes[step.grid]
                if step.grid == "columns":
                    blocks_x *= -(-N // step.threads)
                function = getattr(self.library, f"{self.name}_{step.function}")
                failed = function(
                    ctypes.c_void_p(call.ctypes.data),
                    ctypes.c_uint(blocks_x),
                    ctypes.c_uint(splits if step.grid == "tiles" else 1),
                    ctypes.c_uint(step.threads),
                    ctypes.c_size_t(step.shared_bytes),
                    ctypes.c_int(order),
                )
                assert not failed, ("shared memory", "deadlock")[failed - 1]
        return outputs


def build(
    folder: Path,
    kernels: Sequence[tuple[Program, cuda.Source]],
    flags: Sequence[str] = ("-O1",),
) -> list[Emulated]:
    """All kernels in one library, for one run of the compiler; the folder is for it alone."""
    parts = [f'#include "{HERE / "emulator.h"}"']
    for number, (_, source) in enumerate(kernels):
        body = source.text.removeprefix(cuda.prelude())
        assert body != source.text
        parts.append(f"namespace kernel_{number} {{\n{body}\n}}")
        for function in sorted({step.function for step in source.launch.steps}):
            parts.append(f"EXPORT(kernel_{number}, {function})")
    file = folder / "kernels.cpp"
    file.write_text("\n".join(parts))
    machine = ["-mfma", "-mf16c"] if platform.machine() == "x86_64" else []
    library = folder / "kernels.so"
    command = [COMPILER, *FLAGS, *machine, *flags, str(file), "-o", str(library)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[:5000]
    loaded = ctypes.CDLL(str(library))
    return [
        Emulated(program, source, loaded, f"kernel_{number}")
        for number, (program, source) in enumerate(kernels)
    ]


def _batch(program: Program, arrays: Sequence[np.ndarray]) -> tuple[int, ...]:
    axes = [
        array.shape[: -1 if given.axis == "p" else -2]
        for given, array in zip(program.inputs, arrays, strict=True)
    ]
    return np.broadcast_shapes(*axes)


def _strides(array: np.ndarray, own_axes: int) -> list[int]:
    """In bytes, along the batch axes; 0 where an extent is repeated."""
    strides = [
        0 if extent == 1 else stride
        for extent, stride in zip(array.shape, array.strides, strict=True)
    ][:-own_axes]
    return [0] * (BATCH_AXES - len(strides)) + strides


def _output(output: ir.Output | ir.ListOutput, batch: tuple[int, ...], M: int) -> np.ndarray:
    over_rows = isinstance(output, Output) and output.over_rows
    shape = (*batch, output.width) if over_rows else (*batch, M, output.width)
    dtype = np.dtype(output.dtype)
    assert dtype.itemsize == DTYPES[output.dtype].bytes
    return np.full(shape, -7, dtype)


def eps_of(program: Program) -> float:
    """The distance from 1 to the next number of the dtype that the program computes in."""
    return FLOATS[program.dtype].eps
