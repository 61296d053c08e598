"""How a dense form is cut into pieces that fit a cache, the same way for every library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .blocks import kept_blocks
from .workload import Workload

# Entries of a piece of the (M, N) matrix: 500 rows of 10000 were the quickest of 100 to 1000 rows
# for jnp and PyTorch in D=3, on a core with 1 MiB of cache.
PIECE = 5_000_000


@dataclass(frozen=True)
class Cut:
    """Which arguments are cut in pieces along their first axis, and how long a piece is.

    Rows that the result keeps, or, of a batch, all arrays along the batch axis.
    """

    sliced: tuple[bool, ...]
    length: int
    count: int  # pieces

    def join(self, pieces: Sequence[Any], shared: Sequence[Any]) -> list[Any]:
        """The arguments in their order."""
        sources = {True: iter(pieces), False: iter(shared)}
        return [next(sources[sliced]) for sliced in self.sliced]

    def split(self, arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """What is cut, and what every piece sees whole."""
        chosen = list(zip(self.sliced, arrays, strict=True))
        return [a for sliced, a in chosen if sliced], [a for sliced, a in chosen if not sliced]


def cut(workload: Workload, one_by_one: bool = False) -> Cut:
    """Pieces of PIECE entries at most; one_by_one: a batch in pieces of one element.

    Block-sparse arrays are cut as the batch that `regrouped` makes of them.
    """
    M, N = workload.rows
    batch = workload.batch
    if workload.blocks is not None:
        batch = len(kept_blocks(workload))
        M, N = workload.blocks.size, workload.blocks.size * workload.blocks.kept
    if batch is not None:
        sliced = tuple(each.axis != "p" for each in workload.arguments)
        total, entries = batch, M * N
    else:
        sliced = tuple(each.axis == workload.kept for each in workload.arguments)
        total, entries = (M, N) if workload.axis == 1 else (N, M)
    most = 1 if one_by_one and batch is not None else PIECE // (entries * workload.width)
    length = max(size for size in range(1, max(most, 1) + 1) if total % size == 0)
    return Cut(sliced, length, total // length)
