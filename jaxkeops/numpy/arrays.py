"""NumPy's arrays as lazy tensors know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..frontend.arrays import Arrays
from ..frontend.conjugate import Report, System
from . import cluster
from .genred import Genred
from .solve import solve

# A dtype takes 2 us to say its name; of the usual ones it is known.
_NAMES = {np.dtype(each): each for each in ("float32", "float64")}


class NumPyArrays(Arrays):
    library = "numpy.ndarray"
    genred = Genred

    def is_array(self, x: Any) -> bool:
        return isinstance(x, np.ndarray)

    def dtype(self, array: Any) -> str:
        return _NAMES.get(array.dtype) or array.dtype.name

    def default_dtype(self) -> str:
        return "float64"

    def argument(self, numbers: Any, dtype: str, like: Any) -> Any:
        return np.array(numbers, dtype if like is None else like.dtype, ndmin=1)

    def cast(self, array: Any, dtype: str) -> Any:
        return array.astype(dtype)

    def real_view(self, array: Any) -> Any:
        contiguous = np.ascontiguousarray(array)
        return contiguous.view(contiguous.real.dtype)

    def complex_view(self, array: Any) -> Any:
        return array.view(np.result_type(array.dtype, np.complex64))

    def known(self, integers: Any) -> Any:
        return np.asarray(integers)

    def patterns(self) -> dict[str, Callable[..., Any]]:
        return {name: getattr(cluster, name) for name in cluster.__all__}

    def solve(self, system: System) -> tuple[Any, Report]:
        return solve(system)
