"""Runs a program with NumPy in float64: slow, simple, and the judge of every backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..dtypes import DTYPES
from .program import (
    Accumulator,
    Extremum,
    ListOutput,
    Lowest,
    Output,
    Program,
    ShiftedExp,
    Total,
    roots,
    with_roots,
)
from .scalar import (
    Apply,
    Centre,
    Column,
    Const,
    Guard,
    Index,
    Load,
    Scalar,
    State,
    topological,
)
from .vector import written_out

Array = np.ndarray


def interpret(program: Program, arrays: Sequence[Array], M: int, N: int) -> list[Array]:
    """arrays[s] has shape (rows, dim), or (dim,) for a parameter -> outputs of shape (M, E).

    Outputs that are summed over the rows have shape (E,).
    """
    if N == 0:
        return [
            np.full(_shape(output, M), output.empty, _dtype(output)) for output in program.outputs
        ]
    run = _Run(program, arrays)
    with np.errstate(all="ignore"):
        run.columns = run.evaluate(written_out(program.columns))
        accumulator = with_roots(program.accumulator, written_out(roots(program.accumulator)))
        taken = [np.broadcast_to(value, (M, N)) for value in run.evaluate(roots(accumulator))]
        run.states, run.indices = _accumulate(accumulator, taken)
        results = []
        for output in program.outputs:
            if isinstance(output, ListOutput):
                entries = run.indices if output.indices else run.states
                results.append(np.stack(entries, 1).astype(_dtype(output)))
                continue
            values = run.evaluate(written_out(output.values))
            rows = np.concatenate([np.broadcast_to(value, (M, 1)) for value in values], 1)
            whole = rows.sum(0) if output.over_rows else rows
            results.append(whole.astype(_dtype(output)))
    return results


class _Run:
    """The arrays of one run, on axes of rows and columns, and what has been computed of it."""

    def __init__(self, program: Program, arrays: Sequence[Array]) -> None:
        self.program = program
        self.arrays = [np.asarray(array, np.float64) for array in arrays]
        self.columns: list[Array] = []
        self.states: list[Array] = []
        self.indices: list[Array] = []

    def evaluate(self, ends: Sequence[Scalar]) -> list[Array]:
        values: dict[Scalar, Array] = {}
        for scalar in topological(ends):
            match scalar:
                case Const(value=value):
                    values[scalar] = np.float64(value)
                case Load():
                    values[scalar] = self._load(scalar)
                case Centre(slot=slot, k=k):
                    values[scalar] = self._centre(slot, k)
                case Column(k=k):
                    values[scalar] = self.columns[k]
                case State(k=k):
                    values[scalar] = self.states[k][:, None]
                case Index(k=k):
                    values[scalar] = self.indices[k][:, None]
                case Apply(instr=instr, operands=operands):
                    values[scalar] = instr.evaluate(*(values[o] for o in operands))
                case Guard(fast=fast, exact=exact, bound=bound):
                    good = values[fast] >= values[bound]
                    values[scalar] = np.where(good, values[fast], values[exact])
                case _:
                    raise AssertionError(scalar)
        return [values[end] for end in ends]

    def _centre(self, slot: int, k: int) -> Array:
        rows = self.arrays[slot]
        return np.mean([rows[len(rows) * n // 4, k] for n in range(4)])

    def _load(self, leaf: Load) -> Array:
        column = self.arrays[leaf.slot][..., leaf.k]
        axis = self.program.inputs[leaf.slot].axis
        return {"i": column[..., None], "j": column[None, ...], "p": column}[axis]


def _dtype(output: Output | ListOutput) -> np.dtype:
    """That in which the output is computed: NumPy has no bfloat16 to round it to."""
    return np.dtype(DTYPES[output.dtype].computes)


def _shape(output: Output | ListOutput, M: int) -> tuple[int, ...]:
    without_rows = isinstance(output, Output) and output.over_rows
    return (output.width,) if without_rows else (M, output.width)


def _accumulate(accumulator: Accumulator, taken: list[Array]) -> tuple[list[Array], list[Array]]:
    match accumulator:
        case Total():
            return [value.sum(1) for value in taken], []
        case ShiftedExp(exponents, _, exact):
            weights = taken[len(exponents) :]
            states = []
            for exponent in taken[: len(exponents)]:
                top = exponent.max(1)
                finite = np.clip(np.nan_to_num(top, nan=0.0), -1e300, 1e300)
                powers = np.exp2(exponent - finite[:, None])
                states += [top if exact else finite, *((powers * w).sum(1) for w in weights)]
            return states, []
        case Extremum(sense=sense):
            start = np.inf if sense == "min" else -np.inf
            known = [np.where(np.isnan(value), start, value) for value in taken]
            least = [value.min(1) if sense == "min" else value.max(1) for value in known]
            first = [value.argmin(1) if sense == "min" else value.argmax(1) for value in known]
            index = [np.where(best == start, 0, k) for best, k in zip(least, first, strict=True)]
            return least, index
        case Lowest(count=count):
            return _lowest(taken, count)


def _lowest(taken: list[Array], count: int) -> tuple[list[Array], list[Array]]:
    """Entries in the order of the list: the least of each value, the next of each, ..."""
    states, indices = [], []
    ordered = []
    for value in taken:
        known = np.where(np.isnan(value), np.inf, value)
        order = np.argsort(known, 1, kind="stable")[:, :count]
        ordered.append((np.take_along_axis(known, order, 1), order))
    for n in range(count):
        for least, order in ordered:
            there = n < order.shape[1]
            state = least[:, n] if there else np.full(len(least), np.inf)
            states.append(state)
            indices.append(np.where(state == np.inf, 0, order[:, n] if there else 0))
    return states, indices
