"""Drawn shapes: batch axes, rows of one, narrow coordinates and parameters, as NumPy broadcasts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st

from jaxkeops.formula import REDUCTIONS
from jaxkeops.numpy import LazyTensor

BATCH = (2, 3)


@st.composite
def shapes(draw):
    """Shapes (..., M, 1, D), (..., 1, N, D) and (..., 1, 1, D) of arrays that broadcast."""
    M, N, D = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    drawn = []
    for _ in range(draw(st.integers(1, 4))):
        rank = draw(st.integers(0, len(BATCH)))
        batch = [draw(st.sampled_from([1, extent])) for extent in BATCH[len(BATCH) - rank :]]
        rows = draw(st.sampled_from([(M, 1), (1, N), (1, 1)]))
        drawn.append((*batch, *rows, draw(st.sampled_from([1, D]))))
    return drawn


@settings(max_examples=60, deadline=None)
@given(
    shapes(),
    st.sampled_from(["Sum", "Max", "ArgMin", "LogSumExp"]),
    st.integers(0, 1),
    st.randoms(use_true_random=False),
)
def test_shapes_broadcast_as_those_of_numpy(drawn, name, axis, random):
    rng = np.random.default_rng(random.randrange(2**32))
    arrays = [rng.normal(size=shape) for shape in drawn]
    lazy, dense = LazyTensor(arrays[0]), arrays[0]
    for array in arrays[1:]:
        lazy, dense = lazy * array + 1, dense * array + 1
    assert lazy._shape == np.broadcast_shapes(dense.shape, (1, 1, 1))
    np.testing.assert_allclose(
        lazy.dense(), dense[..., 0] if dense.shape[-1] == 1 else dense, rtol=1e-13, atol=1e-13
    )
    values = np.swapaxes(dense, -3, -2) if axis == 0 else dense
    (expected,) = REDUCTIONS[name].value(values, None, 0)
    found = lazy.reduction(name, axis=lazy.nbatchdims + axis)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
