"""Reductions of formulas over PyTorch tensors: a drop-in replacement of `pykeops.torch`."""

from . import cluster as cluster
from .genred import Genred as Genred

__all__ = ["Genred", "cluster"]
