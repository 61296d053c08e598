"""Runs a program with NumPy in float64: slow, simple, and the judge of every backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..dtypes import DTYPES
from .program import Extremum, ListOutput, Lowest, Output, Program, ShiftedExp, Total, roots
from .scalar import Apply, Column, Const, Index, Load, Scalar, State, topological

Array = np.ndarray


def interpret(program: Program, arrays: Sequence[Array], M: int, N: int) -> list[Array]:
    """arrays[s] has shape (rows, dim), or (dim,) for a parameter -> outputs of shape (M, E).

    Outputs that are summed over the rows have shape (E,).
    """
    if N == 0:
        return [
            np.full(_shape(output, M), output.empty, _dtype(output)) for output in program.outputs
        ]
    known = {leaf: _load(program, arrays, leaf) for leaf in _loads(program)}
    with np.errstate(all="ignore"):
        columns = _evaluate(program.columns, known)
        for leaf in topological(roots(program.accumulator)):
            if isinstance(leaf, Column):
                known[leaf] = columns[leaf.k]
        taken = [
            np.broadcast_to(value, (M, N)) for value in _evaluate(roots(program.accumulator), known)
        ]
        states, indices = _accumulate(program, taken)
        results = []
        for output in program.outputs:
            if isinstance(output, ListOutput):
                entries = indices if output.indices else states
                results.append(np.stack(entries, 1).astype(_dtype(output)))
                continue
            for leaf in topological(output.values):
                if isinstance(leaf, State):
                    known[leaf] = states[leaf.k][:, None]
                elif isinstance(leaf, Index):
                    known[leaf] = indices[leaf.k][:, None]
            values = [np.broadcast_to(value, (M, 1)) for value in _evaluate(output.values, known)]
            rows = np.concatenate(values, 1)
            whole = rows.sum(0) if output.over_rows else rows
            results.append(whole.astype(_dtype(output)))
    return results


def _dtype(output: Output | ListOutput) -> np.dtype:
    """That in which the output is computed: NumPy has no bfloat16 to round it to."""
    return np.dtype(DTYPES[output.dtype].computes)


def _shape(output: Output | ListOutput, M: int) -> tuple[int, ...]:
    without_rows = isinstance(output, Output) and output.over_rows
    return (output.width,) if without_rows else (M, output.width)


def _loads(program: Program) -> list[Load]:
    everything = topological([*program.columns, *roots(program.accumulator), *program.given])
    return [leaf for leaf in everything if isinstance(leaf, Load)]


def _load(program: Program, arrays: Sequence[Array], leaf: Load) -> Array:
    column = np.asarray(arrays[leaf.slot], np.float64)[..., leaf.k]
    axis = program.inputs[leaf.slot].axis
    return {"i": column[..., None], "j": column[None, ...], "p": column}[axis]


def _evaluate(ends: Sequence[Scalar], known: dict[Scalar, Array]) -> list[Array]:
    values = dict(known)
    for scalar in topological(ends):
        match scalar:
            case Const(value=value):
                values[scalar] = np.float64(value)
            case Apply(instr=instr, operands=operands):
                values[scalar] = instr.evaluate(*(values[o] for o in operands))
            case _:
                assert scalar in values, scalar
    return [values[end] for end in ends]


def _accumulate(program: Program, taken: list[Array]) -> tuple[list[Array], list[Array]]:
    match program.accumulator:
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
