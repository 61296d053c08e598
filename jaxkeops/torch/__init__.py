"""Reductions of formulas over PyTorch tensors: a drop-in replacement of `pykeops.torch`."""

from .genred import Genred as Genred

__all__ = ["Genred"]
