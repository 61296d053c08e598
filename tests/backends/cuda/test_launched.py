"""The launcher puts the CUDA texts on a driver that is fake, whose kernels an emulator runs."""

from __future__ import annotations

import ctypes
import shutil
import sys
from pathlib import Path

import fake_gpu
import fresh
import numpy as np
import pytest
from agreement import agree
from cases import CASES, GAUSSIAN
from emulation import Pattern, build
from samples import SMALL, arrays_of, program_of
from test_emulated_ranges import COLUMN_BLOCKS, ENDS, ROW_BLOCKS

from jaxkeops.backends import cuda
from jaxkeops.runtime import native

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("g++") is None, reason="builds a fake driver"
    ),
]
START = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
import test_launched
test_launched.compare(Path({folder!r}), {library!r})
"""


def test_the_launcher_and_the_texts_agree(tmp_path):
    library = fake_gpu.library()
    here = Path(__file__).parent
    text = START.format(
        paths=[str(here), str(here.parent), str(here.parent.parent), *sys.path],
        folder=str(tmp_path),
        library=library,
    )
    fresh.run(text)


def compare(folder: Path, library: str) -> None:
    """In a process whose driver is the fake one: every accumulator, batches, splits and ranges."""
    rng = np.random.default_rng(0)
    programs = [program_of(*case, "float32") for case in CASES]
    programs += [
        program_of("KMin_ArgKMin", "SqDist(x, y)", "float32", count=5),
        program_of("Sum", GAUSSIAN, "float32", over_rows=1),
    ]
    kernels = [
        (program, cuda.emit(program, SMALL, ranged)) for program in programs for ranged in (0, 1)
    ]
    gpu = fake_gpu.Gpu(library)
    blocks = tuple(np.array(part) for part in (ROW_BLOCKS, ENDS, COLUMN_BLOCKS))
    for number, emulated in enumerate(build(folder, kernels)):
        program, source, ranged = emulated.program, emulated.source, number % 2 == 1
        words = 25 + len(program.outputs) + 5 * len(program.inputs)
        for step in source.launch.steps:
            entry = getattr(emulated.library, f"{emulated.name}_{step.function}_launched")
            gpu.driver.fake_register(
                step.function.encode(),
                ctypes.cast(entry, fake_gpu.KERNEL),
                ctypes.c_size_t(8 * words),
                0,
            )
        axes = ["p" if getattr(out, "over_rows", False) else "i" for out in program.outputs]
        kernel = native.CudaKernel(
            inputs=[(given.axis, given.dim) for given in program.inputs],
            outputs=[
                (out.width, out.dtype, out.empty, axis)
                for out, axis in zip(program.outputs, axes, strict=True)
            ],
            dtype="float32",
            images={90: b"fake sm_90"},
            launch=source.launch,
            has_ranges=ranged,
        )
        for M, N, batch in ((300, 500, ()), (30, 500, (3,)), (300, 500, (2, 1)), (4, 0, ())):
            if ranged and (M, N) != (300, 500):
                continue
            arrays = [np.ascontiguousarray(a) for a in arrays_of(program, rng, M, N, batch)]
            ranges = Pattern(*blocks) if ranged else None
            expected = emulated.run(arrays, M, N, ranges=ranges)
            outputs = [np.full_like(out, -3) for out in expected]
            kernel.call_buffers(tuple(arrays), tuple(outputs), 0, blocks if ranged else None)
            agree(program, outputs, expected)
