"""A call over arrays that lie on many devices: who computes what, and what is exchanged."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.experimental.custom_partitioning import custom_partitioning
from jax.extend.mlir import lower_with_sharding_in_types
from jax.interpreters import mlir
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..formula import Formula
from .devices import common_mesh
from .layout import Assignment, Layout, assign, in_order, layout, product, rule
from .local import Share, share_of_device
from .primitive import Way, extents, local_p, split

Call = tuple[Formula, Way, bool]  # formula, way, ranges
Rule = Callable[..., Sequence[Any]]


def spread(rule: Rule) -> Rule:
    """The lowering of a call, from that of what one device does of it."""

    def lower(
        ctx: mlir.LoweringRuleContext,
        *operands: Any,
        formula: Formula,
        way: Way,
        ranges: bool,
    ) -> Sequence[Any]:
        call = (formula, way, ranges)
        if way.ring:
            return _lower(ctx, operands, _in_a_ring(call, ctx.avals_in))
        mesh = ctx.avals_out[0].sharding.mesh
        place = ctx.module_context.axis_context
        inside = bool(getattr(place, "manual_axes", ()))  # of jax.shard_map
        explicit = not mesh.empty and mesh.are_all_axes_explicit and mesh.size > 1
        if not inside and explicit and _sizes_are_known(ctx.avals_in):
            found = _lower(ctx, operands, _by_types(call, ctx.avals_in, ctx.avals_out))
        elif not inside and (devices := _devices(ctx)):
            partitioned = _partitioned(call)
            found = _lower(
                _among(ctx, devices), operands, lambda *given: partitioned(call, devices, *given)
            )
            _name(found, call)
        else:
            # XLA gathers what is split along axes of a mesh that are not manual.
            found = rule(ctx, *operands, formula=formula, way=way, ranges=ranges)
        if mesh.empty:
            return found
        return [
            lower_with_sharding_in_types(ctx, value, aval)
            for value, aval in zip(found, ctx.avals_out, strict=True)
        ]

    return lower


def _sizes_are_known(avals: Sequence[jax.core.ShapedArray]) -> bool:
    """XLA cannot yet find the sizes inside of a `jax.shard_map` that was exported without them."""
    return all(isinstance(extent, int) for aval in avals for extent in aval.shape)


def _devices(ctx: mlir.LoweringRuleContext) -> tuple[jax.Device, ...]:
    """As many devices as the program is for, if they are several and it stays in this process.

    A partitioner is a function, and does not travel.
    """
    module = ctx.module_context
    count = getattr(module.axis_context, "num_devices", 1)
    if count == 1 or module.lowering_parameters.for_export:
        return ()
    devices = jax.devices(module.platforms[0])[:count]
    return tuple(devices) if len(devices) == count else ()


def _among(ctx: mlir.LoweringRuleContext, devices: Sequence[jax.Device]) -> Any:
    """The context of a lowering that is to be partitioned.

    `custom_partitioning` asks which devices these are, but only their order matters to it. JAX
    would say which they are to a primitive in a set without a public name; it then refuses
    programs of two meshes, and programs for devices that are not here.
    """
    place = dataclasses.replace(
        ctx.module_context.axis_context, device_assignment=tuple(devices), abstract_mesh=None
    )
    return ctx.replace(module_context=ctx.module_context.replace(axis_context=place))


def _lower(ctx: mlir.LoweringRuleContext, operands: Sequence[Any], function: Any) -> list[Any]:
    return list(mlir.lower_fun(function, multiple_results=True)(ctx, *operands))


def _name(values: Sequence[Any], call: Call) -> None:
    """Writes the formula on the operation that XLA will ask us to partition.

    JAX names it by an address. Two formulas of equal shapes would be one text, and the persistent
    cache might take the program of one for that of the other.
    """
    formula, way, ranges = call
    text = mlir.ir.StringAttr.get(f"{way.backend} {way.index_dtype} {ranges}\n{formula}")
    for value in values:
        operation = getattr(value.owner, "operation", value.owner)
        if operation.name == "stablehlo.custom_call":
            named = mlir.ir.DictAttr.get({"jaxkeops_formula": text})
            operation.attributes["mhlo.frontend_attributes"] = named


@lru_cache(maxsize=1024)
def _partitioned(call: Call) -> Any:
    """The call as an operation that XLA asks us to partition, once it knows where arrays are."""
    formula, way, ranges = call

    # JAX reads the names of the parameters, to tell which of them are static.
    def whole(call: Call, devices: Any, *operands: jax.Array) -> list[jax.Array]:
        return local_p.bind(*operands, formula=formula, way=way, ranges=ranges)

    made = custom_partitioning(whole, static_argnums=(0, 1))
    made.def_partition(partition=_partition, sharding_rule=_rule)
    return made


def _rule(
    call: Call, devices: Any, mesh: Any, operands: Sequence[Any], results: Sequence[Any]
) -> Any:
    formula, _, ranges = call
    return rule(layout(formula, ranges, [tuple(each.shape) for each in operands]))


def _partition(
    call: Call,
    devices: Sequence[jax.Device],
    given: Mesh,
    operands: Sequence[Any],
    results: Sequence[Any],
) -> Any:
    if not given.empty:  # of a context: shardings speak of its devices
        devices = tuple(given.devices.flat)
    mesh, specs = common_mesh(devices, [*operands, *results])
    count = len(operands)
    of, assigned, share = _plan(call, operands, results, specs[:count], specs[count:], mesh)
    into = [NamedSharding(mesh, assigned.spec(names)) for names in of.operands]
    out = [NamedSharding(mesh, assigned.spec(names)) for names in of.results]
    compute = share_of_device(share)

    def body(*given: jax.Array) -> list[jax.Array]:
        # XLA asks from a thread of its own, where the x64 mode is not that of the call.
        with jax.enable_x64(True):
            return compute(*given)

    return mesh, body, out, tuple(into)


def _by_types(
    call: Call, operands: Sequence[Any], results: Sequence[Any]
) -> Callable[..., list[jax.Array]]:
    """The call where types tell where arrays are, as a program for each device."""
    mesh = results[0].sharding.mesh
    specs = ([aval.sharding.spec for aval in side] for side in (operands, results))
    of, assigned, share = _plan(call, operands, results, *specs, mesh)
    into = tuple(assigned.spec(names) for names in of.operands)
    out = [assigned.spec(names) for names in of.results]
    compute = share_of_device(share)

    def run(*given: jax.Array) -> list[jax.Array]:
        there = [
            jax.reshard(x, NamedSharding(mesh, spec)) for x, spec in zip(given, into, strict=True)
        ]
        found = jax.shard_map(compute, in_specs=into, out_specs=out, mesh=mesh, check_vma=False)(
            *there
        )
        return [
            jax.reshard(x, NamedSharding(mesh, result.sharding.spec))
            for x, result in zip(found, results, strict=True)
        ]

    return run


def _in_a_ring(call: Call, operands: Sequence[Any]) -> Callable[..., list[jax.Array]]:
    """The call inside of `jax.shard_map`, whose columns are spread along its ring."""
    formula, way, ranges = call
    ring = way.ring
    mesh = operands[0].sharding.mesh
    count, around = product(mesh.shape, ring), in_order(ring, mesh.axis_names)
    shapes = [aval.shape for aval in split(formula, operands)[0]]
    _, M, N = extents(formula, shapes)
    return share_of_device(
        Share(formula, way, ranges, (), ring, around, count, 1, M, N * count, padded=False)
    )


def _plan(
    call: Call,
    operands: Sequence[Any],
    results: Sequence[Any],
    operand_specs: Sequence[PartitionSpec],
    result_specs: Sequence[PartitionSpec],
    mesh: Any,
) -> tuple[Layout, Assignment, Share]:
    """operands, results: anything with the shape and dtype of the whole arrays."""
    formula, way, ranges = call
    shapes = [tuple(each.shape) for each in operands]
    of = layout(formula, ranges, shapes)
    sizes = (_bytes(operands), _bytes(results))
    assigned = assign(of, operand_specs, result_specs, *sizes, mesh.shape)
    _, M, N = extents(formula, split(formula, shapes)[0])
    i_axes, j_axes = (assigned.axes.get(axis, ()) for axis in "ij")
    # Rows that are too many are dropped again, but not if results are summed over them.
    rows = i_axes if any(result.axis == "p" for result in formula.results) else ()
    share = Share(
        formula,
        way,
        ranges,
        i_axes,
        j_axes,
        assigned.ring,
        rings=product(mesh.shape, assigned.ring),
        parts=product(mesh.shape, assigned.parts),
        M=M,
        N=N,
        padded=any(
            extent % product(mesh.shape, axes) != 0
            for extent, axes in ((M, rows), (N, j_axes))
            if axes
        ),
    )
    return of, assigned, share


def _bytes(arrays: Sequence[Any]) -> list[int]:
    return [math.prod(each.shape) * np.dtype(each.dtype).itemsize for each in arrays]
