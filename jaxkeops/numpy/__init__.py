"""Reductions of formulas over NumPy arrays: a drop-in replacement of `pykeops.numpy`."""

from . import cluster as cluster
from .genred import Genred as Genred

__all__ = ["Genred", "cluster"]
