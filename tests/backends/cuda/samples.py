"""Programs that every test of the CUDA texts may draw on, and arrays for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from cases import ALIASES

from jaxkeops.backends import cuda, llvm
from jaxkeops.backends.cuda import Cut
from jaxkeops.formula import OPS, F, Formula, Node, Var, make_formula, read_formulas
from jaxkeops.ir import Input, Program
from jaxkeops.schedule import lower

LISTS = [(1, "SqDist(x, y)"), (5, "SqDist(x, y)"), (3, "Sin(9 * x * y)"), (70, "SqDist(x, y)")]
REGISTER_ENTRIES = 16  # longer lists of these tests are in the workspace
SMALL = Cut(rows=2, threads=32, tile=64, chunk=16)
LOOPS = Cut(
    rows=1,
    threads=32,
    tile=16,
    chunk=8,
    pair_rows=4,
    components=8,
    part_rows=4,
    part_columns=4,
)
MATRICES = replace(LOOPS, matrix_units=True)


def program_of(
    reduction: str,
    formula: str,
    dtype: str,
    aliases: Sequence[str] = ALIASES,
    weight: str | None = None,
    **options,
) -> Program:
    made = _formula(reduction, formula, aliases, weight, options)
    return lower(made, dtype, "int64", llvm.host(), loops=False)


def program_with_loops(
    reduction: str,
    formula: str,
    dtype: str,
    aliases: Sequence[str],
    weight: str | None = None,
    **options,
) -> Program:
    """The same with loops over components, and inner products, where there are many."""
    return lower(
        _formula(reduction, formula, aliases, weight, options), dtype, "int64", cuda.MACHINE
    )


def _formula(
    reduction: str, formula: str, aliases: Sequence[str], weight: str | None, options: dict
) -> Formula:
    (node, *weights), variables = read_formulas([formula, *filter(None, [weight])], list(aliases))
    inputs = [Input(var.axis, var.dim) for var in variables]
    return make_formula(reduction, node, inputs, *weights, **options)


def arrays_of(
    program: Program, rng: np.random.Generator, M: int, N: int, batch: Sequence[int] = ()
) -> list[np.ndarray]:
    """Numbers between 0.2 and 1.5, one array for each input."""
    rows = {"i": (M,), "j": (N,), "p": ()}
    shapes = [(*batch, *rows[given.axis], given.dim) for given in program.inputs]
    return [rng.uniform(0.2, 1.5, shape).astype(program.stored) for shape in shapes]


def registry(group: int = 8) -> Iterator[tuple[str, Node, list[Input], tuple[float, float]]]:
    """Every op that has a lowering, some at a time: names, a formula, its inputs, their domain.

    An argument is the sum of a row and of a column, so that the op is computed at each pair; halves
    of the domain go to each.
    """
    samples = [(op, *sample) for op in OPS.values() if op.lower for sample in op.samples]
    samples.sort(key=lambda sample: sample[0].domain)
    while samples:
        domain = samples[0][0].domain
        same = [sample for sample in samples[:group] if sample[0].domain == domain]
        samples = samples[len(same) :]
        inputs: list[Input] = []
        parts: list[Node] = []
        for op, dims, params in same:
            parts.append(op(*(_sum_of_two(dim, inputs) for dim in dims), *params))
        node = parts[0]
        for part in parts[1:]:
            node = F.Concat(node, part)
        yield " ".join(op.name for op, _, _ in same), node, inputs, domain


def _sum_of_two(dim: int, inputs: list[Input]) -> Node:
    slot = len(inputs)
    inputs += [Input("i", dim), Input("j", dim)]
    return F.Add(Var(dim, slot, "i"), Var(dim, slot + 1, "j"))
