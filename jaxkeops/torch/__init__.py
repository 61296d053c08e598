"""Reductions of formulas over PyTorch tensors: a drop-in replacement of `pykeops.torch`."""

from . import cluster as cluster
from .genred import Genred as Genred
from .lazy import (
    ComplexLazyTensor as ComplexLazyTensor,
    LazyTensor as LazyTensor,
    Pm as Pm,
    Vi as Vi,
    Vj as Vj,
)

__all__ = ["ComplexLazyTensor", "Genred", "LazyTensor", "Pm", "Vi", "Vj", "cluster"]
