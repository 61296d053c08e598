"""Lowering: the primitive becomes one call of the FFI target, which carries the formula's text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax import export
from jax.interpreters import mlir

from ..compiler import kernel, key_of, program_text
from ..errors import NoBackendError
from ..formula import Formula
from .ffi import TARGET
from .primitive import reduce_p
from .ranges import ARRAYS

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


def _refuse(ctx: mlir.LoweringRuleContext, *operands: Any, **params: Any) -> Sequence[Any]:
    platforms = ctx.platforms or ctx.module_context.platforms
    raise NoBackendError(
        f"This build of jaxkeops computes on CPUs, and was asked for {', '.join(platforms)}. Move "
        "the arrays with jax.device_put(x, jax.devices('cpu')[0])."
    )


mlir.register_lowering(reduce_p, _lower_for_cpu, platform="cpu")
mlir.register_lowering(reduce_p, _refuse)
