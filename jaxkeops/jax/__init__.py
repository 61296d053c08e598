"""Reductions of formulas over JAX arrays, to be transformed like any JAX function."""

from . import batching as batching, cluster as cluster, derivatives as derivatives
from .genred import Genred as Genred
from .lazy import (
    ComplexLazyTensor as ComplexLazyTensor,
    LazyTensor as LazyTensor,
    Pm as Pm,
    Vi as Vi,
    Vj as Vj,
)
from .lowering import EXPORT_CHECKS as EXPORT_CHECKS

__all__ = [
    "EXPORT_CHECKS",
    "ComplexLazyTensor",
    "Genred",
    "LazyTensor",
    "Pm",
    "Vi",
    "Vj",
    "cluster",
]
