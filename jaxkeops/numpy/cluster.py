"""Ranges for block-sparse reductions over NumPy arrays: six int64 arrays from each function."""

from ..frontend.patterns import (
    block_mask as block_mask,
    causal as causal,
    from_matrix as from_matrix,
    segment_ids as segment_ids,
    swap_axes as swap_axes,
    window as window,
)

__all__ = ["block_mask", "causal", "from_matrix", "segment_ids", "swap_axes", "window"]
