"""Lowering: the primitive becomes one call of the FFI target, which carries the formula's text.

Where there is no kernel, or by name, it becomes operations of XLA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.interpreters import mlir

from ..compiler import cuda_kernel, cuda_program_text, kernel, key_of, program_text
from ..formula import Formula, short_name
from ..frontend.genred import XLA
from ..runtime import native
from .ffi import TARGET
from .partition import spread
from .primitive import Way, extents, local_p, reduce_p
from .ranges import ARRAYS
from .workspace import devices, known, workspace
from .xla import reduce_by_xla

# What `jax.export.export(..., disabled_checks=EXPORT_CHECKS)` needs: the serialized program calls
# a target that JAX does not know, and runs where jaxkeops is imported.
EXPORT_CHECKS = (export.DisabledSafetyCheck.custom_call(TARGET),)


def _lower_for_cpu(
    ctx: mlir.LoweringRuleContext,
    *operands: Any,
    formula: Formula,
    way: Way,
    ranges: bool,
) -> Sequence[Any]:
    dtype = ctx.avals_in[0].dtype.name
    # Compiled here, so that a failure is a Python exception and not a status of XLA; the target
    # compiles for itself only what it meets in programs that were lowered elsewhere.
    made = kernel(formula, dtype, way.index_dtype)
    shapes = [aval.shape for aval in ctx.avals_in[: len(formula.inputs)]]
    if M := known(extents(formula, shapes)[1]):
        made.prepare(M)
    text = program_text(formula, dtype, way.index_dtype)
    # The target takes the blocks of the rows it keeps; the other half is for transposition.
    taken = len(formula.inputs) + (ARRAYS // 2 if ranges else 0)
    ctx = ctx.replace(avals_in=ctx.avals_in[:taken])
    return jax.ffi.ffi_lowering(TARGET)(ctx, *operands[:taken], key=key_of(text), text=text)


def _lower_for_cuda(
    ctx: mlir.LoweringRuleContext,
    *operands: Any,
    formula: Formula,
    way: Way,
    ranges: bool,
) -> Sequence[Any]:
    dtype = ctx.avals_in[0].dtype.name
    count = len(formula.inputs)
    shapes = [aval.shape for aval in ctx.avals_in]
    M = known(extents(formula, shapes[:count])[1])
    if devices():  # else the program is for another machine, which compiles it
        cuda_kernel(formula, dtype, way.index_dtype, ranges, M)
    blocks = (shapes[count + 1][0], shapes[count + 2][0]) if ranges else None
    multiprocessors, size = workspace(formula, dtype, way.index_dtype, shapes[:count], blocks)
    taken = count + (ARRAYS // 2 if ranges else 0)
    memory = jax.core.ShapedArray((size,), jnp.dtype("uint8"))
    ctx = ctx.replace(avals_in=ctx.avals_in[:taken], avals_out=[*ctx.avals_out, memory])
    text = cuda_program_text(formula, dtype, way.index_dtype, ranges, M)
    *results, _ = jax.ffi.ffi_lowering(TARGET)(
        ctx,
        *operands[:taken],
        key=key_of(text),
        text=text,
        multiprocessors=np.int64(multiprocessors),
    )
    return results


_BY_XLA = mlir.lower_fun(reduce_by_xla)


def _lower_to_xla(
    ctx: mlir.LoweringRuleContext, *operands: Any, way: Way, **params: Any
) -> Sequence[Any]:
    # Here types say nothing of meshes any more: what loops carry has one type throughout.
    avals = [jax.core.ShapedArray(aval.shape, aval.dtype) for aval in ctx.avals_in]
    # A partitioned call is lowered by a thread of XLA's, where the x64 mode is not the caller's.
    wide = any(
        aval.dtype.itemsize == 8 or any(isinstance(n, int) and n >= 2**31 for n in aval.shape)
        for aval in (*avals, *ctx.avals_out)
    )
    with jax.enable_x64(wide), jax.disable_jit(False):  # else loops are written out
        return _BY_XLA(
            ctx.replace(avals_in=avals), *operands, index_dtype=way.index_dtype, **params
        )


def _named(rule: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    """A rule whose operations bear the name of the formula; XLA's, if there are no kernels."""

    def lowered(
        ctx: mlir.LoweringRuleContext,
        *operands: Any,
        formula: Formula,
        way: Way,
        ranges: bool,
    ) -> Sequence[Any]:
        stack = ctx.name_stack.extend(reduce_p.name).extend(short_name(formula))
        chosen = rule if way.backend != XLA and native.AVAILABLE else _lower_to_xla
        params = {"formula": formula, "way": way, "ranges": ranges}
        # JAX adds the scopes and the line of the call: a location with more in it would be lost.
        with mlir.ir.Location.name(str(stack)):
            return chosen(ctx.replace(name_stack=stack), *operands, **params)

    return lowered


for _platform, _rule in (("cpu", _lower_for_cpu), ("cuda", _lower_for_cuda), (None, _lower_to_xla)):
    mlir.register_lowering(local_p, _named(_rule), platform=_platform)
    mlir.register_lowering(reduce_p, spread(_named(_rule)), platform=_platform)
