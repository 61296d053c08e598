"""Lowers a formula to a program for a machine: coordinates, then rewrites, then a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import ir
from ..dtypes import FLOATS
from ..formula import Call, Formula, Node, Number, Result, Var, topological
from ..formula.node import Coords
from ..ir import COMPONENT, PAIR, Each, Scalar, State
from ..ir.machine import Machine
from .choose import MOST_SAMPLED, choose_schedule, panel_columns
from .distances import distance_of
from .inner_products import with_inner_products
from .rewrite import Rewriter, fuse, take_out_columns

# Columns of a result that are written out one by one; beyond, they are summed by a loop over
# components, in memory instead of in registers.
MOST_WRITTEN_OUT = 24


def lower(
    formula: Formula, dtype: str, index_dtype: str, machine: Machine, loops: bool = True
) -> ir.Program:
    """The program that computes `formula` on data of `dtype`.

    index_dtype: the dtype of results that are row numbers.
    loops: whether there may be loops over components; else all are written out.
    """
    computing = FLOATS[dtype].computes
    coordinates = _coordinates([formula.node, *filter(None, [formula.weight])])
    weights = coordinates[1] if formula.weight is not None else None
    accumulator = formula.reduction.accumulate(coordinates[0], weights, formula.count or 0)
    rewriter, roots, states = _rewritten(accumulator, Rewriter(turning=True))
    if _divides_by_difference(roots):
        rewriter, roots, states = _rewritten(accumulator, Rewriter(signed_zeros=True))
    elif _negates(roots):
        rewriter, roots, states = _rewritten(accumulator, Rewriter())
    written_out = not loops or not _needs_loops(roots)
    distance = None
    if machine.madd and loops and isinstance(accumulator, ir.Extremum | ir.Lowest):
        fused = fuse(roots)
        distance = distance_of(ir.with_roots(accumulator, fused), MOST_SAMPLED, rewriter)
    if distance is None:
        if loops:
            roots = with_inner_products(roots, rewriter)
        else:
            roots = rewriter.rewrite(ir.written_out(roots))
        if written_out:
            roots = rewriter.rewrite([scalar for root in roots for scalar in ir.unrolled(root)])
        fused = fuse(roots)
    roots, columns = take_out_columns(fused, with_loads=computing != dtype)
    accumulator = ir.with_roots(accumulator, roots)
    schedule = choose_schedule(accumulator, computing, machine, distance)
    panel = panel_columns(formula.inputs, columns, distance, dtype, computing)
    outputs = [
        _output(result, states, written_out, loops, rewriter, dtype, index_dtype)
        for result in formula.results
    ]
    return ir.Program(
        dtype=computing,
        stored=dtype,
        inputs=formula.inputs,
        columns=fuse(columns),
        accumulator=accumulator,
        outputs=tuple(outputs),
        schedule=replace(schedule, panel=panel),
        distance=distance,
    )


def _rewritten(
    accumulator: ir.Accumulator, rewriter: Rewriter
) -> tuple[Rewriter, Sequence[Scalar], ir.Vector | None]:
    """What is accumulated in its cheapest form; of sums, also what they are in terms of it."""
    roots = rewriter.rewrite(ir.roots(accumulator))
    if isinstance(accumulator, ir.Total):
        return rewriter, *_outside_of_the_sum(roots, rewriter)
    return rewriter, roots, None


def _negates(roots: Sequence[Scalar]) -> bool:
    """Whether signs that differences were given are left to be changed at pairs."""
    return any(
        isinstance(scalar, ir.Apply) and scalar.instr.name == "neg" and scalar.rate & PAIR == PAIR
        for scalar in ir.topological(roots)
    )


def _divides_by_difference(roots: Sequence[Scalar]) -> bool:
    """Whether a pair may divide by the 0 of a row that equals a column, or take an angle of it.

    That 0 has a sign, which is that of the infinity that comes out: -(row - column) has the other.
    """
    stack = [
        part
        for scalar in ir.topological(roots)
        if isinstance(scalar, ir.Apply) and scalar.instr.name in ("div", "atan2")
        for part in scalar.inside[int(scalar.instr.name == "div") :]
    ]
    seen: set[Scalar] = set()
    while stack:
        part = stack.pop()
        if part in seen or part.rate & PAIR != PAIR:
            continue
        seen.add(part)
        if isinstance(part, ir.Apply):
            if part.instr.name == "sub" and all(end.rate & PAIR != PAIR for end in part.inside):
                return True
            square = part.instr.name == "mul" and part.inside[0] is part.inside[1]
            if square or part.instr.name in ("abs", "exp", "exp2"):
                continue
        stack.extend(part.inside)
    return False


def _needs_loops(roots: Sequence[Scalar]) -> bool:
    """Whether what is accumulated is too much to be written out."""
    together = any(isinstance(root, Each) for root in roots)
    return together and sum(map(ir.width, roots)) > MOST_WRITTEN_OUT


def _coordinates(roots: Sequence[Node]) -> list[Coords]:
    """The coordinates of formulas, as scalar expressions of the coordinates of their inputs."""
    coords: dict[Node, Coords] = {}
    for node in topological(roots):
        match node:
            case Var(dim, slot, axis):
                coords[node] = ir.Vector.loads(slot, dim, axis)
            case Number(dim, value):
                coords[node] = ir.Vector.repeated(ir.const(value), dim)
            case Call(dim, op, args, params):
                assert op.lower is not None, op.name
                coords[node] = op.lower(*(coords[arg] for arg in args), *params)
                assert len(coords[node]) == dim, (op.name, dim, len(coords[node]))
            case _:
                raise AssertionError(node)
    return [coords[root] for root in roots]


def _outside_of_the_sum(
    roots: Sequence[Scalar], rewriter: Rewriter
) -> tuple[list[Scalar], ir.Vector]:
    """Roots without factors that all columns share, and the sums of `roots` in terms of theirs.

    Such a factor multiplies a state once a row, after the loop. Equal roots are summed once.
    """
    inners: dict[Scalar, int] = {}
    sums: list[Scalar] = []
    width = 0
    for root in roots:
        count = ir.width(root)
        outer, inner = rewriter.split(root.body if isinstance(root, Each) else root)
        loop = inner.rate & COMPONENT
        kept = rewriter.rebuilt(root, [inner]) if loop else inner
        if kept not in inners:
            inners[kept] = width
            width += count if loop else 1
        state = State(ir.ROW | loop, inners[kept], int(loop != 0))
        total = rewriter.apply("mul", *rewriter.rewrite([state]), outer)
        sums.append(rewriter.rebuilt(root, [total]) if isinstance(root, Each) else total)
    return list(inners), ir.Vector(sums)


def _output(
    result: Result,
    states: ir.Vector | None,
    written_out: bool,
    loops: bool,
    rewriter: Rewriter,
    dtype: str,
    index_dtype: str,
) -> ir.Output | ir.ListOutput:
    """states: what the states of the reduction are in terms of the accumulator's, if not those."""
    kind = index_dtype if result.kind == "index" else dtype
    if not len(result.values):
        return ir.ListOutput(result.width, result.kind == "index", kind, result.empty)
    parts = list(result.values.parts)
    if states is not None:
        parts = [part for place in parts for part in _sums_at(place, states)]
    if written_out:
        parts = [
            piece
            for part in parts
            for piece in (ir.unrolled(part) if _walks_states(part) else (part,))
        ]
    if not loops:
        parts = list(ir.written_out(parts))
    values = fuse(rewriter.rewrite(parts))
    return ir.Output(values, kind, result.empty, over_rows=result.axis == "p")


def _sums_at(place: Scalar, states: ir.Vector) -> tuple[Scalar, ...]:
    leaf = place.body if isinstance(place, Each) else place
    assert isinstance(leaf, State), "a Sum gives its totals as they are"
    return states[leaf.k : leaf.k + ir.width(place)].parts


def _walks_states(part: Scalar) -> bool:
    return any(isinstance(leaf, State) and leaf.stride for leaf in ir.topological([part]))
