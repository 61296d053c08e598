"""Reductions of formulas over JAX arrays, to be transformed like any JAX function."""

from . import batching as batching, derivatives as derivatives
from .genred import Genred as Genred
from .lowering import EXPORT_CHECKS as EXPORT_CHECKS

__all__ = ["EXPORT_CHECKS", "Genred"]
