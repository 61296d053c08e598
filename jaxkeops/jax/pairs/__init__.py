"""Plain JAX functions of one pair, reduced over all pairs: traced, and translated to formulas."""

from . import (
    contraction as contraction,
    control as control,
    custom as custom,
    elementwise as elementwise,
    fold as fold,
    layout as layout,
)
from .call import reduce_pairs as reduce_pairs

__all__ = ["reduce_pairs"]
