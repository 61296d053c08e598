"""Linear systems of kernels over JAX arrays."""

from ..frontend.kernel_solve import KernelSolver
from .arrays import JaxArrays


class KernelSolve(KernelSolver):
    __doc__ = KernelSolver.__doc__
    _arrays = JaxArrays()
