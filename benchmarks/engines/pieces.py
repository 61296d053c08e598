"""The dense form in chunks for libraries of NumPy arrays."""

from __future__ import annotations

import numpy as np

from ..blocks import regrouped
from ..chunks import cut
from ..library import Library
from ..workload import Arrays, Workload
from . import Call


def in_pieces(workload: Workload, library: Library, arrays: Arrays) -> Call:
    """Piece by piece; a batch element by element, as these libraries know no batches."""
    pieces = cut(workload, one_by_one=True)
    batched = workload.batch is not None or workload.blocks is not None

    def call() -> np.ndarray:
        given = regrouped(workload, arrays) if workload.blocks is not None else arrays
        sliced, shared = pieces.split(given)
        made = []
        for start in range(0, pieces.length * pieces.count, pieces.length):
            piece = [a[start] if batched else a[start : start + pieces.length] for a in sliced]
            made.append(workload.compute(library, *pieces.join(piece, shared)))
        if workload.batch is not None:
            return np.stack(made)
        return np.concatenate(made)

    return call
