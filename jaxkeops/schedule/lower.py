"""Lowers a formula to a program for a machine: coordinates, then rewrites, then a schedule."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..dtypes import FLOATS
from ..formula import Call, Formula, Node, Number, Result, Var, topological
from ..ir import Scalar
from ..ir.machine import Machine
from .choose import choose_schedule
from .rewrite import Rewriter, fuse, take_out_columns


def lower(formula: Formula, dtype: str, index_dtype: str, machine: Machine) -> ir.Program:
    """The program that computes `formula` on data of `dtype`.

    index_dtype: the dtype of results that are row numbers.
    """
    computing = FLOATS[dtype].computes
    coordinates = _coordinates([formula.node, *filter(None, [formula.weight])])
    weights = coordinates[1] if formula.weight is not None else None
    accumulator = formula.reduction.accumulate(coordinates[0], weights, formula.count or 0)
    rewriter = Rewriter()
    accumulator, outer = _outside_of_the_sum(accumulator, rewriter)
    pair_roots, columns = take_out_columns(
        fuse(ir.roots(accumulator)), with_loads=computing != dtype
    )
    accumulator = ir.with_roots(accumulator, pair_roots)
    outputs = [_output(result, outer, rewriter, dtype, index_dtype) for result in formula.results]
    (*column_roots,) = fuse(columns)
    return ir.Program(
        dtype=computing,
        stored=dtype,
        inputs=formula.inputs,
        columns=tuple(column_roots),
        accumulator=accumulator,
        outputs=tuple(outputs),
        schedule=choose_schedule(accumulator, computing, machine),
    )


def _coordinates(roots: Sequence[Node]) -> list[list[Scalar]]:
    """The coordinates of formulas, as scalar expressions of the coordinates of their inputs."""
    coords: dict[Node, list[Scalar]] = {}
    for node in topological(roots):
        match node:
            case Var(dim, slot, axis):
                coords[node] = [ir.load(slot, k, axis) for k in range(dim)]
            case Number(dim, value):
                coords[node] = [ir.const(value)] * dim
            case Call(dim, op, args, params):
                assert op.lower is not None, op.name
                coords[node] = list(op.lower(*(coords[arg] for arg in args), *params))
                assert len(coords[node]) == dim, (op.name, dim, len(coords[node]))
            case _:
                raise AssertionError(node)
    return [coords[root] for root in roots]


def _outside_of_the_sum(
    accumulator: ir.Accumulator, rewriter: Rewriter
) -> tuple[ir.Accumulator, tuple[Scalar, ...]]:
    """The accumulator with factors that all columns share taken out, and those factors.

    A factor taken out multiplies the state once a row, after the loop.
    """
    roots = rewriter.rewrite(ir.roots(accumulator))
    if not isinstance(accumulator, ir.Total):
        return ir.with_roots(accumulator, roots), ()
    pairs = [rewriter.split(root) for root in roots]
    return ir.Total(tuple(inner for _, inner in pairs)), tuple(outer for outer, _ in pairs)


def _output(
    result: Result,
    outer: tuple[Scalar, ...],
    rewriter: Rewriter,
    dtype: str,
    index_dtype: str,
) -> ir.Output | ir.ListOutput:
    kind = index_dtype if result.kind == "index" else dtype
    if not result.values:
        return ir.ListOutput(result.width, result.kind == "index", kind, result.empty)
    values = rewriter.rewrite(result.values)
    if outer:
        states = [value.k if isinstance(value, ir.State) else None for value in values]
        assert None not in states, "a Sum gives its totals as they are"
        values = tuple(
            rewriter.apply("mul", value, outer[k]) for value, k in zip(values, states, strict=True)
        )
    return ir.Output(fuse(values), kind, result.empty, over_rows=result.axis == "p")
