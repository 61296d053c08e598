"""Linear systems of kernels over NumPy arrays."""

from ..frontend.kernel_solve import KernelSolver
from .arrays import NumPyArrays


class KernelSolve(KernelSolver):
    __doc__ = KernelSolver.__doc__
    _arrays = NumPyArrays()
