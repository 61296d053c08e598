"""What a call costs whatever the machine: operations, and bytes that it must read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .. import ir
from ..dtypes import DTYPES
from ..formula import Formula
from ..ir import COLUMN, PAIR, PARAMETER, ROW, Scalar
from ..ir.machine import Machine
from .choose import usual
from .lower import lower

ANY = Machine("any", "")  # how often something is computed depends on no machine
TRANSCENDENTAL = {
    "sqrt",
    "rsqrt",
    "exp",
    "exp2",
    "log",
    "sin",
    "cos",
    "asin",
    "acos",
    "atan",
    "atan2",
    "pow",
    "tanh",
}


@dataclass(frozen=True)
class Cost:
    """Of one call: all of its pairs, in all elements of its batch, as kernels compute them.

    flops: additions, products, quotients and comparisons; a fused multiply and add counts twice.
    transcendentals: roots, exponentials, logarithms and their like, which are not among the flops.
    bytes_accessed: of the arguments once, and of the results, hidden ones too.
    """

    flops: int
    transcendentals: int
    bytes_accessed: int


def cost_of(
    formula: Formula,
    dtype: str,
    index_dtype: str,
    shapes: Sequence[tuple[int, ...]],
    extents: tuple[int, int, int],
) -> Cost:
    """What a call costs whose inputs have these shapes.

    extents: the elements of the batch, M and N.
    """
    program = lower(formula, dtype, index_dtype, ANY)
    elements, M, N = extents
    times = {PARAMETER: 1, ROW: M, COLUMN: N, PAIR: M * N}
    pairs = [*program.columns, *ir.roots(program.accumulator)]
    flops = transcendentals = 0
    for roots in (pairs, program.given):
        counts = ir.loop_counts(roots)
        for scalar in usual(roots):
            often = times[scalar.rate & PAIR] * counts.get(scalar, 1)
            plain, deep = _operations(scalar)
            flops, transcendentals = flops + plain * often, transcendentals + deep * often
    plain, deep = _taking_in(program.accumulator)
    flops, transcendentals = flops + plain * M * N, transcendentals + deep * M * N
    size = sum(map(prod, shapes)) * DTYPES[dtype].bytes
    for output, result in zip(program.outputs, formula.results, strict=True):
        rows = M if result.axis == "i" else 1
        size += elements * rows * result.width * DTYPES[output.dtype].bytes
    return Cost(elements * flops, elements * transcendentals, size)


def _operations(scalar: Scalar) -> tuple[int, int]:
    """The plain and the transcendental operations of one number, without those of its operands."""
    match scalar:
        case ir.Apply(instr=instr):
            if instr.name in TRANSCENDENTAL:
                return 0, 1
            return (2 if instr.name == "fma" else 1), 0
        case ir.Fold(count=count):
            return count - 1, 0
        case ir.Guard():
            return 1, 0
    return 0, 0


def _taking_in(accumulator: ir.Accumulator) -> tuple[int, int]:
    """The operations by which a pair is taken in: a sum or a comparison for each value."""
    match accumulator:
        case ir.ShiftedExp(exponents, weights):
            sums = len(exponents) * sum(map(ir.width, weights))
            return 2 * len(exponents) + 2 * sums, len(exponents)
    return sum(map(ir.width, ir.roots(accumulator))), 0
