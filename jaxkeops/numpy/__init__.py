"""Reductions of formulas over NumPy arrays: a drop-in replacement of `pykeops.numpy`."""

from . import cluster as cluster, utils as utils
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

__all__ = [
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
]
