"""Linear systems of kernels over PyTorch tensors."""

from ..frontend.kernel_solve import KernelSolver
from .arrays import TorchArrays


class KernelSolve(KernelSolver):
    __doc__ = KernelSolver.__doc__
    _arrays = TorchArrays()
