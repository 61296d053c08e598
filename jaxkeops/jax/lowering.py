"""Lowering: the primitive becomes one call of the FFI target, which carries the formula's text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.interpreters import mlir

from ..compiler import cuda_kernel, cuda_program_text, kernel, key_of, program_text
from ..errors import NoBackendError
from ..formula import Formula
from .ffi import TARGET
from .partition import spread
from .primitive import local_p, reduce_p
from .ranges import ARRAYS
from .workspace import devices, workspace

# What `jax.export.export(..., disabled_checks=EXPORT_CHECKS)` needs: the serialized program calls
# a target that JAX does not know, and runs where jaxkeops is imported.
EXPORT_CHECKS = (export.DisabledSafetyCheck.custom_call(TARGET),)


def _lower_for_cpu(
    ctx: mlir.LoweringRuleContext,
    *operands: Any,
    formula: Formula,
    index_dtype: str,
    ranges: bool,
) -> Sequence[Any]:
    dtype = ctx.avals_in[0].dtype.name
    # Compiled here, so that a failure is a Python exception and not a status of XLA; the target
    # compiles for itself only what it meets in programs that were lowered elsewhere.
    kernel(formula, dtype, index_dtype)
    text = program_text(formula, dtype, index_dtype)
    # The target takes the blocks of the rows it keeps; the other half is for transposition.
    taken = len(formula.inputs) + (ARRAYS // 2 if ranges else 0)
    ctx = ctx.replace(avals_in=ctx.avals_in[:taken])
    return jax.ffi.ffi_lowering(TARGET)(ctx, *operands[:taken], key=key_of(text), text=text)


def _lower_for_cuda(
    ctx: mlir.LoweringRuleContext,
    *operands: Any,
    formula: Formula,
    index_dtype: str,
    ranges: bool,
) -> Sequence[Any]:
    dtype = ctx.avals_in[0].dtype.name
    if devices():  # else the program is for another machine, which compiles it
        cuda_kernel(formula, dtype, index_dtype, ranges)
    count = len(formula.inputs)
    shapes = [aval.shape for aval in ctx.avals_in]
    blocks = (shapes[count + 1][0], shapes[count + 2][0]) if ranges else None
    multiprocessors, size = workspace(formula, dtype, index_dtype, shapes[:count], blocks)
    taken = count + (ARRAYS // 2 if ranges else 0)
    memory = jax.core.ShapedArray((size,), jnp.dtype("uint8"))
    ctx = ctx.replace(avals_in=ctx.avals_in[:taken], avals_out=[*ctx.avals_out, memory])
    text = cuda_program_text(formula, dtype, index_dtype, ranges)
    *results, _ = jax.ffi.ffi_lowering(TARGET)(
        ctx,
        *operands[:taken],
        key=key_of(text),
        text=text,
        multiprocessors=np.int64(multiprocessors),
    )
    return results


def _refuse(ctx: mlir.LoweringRuleContext, *operands: Any, **params: Any) -> Sequence[Any]:
    platforms = ctx.platforms or ctx.module_context.platforms
    raise NoBackendError(
        f"jaxkeops computes on CPUs and CUDA GPUs, and was asked for {', '.join(platforms)}. Move "
        "the arrays with jax.device_put(x, jax.devices('cpu')[0])."
    )


for _rule, _platform in ((_lower_for_cpu, "cpu"), (_lower_for_cuda, "cuda"), (_refuse, None)):
    mlir.register_lowering(local_p, _rule, platform=_platform)
    mlir.register_lowering(reduce_p, spread(_rule), platform=_platform)
