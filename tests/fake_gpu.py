"""A process with two GPUs that are none: builds the fake driver, and calls it through ctypes."""

from __future__ import annotations

import atexit
import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from jaxkeops.backends.cuda import Launch, Step
from jaxkeops.runtime import native

SOURCES = Path(__file__).parent / "cpp"
INPUTS, OUTPUTS, AXES = 3, 1, 4
TILE_ROWS, TILE_COLUMNS = 8, 16
IMAGES = {80: b"fake sm_80", 90: b"fake sm_90"}

KERNEL = ctypes.CFUNCTYPE(
    None,
    ctypes.POINTER(ctypes.c_uint),
    ctypes.POINTER(ctypes.c_uint),
    ctypes.c_uint,
    ctypes.c_void_p,
)


class Counts(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_long)
        for name in [
            "launches",
            "loads",
            "unloads",
            "contexts",
            "streams_asked",
            "synchronizations",
            "allocations",
            "live_bytes",
        ]
    ]


class Call(ctypes.Structure):
    """The parameter of a kernel of three inputs and one output, see docs/design/cuda.md."""

    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in ["M", "N", "elements", "tiles", "splits", "split_columns"]
        ),
        ("extents", ctypes.c_int64 * AXES),
        ("scratch_strides", ctypes.c_int64 * AXES),
        *(
            (name, ctypes.c_uint64)
            for name in ["scratch", "states", "totals", "range_tiles", "range_pairs"]
        ),
        *((name, ctypes.c_int64) for name in ["range_blocks", "range_columns", "range_bytes"]),
        *((name, ctypes.c_uint64) for name in ["row_blocks", "ends", "column_blocks"]),
        ("outputs", ctypes.c_uint64 * OUTPUTS),
        ("inputs", ctypes.c_uint64 * INPUTS),
        ("strides", (ctypes.c_int64 * AXES) * INPUTS),
    ]


@cache
def library() -> str:
    """The fake driver, under the name of the real one; compiled once for a process."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = str(Path(folder, "libcuda.so.1"))
    flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]
    sources = [str(SOURCES / name) for name in ("fake_cuda.cpp", "fake_memory.cpp")]
    subprocess.run(["g++", *flags, *sources, "-o", file], check=True)
    return file


def numbers(address: int, dtype: str, *shape: int) -> np.ndarray:
    """The array at an address, as it lies there."""
    count = int(np.prod(shape))
    pointer = ctypes.cast(address, ctypes.POINTER(np.ctypeslib.as_ctypes_type(np.dtype(dtype))))
    return np.ctypeslib.as_array(pointer, (count,)).reshape(shape)


class Gpu:
    """The fake driver, and the kernel out_i = sum_j x_i y_j p, in float32, run by NumPy."""

    def __init__(self, library: str) -> None:
        self.driver = ctypes.CDLL(library)
        self.driver.fake_counts.restype = Counts
        self.driver.fake_stream.restype = ctypes.c_void_p
        self.calls: list[tuple[str, tuple[int, int]]] = []
        self.kept = [KERNEL(self._part), KERNEL(self._combine), KERNEL(self._fill)]
        for name, kernel in zip((b"part", b"combine", b"fill"), self.kept, strict=True):
            self.driver.fake_register(name, kernel, ctypes.c_size_t(ctypes.sizeof(Call)), 0)

    def counts(self) -> Counts:
        return self.driver.fake_counts()

    def fail(self, entry_point: str, result: int) -> None:
        """The next call of an entry point of the driver fails."""
        self.driver.fake_fail(entry_point.encode(), result)

    def _enter(self, name: str, grid: ctypes._Pointer, parameter: int) -> Call:
        self.calls.append((name, (grid[0], grid[1])))
        return Call.from_address(parameter)

    def _part(self, grid: ctypes._Pointer, _block: object, _shared: int, parameter: int) -> None:
        call = self._enter("part", grid, parameter)
        states = numbers(call.states, "float32", call.splits, call.elements, call.M)
        for element in range(call.elements):
            x, y, p = (self._input(call, k, element) for k in range(INPUTS))
            for split in range(call.splits):
                columns = y[split * call.split_columns : (split + 1) * call.split_columns]
                states[split, element] = x[:, 0] * (p[0] * columns).sum()

    def _combine(self, grid: ctypes._Pointer, _block: object, _shared: int, parameter: int) -> None:
        call = self._enter("combine", grid, parameter)
        states = numbers(call.states, "float32", call.splits, call.elements, call.M)
        numbers(call.outputs[0], "float32", call.elements, call.M)[:] = states.sum(0)

    def _fill(self, grid: ctypes._Pointer, _block: object, _shared: int, parameter: int) -> None:
        call = self._enter("fill", grid, parameter)
        numbers(call.outputs[0], "float32", call.elements, call.M)[:] = -1.5

    @staticmethod
    def _input(call: Call, k: int, element: int) -> np.ndarray:
        address = call.inputs[k]
        for axis in reversed(range(AXES)):
            element, index = divmod(element, call.extents[axis])
            address += index * call.strides[k][axis]
        rows = (call.M, call.N, 1)[k]
        return numbers(address, "float32", rows, 1)


LAUNCH = Launch(
    steps=(
        Step("part", "tiles", 32),
        Step("combine", "rows", 32),
        Step("fill", "rows", 32, when="empty"),
    ),
    tile_rows=TILE_ROWS,
    tile_columns=TILE_COLUMNS,
    wave_blocks=8,
    state_bytes=4,
    keeps_states=True,
)


def make_kernel(**changes: object) -> native.CudaKernel:
    return native.CudaKernel(
        **{
            "inputs": [("i", 1), ("j", 1), ("p", 1)],
            "outputs": [(1, "float32", -1.5)],
            "dtype": "float32",
            "images": IMAGES,
            "launch": LAUNCH,
        }
        | changes
    )


@dataclass
class Tensor:
    """What a kernel asks of a tensor."""

    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def data_ptr(self) -> int:
        return self.array.ctypes.data


def arrays(M: int, N: int, batch: tuple[int, ...] = ()) -> tuple[np.ndarray, ...]:
    """x, y, p and a place for the result; x and y in batches, p repeated."""
    rng = np.random.default_rng(0)
    shapes = ((*batch, M, 1), (*batch, N, 1), (*(1 for _ in batch), 1))
    given = [rng.uniform(0.5, 1.5, shape).astype("float32") for shape in shapes]
    return (*given, np.full((*batch, M, 1), np.nan, "float32"))


def is_right(x: np.ndarray, y: np.ndarray, p: np.ndarray, out: np.ndarray) -> bool:
    """All terms are positive, so N of them err by at most N eps, relatively."""
    N = y.shape[-2]
    exact = (x.astype("float64") * np.swapaxes(y, -1, -2) * p[..., None]).sum(-1, keepdims=True)
    expected = exact if N else np.full(out.shape, -1.5)
    return np.allclose(out, expected, rtol=max(N, 4) * 2.0**-23, atol=0)
