"""The memory that a call on a GPU works in: a result of it, so that XLA's plan has room for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backends.cuda import Launch
from ..compiler import cuda_plan
from ..errors import NoBackendError
from ..formula import Formula
from ..runtime import native
from .primitive import extents

# Of an H100 or H200: what a program is cut for that is lowered where there is no GPU. On others it
# fills them less evenly, and gives the same bits.
MULTIPROCESSORS = 132
ALIGN = 256  # bytes, of each of the parts below
PARTS = 5


def devices() -> tuple[tuple[str, int, int], ...]:
    """(name, architecture, multiprocessors) of the GPUs of this process, if there are any."""
    try:
        return native.cuda_devices()
    except NoBackendError:
        return ()


def known(extent: Any) -> int | None:
    """An extent that is a number; None for an expression."""
    return extent if isinstance(extent, int) else None


def workspace(
    formula: Formula,
    dtype: str,
    index_dtype: str,
    shapes: Sequence[tuple[Any, ...]],
    blocks: tuple[Any, Any] | None,
) -> tuple[int, Any]:
    """The multiprocessors to plan a call for, and the bytes that it takes.

    shapes: of the inputs; blocks: the lengths of the arrays of ranges. Where some of them are not
    known yet, the bytes are an expression that is no less, and the columns are not split: 0
    multiprocessors.
    """
    ranges, (batch, M, N) = blocks is not None, extents(formula, shapes)
    planned, launch = cuda_plan(formula, dtype, index_dtype, ranges, known(M))
    if all(isinstance(extent, int) for shape in (*shapes, blocks or ()) for extent in shape):
        found = devices()
        multiprocessors = found[0][2] if found else MULTIPROCESSORS
        return multiprocessors, planned.workspace_bytes(shapes, multiprocessors, blocks)
    elements = 1
    for extent in batch:
        elements = elements * extent
    return 0, _most(launch, elements, M, N, blocks or (0, 0))


def _most(launch: Launch, elements: Any, M: Any, N: Any, blocks: tuple[Any, Any]) -> Any:
    """No less than the workspace of a launch whose columns are not split."""
    tiles = M // launch.tile_rows + 1 + blocks[0]
    return (
        elements * N * launch.column_bytes
        + elements * M * (launch.state_bytes if launch.keeps_states else 0)
        + elements * tiles * launch.total_bytes
        + tiles * launch.tile_bytes
        + blocks[1] * launch.pair_bytes
        + PARTS * ALIGN
    )
