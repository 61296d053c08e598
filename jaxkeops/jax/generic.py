"""Reductions of JAX arrays, made from the alias of their result."""

from ..frontend.generic import generic
from .genred import Genred

generic_sum = generic(Genred, "Sum")
generic_logsumexp = generic(Genred, "LogSumExp")
generic_min = generic(Genred, "Min")
generic_max = generic(Genred, "Max")
generic_argmin = generic(Genred, "ArgMin")
generic_argmax = generic(Genred, "ArgMax")
generic_kmin = generic(Genred, "KMin", counted=True)
generic_argkmin = generic(Genred, "ArgKMin", counted=True)
