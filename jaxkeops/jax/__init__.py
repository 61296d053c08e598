"""Reductions of formulas over JAX arrays, to be transformed like any JAX function."""

from . import batching as batching, cluster as cluster, derivatives as derivatives
from .generic import (
    generic_argkmin as generic_argkmin,
    generic_argmax as generic_argmax,
    generic_argmin as generic_argmin,
    generic_kmin as generic_kmin,
    generic_logsumexp as generic_logsumexp,
    generic_max as generic_max,
    generic_min as generic_min,
    generic_sum as generic_sum,
)
from .genred import Genred as Genred
from .kernel_solve import KernelSolve as KernelSolve
from .lazy import (
    ComplexLazyTensor as ComplexLazyTensor,
    LazyTensor as LazyTensor,
    Pm as Pm,
    Vi as Vi,
    Vj as Vj,
)
from .lowering import EXPORT_CHECKS as EXPORT_CHECKS
from .pairs import reduce_pairs as reduce_pairs

__all__ = [
    "EXPORT_CHECKS",
    "ComplexLazyTensor",
    "Genred",
    "KernelSolve",
    "LazyTensor",
    "Pm",
    "Vi",
    "Vj",
    "cluster",
    "generic_argkmin",
    "generic_argmax",
    "generic_argmin",
    "generic_kmin",
    "generic_logsumexp",
    "generic_max",
    "generic_min",
    "generic_sum",
    "reduce_pairs",
]
