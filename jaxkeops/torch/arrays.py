"""PyTorch's tensors as lazy tensors know them, and PyTorch's functions of lazy tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..frontend.arrays import Arrays
from ..frontend.conjugate import Report, System
from ..frontend.lazy import apply_function
from . import cluster
from .genred import Genred
from .op import DTYPES, FLOAT_NAMES
from .solve import solve


class TorchArrays(Arrays):
    library = "torch.Tensor"
    genred = Genred

    def is_array(self, x: Any) -> bool:
        return isinstance(x, torch.Tensor)

    def dtype(self, array: Any) -> str:
        return FLOAT_NAMES.get(array.dtype) or str(array.dtype).removeprefix("torch.")

    def default_dtype(self) -> str:
        return str(torch.get_default_dtype()).removeprefix("torch.")

    def argument(self, numbers: Any, dtype: str, like: Any) -> Any:
        device = None if like is None else like.device
        if isinstance(numbers, float):
            return torch.full((1,), numbers, dtype=DTYPES[dtype], device=device)
        return torch.tensor(numbers, dtype=DTYPES[dtype], device=device)

    def cast(self, array: Any, dtype: str) -> Any:
        return array.to(DTYPES[dtype])

    def real_view(self, array: Any) -> Any:
        return torch.view_as_real(array.resolve_conj()).flatten(-2)

    def complex_view(self, array: Any) -> Any:
        return torch.view_as_complex(array.unflatten(-1, (-1, 2)))

    def known(self, integers: Any) -> Any:
        return torch.as_tensor(integers).cpu().numpy()

    def patterns(self) -> dict[str, Callable[..., Any]]:
        return {name: getattr(cluster, name) for name in cluster.__all__}

    def solve(self, system: System) -> tuple[Any, Report]:
        return solve(system)


def torch_function(
    cls: type,
    function: Callable[..., Any],
    types: Sequence[type],
    args: tuple[Any, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Any:
    """What PyTorch asks where a lazy tensor is an argument of one of its functions."""
    return apply_function(function.__name__, args, options or {})
