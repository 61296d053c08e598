"""The one primitive: what a reduction takes and gives, as JAX sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import xla
from jax.sharding import NamedSharding, PartitionSpec

from ..dtypes import FLOAT_CHOICE, FLOATS
from ..errors import ArgumentError
from ..formula import Formula
from .layout import layout, typed
from .ranges import ARRAYS, INTEGERS

Shape = tuple[int, ...]
Axes = tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """How a call is computed, and with it all that is derived from it.

    index_dtype: of results that are row numbers, "int32" or "int64".
    ring: the manual mesh axes along which the rows of axis j are spread; each device gives its rows
    of axis i.
    backend: "auto", or "XLA" for operations of XLA alone.
    """

    index_dtype: str = "int64"
    ring: Axes = ()
    backend: str = "auto"


# The call as a program says it, and what one device does of it: the rows that are there.
reduce_p = Primitive("jaxkeops_reduce")
local_p = Primitive("jaxkeops_reduce_local")
for _primitive in (reduce_p, local_p):
    _primitive.multiple_results = True
    _primitive.def_impl(partial(xla.apply_primitive, _primitive))


def reduce(
    formula: Formula,
    way: Way,
    operands: Sequence[jax.Array],
    ranges: Sequence[jax.Array] = (),
) -> list[jax.Array]:
    """All results of `formula`, hidden ones too: (*batch, M, width) each. Every rule binds here.

    operands: (*batch, M, D), (*batch, N, D) or (*batch, D), one for each input of the formula, of
    one dtype, all with the same number of batch axes; an extent of 1 is repeated, never copied.
    ranges: none, or six arrays in the order of the formula's normal form: the blocks of rows that
    are kept, then those of the transposed reduction, which derivatives take.
    Raises `ArgumentError` for operands that do not fit.
    """
    return reduce_p.bind(
        *_alike([*operands, *ranges]), formula=formula, way=way, ranges=len(ranges) > 0
    )


def split(formula: Formula, operands: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The operands of the primitive apart: the inputs of the formula, then the ranges."""
    count = len(formula.inputs)
    return list(operands[:count]), list(operands[count:])


def extents(formula: Formula, shapes: Sequence[Shape]) -> tuple[Shape, int, int]:
    """The batch shape, M and N of operands of these shapes. Raises `ArgumentError`."""
    if len(shapes) != len(formula.inputs):
        raise ArgumentError(
            f"The formula takes {len(formula.inputs)} operands, got {len(shapes)}:\n{formula}"
        )
    batches = []
    rows = {"i": [], "j": []}
    for given, shape in zip(formula.inputs, shapes, strict=True):
        core = 1 if given.axis == "p" else 2
        if len(shape) < core or shape[-1] != given.dim:
            raise _misfit(formula, shapes)
        batches.append(shape[: len(shape) - core])
        if given.axis != "p":
            rows[given.axis].append(shape[-2])
    if any(len(a) != len(b) for a, b in pairwise(batches)):
        raise _misfit(formula, shapes)
    if any(a != b for counts in rows.values() for a, b in pairwise(counts)):
        raise _misfit(formula, shapes)
    batch = []
    for along in zip(*batches, strict=True):
        extent = next((each for each in along if each != 1), 1)
        if any(each not in (1, extent) for each in along):
            raise _misfit(formula, shapes)
        batch.append(extent)
    return tuple(batch), next(iter(rows["i"]), 1), next(iter(rows["j"]), 1)


@local_p.def_abstract_eval
@reduce_p.def_abstract_eval
def _results(
    *operands: jax.core.ShapedArray, formula: Formula, way: Way, ranges: bool
) -> list[jax.core.ShapedArray]:
    avals, blocks = split(formula, operands)
    if len(blocks) != (ARRAYS if ranges else 0) or any(
        aval.dtype.name not in INTEGERS for aval in blocks
    ):
        raise ArgumentError(
            f"The formula takes {len(formula.inputs)} operands, and {ARRAYS} arrays of "
            f"{' or '.join(INTEGERS)} after them if ranges are given; got {len(operands)} in all, "
            f"of {', '.join(aval.dtype.name for aval in operands)}:\n{formula}"
        )
    batch, M, _ = extents(formula, [aval.shape for aval in avals])
    dtypes = {aval.dtype.name for aval in avals}
    if len(dtypes) != 1 or not dtypes <= FLOATS.keys():
        raise ArgumentError(
            f"The operands of a formula must be all of one dtype, {FLOAT_CHOICE}, got "
            f"{', '.join(aval.dtype.name for aval in avals)}."
        )
    specs = typed(
        layout(formula, ranges, [aval.shape for aval in operands]),
        [aval.sharding.spec for aval in operands],
    )
    return [
        _aval(
            avals[0],
            (*batch, result.width) if result.axis == "p" else (*batch, M, result.width),
            avals[0].dtype if result.kind == "float" else jax.numpy.dtype(way.index_dtype),
            spec,
        )
        for result, spec in zip(formula.results, specs, strict=True)
    ]


def _aval(
    like: jax.core.ShapedArray, shape: Shape, dtype: jax.typing.DTypeLike, spec: PartitionSpec
) -> jax.core.ShapedArray:
    """An array that varies over the same manual mesh axes as `like`."""
    mesh = like.sharding.mesh
    if mesh.empty:
        return jax.core.ShapedArray(shape, dtype)
    sharding = NamedSharding(mesh, spec)
    return like.update(shape=shape, dtype=dtype, weak_type=False, sharding=sharding)


def _alike(operands: Sequence[jax.Array]) -> list[jax.Array]:
    """The operands, all varying over the same manual axes, as inside `jax.shard_map` they must.

    The transpose of the cast is the sum over those axes: gradients of what does not vary need it.
    """
    varying = [jax.typeof(operand).manual_axis_type.varying for operand in operands]
    union = frozenset().union(*varying)
    return [
        operand
        if axes == union
        else jax.lax.pcast(operand, tuple(sorted(union - axes, key=str)), to="varying")
        for operand, axes in zip(operands, varying, strict=True)
    ]


def _misfit(formula: Formula, shapes: Sequence[Shape]) -> ArgumentError:
    return ArgumentError(
        f"Operands of shapes {', '.join(map(str, shapes))} do not fit the formula. Each takes "
        f"(*batch, rows, dim), or (*batch, dim) on axis p, with as many batch axes as the others:\n"
        f"{formula}"
    )
