"""The primitive in plain XLA, for platforms without kernels and as a second opinion on them."""

from .reduce import reduce_by_xla as reduce_by_xla
