"""
The native runtime: kernels by key, their launch on threads, XLA's handlers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

class Kernel:
    """
    Compiled code and what a caller must know to run it. Never changes once made.

    `rows` and `columns` are addresses of C functions (csrc/core/kernel.h); `code` is any
    object that keeps them mapped, held as long as the kernel lives. `pair_cost` is in ns.
    Each running call of `rows` has `workspace` bytes to itself. More than `most_columns`
    reduced rows are refused. Fewer rows than `scratch_rows`, fewer columns than
    `scratch_columns`, and ranges, do without what `columns` fills, if either is not 0.

    `parts` says that `rows` can keep in its workspace what it carries from some columns,
    and merge what several calls kept: few rows then go over their columns in parts, each
    of which costs `part_cost` ns beside its pairs; many rows go over `panel` columns at a
    time, block after block, where that is not 0. Up to `few_rows` of them, where that is
    not 0, are reduced by the `rows` of the kernel of `few_key`, made of `few_text` when it
    is first needed.

    Outputs are (width E, dtype, value over no rows), and an axis: "i", the default, has
    shape (*B, M, E); "p" is summed over the kept rows, has shape (*B, E) and a float
    dtype, and the same bits for any number of threads.

    Raises ValueError if the description makes no sense.
    """

    def __init__(
        self,
        *,
        inputs: Sequence[tuple[str, int]],
        outputs: Sequence[
            tuple[int, str, float | Sequence[float]] | tuple[int, str, float | Sequence[float], str]
        ],
        dtype: str,
        rows: int,
        columns: int = 0,
        column_width: int = 0,
        column_inputs: Sequence[int] = (),
        scratch_rows: int = 0,
        scratch_columns: int = 0,
        row_block: int = 1,
        pair_cost: float = 0.2,
        workspace: int = 0,
        parts: bool = False,
        part_cost: float = 0.0,
        few_rows: int = 0,
        few_key: str = "",
        few_text: str = "",
        panel: int = 0,
        most_columns: int = 9223372036854775807,
        code: object = None,
    ) -> None: ...
    def prepare(self, rows: int) -> None:
        """Compiles what calls with so many kept rows need; else the first of them does."""

    def call_buffers(
        self,
        args: tuple[Any, ...],
        empty: Callable[[tuple[int, ...], Any], Any],
        dtypes: tuple[Any, ...],
        out: tuple[Any, ...] | None = None,
        ranges: tuple[Any, Any, Any] | None = None,
    ) -> tuple[Any, ...] | None:
        """
        The outputs, made by `empty(shape, dtypes[k])` or taken from `out`; None, and
        nothing done, if an array does not fit: not a buffer, gaps, other dtype or shape.
        ValueError for more than `most_columns`.

        `ranges` is (row_blocks, ends, column_blocks): int32 or int64, (Mc, 2), (Mc,) and
        (Mcc, 2). Rows row_blocks[k] are reduced over column_blocks[ends[k-1]:ends[k]],
        ends[-1] counting as 0; blocks are half-open. Other rows get the value over no
        rows. The same for every batch element. ValueError, before anything runs, for
        ranges that are not sound.
        """

    def call_tensors(
        self,
        args: tuple[Any, ...],
        outs: tuple[Any, ...],
        ranges: tuple[Any, Any, Any] | None = None,
    ) -> None:
        """
        Fills `outs`. All have `data_ptr()` and `shape`; that they are contiguous, on the
        CPU and of the right dtype is the caller's to check. ValueError for a wrong shape.

        `ranges` as in `call_buffers`; their `dtype` is read and checked.
        """

    def run(
        self,
        inputs: Sequence[tuple[int, tuple[int, ...]]],
        outputs: Sequence[tuple[int, tuple[int, ...]]],
        ranges: tuple[
            tuple[int, tuple[int, ...]], tuple[int, tuple[int, ...]], tuple[int, tuple[int, ...]]
        ]
        | None = None,
    ) -> None:
        """
        Fills `outputs`; all arrays are pairs (address, shape), contiguous, of the right
        dtype, which is int64 for `ranges`. ValueError for a wrong shape.
        """

    @property
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """(axis, width) of each input."""

    @property
    def outputs(self) -> tuple[tuple[int, str, float | tuple[float, ...], str], ...]:
        """(width, dtype, value over no rows, axis) of each output."""

    @property
    def dtype(self) -> str:
        """The dtype of every input."""

class CudaKernel:
    """
    Code for GPUs and what a caller must know to launch it. Never changes once made.

    `inputs`, `outputs` and `dtype` as in `Kernel`. `images` are cubins by architecture (90
    for sm_90), or PTX; without any, only `workspace_bytes` serves. `launch` and its steps
    have the attributes of jaxkeops/backends/cuda/launch.py. With `has_ranges`, every call
    has ranges.

    Raises ValueError if the description makes no sense.
    """

    def __init__(
        self,
        *,
        inputs: Sequence[tuple[str, int]],
        outputs: Sequence[
            tuple[int, str, float | Sequence[float]] | tuple[int, str, float | Sequence[float], str]
        ],
        dtype: str,
        images: Mapping[int, bytes],
        launch: Any,
        column_inputs: Sequence[int] = (),
        has_ranges: bool = False,
    ) -> None: ...
    def workspace_bytes(
        self,
        shapes: Sequence[Sequence[int]],
        multiprocessors: int,
        blocks: tuple[int, int] | None = None,
    ) -> int:
        """
        The workspace of a call on inputs of these shapes, on a device of so many
        multiprocessors; `blocks` are the lengths (Mc, Mcc) of the ranges' arrays.
        """

    def call_tensors(
        self,
        args: tuple[Any, ...],
        outs: tuple[Any, ...],
        workspace: Any,
        device: int,
        stream: int,
        ranges: tuple[Any, Any, Any] | None = None,
    ) -> None:
        """
        Puts the filling of `outs` on a stream of a device, and returns.

        All have `data_ptr()` and `shape`; that they are contiguous, on that device and of
        the right dtype is the caller's to check. `workspace` is None or a tensor of bytes;
        `stream` is the driver's handle, 0 for the default one. `ranges`, on the device too,
        are not checked but for shapes and dtype. Raises ValueError for a wrong shape,
        `DeviceError` for what the driver says.
        """

    def call_buffers(
        self,
        args: tuple[Any, ...],
        outs: tuple[Any, ...],
        device: int,
        ranges: tuple[Any, Any, Any] | None = None,
    ) -> None:
        """
        Fills `outs`: copies arrays of the host to a device, and the results back.

        C-contiguous buffers of the kernel's dtypes. Raises ValueError for what does not
        fit, MemoryError if the device has no room, `DeviceError` for what the driver says.
        """

    def load(self, device: int) -> None:
        """Loads the code on a device, which the first call would else do."""

    @property
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """(axis, width) of each input."""

    @property
    def outputs(self) -> tuple[tuple[int, str, float | tuple[float, ...], str], ...]:
        """(width, dtype, value over no rows, axis) of each output."""

    @property
    def dtype(self) -> str:
        """The dtype of every input."""

    @property
    def has_ranges(self) -> bool:
        """Whether every call has ranges."""

def cuda_devices() -> tuple[tuple[str, int, int], ...]:
    """
    (name, architecture, multiprocessors) of each GPU; 90 is sm_90.

    Starts CUDA's driver at the first call. Raises `NoBackendError` if there is none.
    """

def find_nvrtc(files: Sequence[str]) -> tuple[int, int, str, tuple[int, ...]]:
    """
    (major, minor, file, architectures) of CUDA's compiler.

    The one that is loaded already, else the first of `files` that can be opened and
    is not newer than the driver; once found, it stays. Raises `NoBackendError`.
    """

def compile_cuda(source: str, name: str, options: Sequence[str], files: Sequence[str]) -> bytes:
    """
    The cubin, or PTX, of CUDA C++. `name` stands for its file in messages, `files`
    as in `find_nvrtc`. Raises `CompileError`, with the compiler's log.
    """

def find(key: str) -> Kernel | CudaKernel | None:
    """The kernel published under `key`."""

def publish(key: str, kernel: Kernel | CudaKernel) -> Kernel | CudaKernel:
    """
    Enters a kernel, for ever; returns the one under `key`: the first that came.
    """

def find_or_compile(key: str, text: str) -> Kernel | CudaKernel:
    """
    The kernel of `key`; if there is none, what the compile hook makes of `text`.

    Threads that ask for one key at once wait for a single compilation. Raises what
    the hook raised, RuntimeError if there is no hook.
    """

def set_compile_hook(hook: Callable[[str, str], Kernel | CudaKernel] | None) -> None:
    """The function (key, text) that makes missing kernels, on any thread."""

def registrations() -> dict[str, dict[str, Any]]:
    """
    Per platform, the handlers of `jaxkeops_reduce` for jax.ffi.register_ffi_target.
    """

def types() -> dict[str, dict[str, Any]]:
    """Per platform, the handlers' state for jax.ffi.register_ffi_type."""

def ffi_api_version() -> tuple[int, int]:
    """
    (major, minor) of the XLA FFI that the handlers were built for: XLA must not be older.
    """

def num_threads() -> int:
    """How many threads work on one call."""

def set_num_threads(count: int) -> None:
    """
    From the next call on. XLA brings its own threads, which this does not change.
    """
