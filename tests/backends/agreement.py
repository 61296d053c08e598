"""Whether what a backend computes is what the interpreter does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxkeops.dtypes import FLOATS
from jaxkeops.ir import Program


def agree(
    program: Program,
    results: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    *,
    units: float = 32,
    ties: float = 0.0,
) -> None:
    """Asserts that the outputs of `program` are `expected`, but for roundings.

    units: how many units in the last place of the greatest number a number may be off. Terms are
    of order 1 to 10 and of one sign or nearly so, so errors are relative to the result.
    ties: which part of the row numbers may differ, where values are equal once rounded.
    """
    tolerance = units * FLOATS[program.dtype].eps
    for result, right, output in zip(results, expected, program.outputs, strict=True):
        assert result.shape == right.shape
        if output.dtype in ("int32", "int64"):
            assert (result != right).mean() <= ties
        else:
            scale = np.abs(right[np.isfinite(right)]).max(initial=0.0)
            np.testing.assert_allclose(result, right, rtol=tolerance, atol=tolerance * scale)
