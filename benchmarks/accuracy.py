"""How wrong a result of a workload is, against its dense form in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from .blocks import kept_blocks, regrouped
from .library import DENSE
from .workload import NEAREST, Arrays, Workload

SAMPLE = 64  # rows that are compared


def flat(result: Any) -> Arrays:
    """The results of an engine as NumPy arrays, always a tuple."""
    results = result if isinstance(result, tuple | list) else (result,)
    return tuple(np.asarray(each) for each in results)


def error(workload: Workload, result: Any, arrays: Arrays) -> float:
    """The greatest error over the greatest value, on 64 rows, against float64.

    Of several results the worst. For neighbours: how much farther those found are.
    """
    wide = tuple(array.astype(np.float64) for array in arrays)
    results = flat(result)
    if workload.reference is not None:
        rows = _sample(len(wide[1]))
        expected = workload.reference(rows, *wide)
        taken = [
            a if a.shape == e.shape else a[rows] for a, e in zip(results, expected, strict=True)
        ]
        return max(map(_relative, taken, expected))
    if workload.blocks is not None:
        batched = replace(workload, blocks=None, batch=len(kept_blocks(workload)))
        shape = (batched.batch, workload.blocks.size, -1)
        return error(batched, results[0].reshape(shape), regrouped(workload, arrays))
    found, expected = [], []
    for part, given in _samples(workload, results[0], wide):
        values = workload.dense(DENSE, *given)
        if workload.reduction in NEAREST:
            count = workload.count or 1
            part = np.sort(np.take_along_axis(values, part.astype(np.int64), -1), -1)
            values = np.sort(values, -1)[..., :count]
        found.append(part)
        expected.append(values)
    return _relative(np.concatenate(found), np.concatenate(expected))


def _sample(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int))


def _samples(
    workload: Workload, result: np.ndarray, arrays: Arrays
) -> Iterator[tuple[np.ndarray, Arrays]]:
    """Row by row of the sample: that row of the result, and the arrays that it is made of."""
    kept, rows = workload.kept, result.shape[-2]
    for k in _sample((workload.batch or 1) * rows):
        which, row = divmod(int(k), rows)
        given = []
        for each, array in zip(workload.arguments, arrays, strict=True):
            if each.axis != "p" and workload.batch is not None:
                array = array[which]
            given.append(array[row : row + 1] if each.axis == kept else array)
        yield result.reshape(-1, rows, result.shape[-1])[which, row : row + 1], tuple(given)


def _relative(result: np.ndarray, expected: np.ndarray) -> float:
    assert result.shape == expected.shape, (result.shape, expected.shape)
    return float(np.abs(result - expected).max() / np.abs(expected).max())
