"""Ranges in the CUDA texts: rows that take some columns only, as arrays on the device say."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from agreement import agree
from cases import CASES, GAUSSIAN, SUM
from emulation import Emulated, Pattern, build
from samples import LOOPS, SMALL, arrays_of, program_of, program_with_loops

from jaxkeops.backends import cuda
from jaxkeops.ir import ListOutput
from jaxkeops.ir.interpret import interpret

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
MANY_ALIASES = ["g = Pm(1)", "x = Vi(27)", "y = Vj(27)", "b = Vj(30)"]
MANY = {
    "many components": ("Min_ArgMin", "SqDist(x, y)"),
    "many sums": ("Sum", GAUSSIAN),
}
M, N = 300, 500
# Row blocks out of order, longer than a tile and of one row, rows that none names; blocks of
# columns that overlap, are empty, or are one column; a row block without any.
ROW_BLOCKS = [[200, 230], [0, 150], [160, 161], [161, 190]]
ENDS = [2, 7, 7, 8]
COLUMN_BLOCKS = [[0, 500], [10, 20], [3, 3], [100, 130], [499, 500], [120, 260], [7, 7], [40, 41]]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[object, Emulated]:
    wanted = {case: program_of(*case, "float64") for case in CASES}
    wanted["lists"] = program_of("KMin_ArgKMin", "SqDist(x, y)", "float64", count=5)
    wanted["over rows"] = program_of("Sum", GAUSSIAN, "float64", over_rows=1)
    folder = tmp_path_factory.mktemp("ranges")
    texts = [(program, cuda.emit(program, SMALL, ranged=True)) for program in wanted.values()]
    for name, (reduction, formula) in MANY.items():
        wanted[name] = program_with_loops(reduction, formula, "float64", MANY_ALIASES)
        texts.append((wanted[name], cuda.emit(wanted[name], LOOPS, ranged=True)))
    return dict(zip(wanted, build(folder, texts), strict=True))


def pattern(row_blocks=ROW_BLOCKS, ends=ENDS, column_blocks=COLUMN_BLOCKS, dtype=np.int64):
    return Pattern(
        np.array(row_blocks, dtype).reshape(-1, 2),
        np.array(ends, dtype),
        np.array(column_blocks, dtype).reshape(-1, 2),
    )


def expected(kernel: Emulated, arrays, ranges: Pattern) -> list[np.ndarray]:
    """By the interpreter: the rows of each block with its columns, one after the other."""
    program = kernel.program
    results = interpret(program, arrays, M, 0)
    begin = 0
    for (first, last), end in zip(ranges.row_blocks, ranges.ends, strict=True):
        blocks = [np.arange(*block) for block in ranges.column_blocks[begin:end]]
        columns = np.concatenate([np.arange(0), *blocks]).astype(int)
        begin = end
        if len(columns) == 0:
            continue
        index = {"i": slice(first, last), "j": columns, "p": slice(None)}
        some = [a[index[given.axis]] for given, a in zip(program.inputs, arrays, strict=True)]
        parts = interpret(program, some, last - first, len(columns))
        for result, part, output in zip(results, parts, program.outputs, strict=True):
            if getattr(output, "over_rows", False):
                result += part
            else:
                if output.dtype == "int64":
                    entries = np.arange(part.shape[1]) if isinstance(output, ListOutput) else 0
                    part = np.where(entries < len(columns), columns[part.astype(int)], 0)
                result[first:last] = part
    return results


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("what", [*CASES, "lists", "over rows", *MANY], ids=str)
def test_each_row_takes_the_columns_of_its_block(what, splits, dtype, kernels, rng):
    kernel = kernels[what]
    arrays = arrays_of(kernel.program, rng, M, N)
    ranges = pattern(dtype=dtype)
    right = expected(kernel, arrays, ranges)
    for order in (0, 1):
        agree(
            kernel.program,
            kernel.run(arrays, M, N, splits=splits, ranges=ranges, order=order),
            right,
        )


@pytest.mark.parametrize("what", [SUM, "over rows"], ids=str)
def test_ranges_without_rows_or_columns(what, kernels, rng):
    kernel = kernels[what]
    arrays = arrays_of(kernel.program, rng, M, N)
    for ranges in (
        pattern([], [], []),
        pattern([[0, 9]], [0], []),
        pattern([[4, 4]], [1], [[0, 9]]),
    ):
        agree(
            kernel.program,
            kernel.run(arrays, M, N, ranges=ranges),
            expected(kernel, arrays, ranges),
        )


def test_more_blocks_than_threads_that_read_them(kernels, rng):
    kernel = kernels[SUM]
    arrays = arrays_of(kernel.program, rng, M, N)
    rows = np.stack([np.arange(M), np.arange(1, M + 1)], 1)
    starts = rng.integers(0, N - 20, 3 * M)
    columns = np.stack([starts, starts + rng.integers(0, 20, 3 * M)], 1)
    ranges = pattern(rows, 3 * np.arange(1, M + 1), columns)
    agree(kernel.program, kernel.run(arrays, M, N, ranges=ranges), expected(kernel, arrays, ranges))
    ranges = pattern([[0, M]], [len(columns)], columns)
    agree(kernel.program, kernel.run(arrays, M, N, ranges=ranges), expected(kernel, arrays, ranges))


def test_batch_elements_share_the_ranges(kernels, rng):
    kernel = kernels[SUM]
    arrays = arrays_of(kernel.program, rng, M, N, (2,))
    results = kernel.run(arrays, M, N, ranges=pattern(), splits=2)
    for k in range(2):
        right = expected(kernel, [array[k] for array in arrays], pattern())
        agree(kernel.program, [result[k] for result in results], right)


def test_ranges_beyond_the_arrays_are_cut_off(kernels, rng):
    kernel = kernels[SUM]
    arrays = arrays_of(kernel.program, rng, M, N)
    wild = pattern([[-5, 9], [220, 2**40]], [2, 99], [[-3, 2], [490, 2**50], [8, 4]])
    tame = pattern([[0, 9], [220, M]], [2, 3], [[0, 2], [490, N], [8, 8]])
    agree(kernel.program, kernel.run(arrays, M, N, ranges=wild), expected(kernel, arrays, tame))
