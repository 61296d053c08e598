"""What a call costs: as one counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError
from jaxkeops.numpy import Genred

M, N = 10, 20
ALIASES = ["x = Vi(3)", "y = Vj(3)", "b = Vj(1)", "p = Pm(1)"]


def arrays(dtype="float32", batch=()):
    sizes = ((*batch, M, 3), (*batch, N, 3), (N, 1), (1,))
    return [np.zeros(size, dtype) for size in sizes]


def test_the_pairs_of_a_gaussian():
    cost = Genred("Exp(-p * SqDist(x, y)) * b", ALIASES, axis=1).cost(*arrays())
    # Three differences, their squares and two sums; the products with p and b; the sum. Once: two.
    assert cost.flops == M * N * (3 + 3 + 2 + 2 + 1) + 2
    assert cost.transcendentals == M * N
    assert cost.bytes_accessed == 4 * (3 * M + 3 * N + N + 1 + M)


def test_what_is_computed_once_for_a_row_or_a_column():
    cost = Genred("Exp(Elem(x, 0)) * Sin(b) * (x | y)", ALIASES, axis=1).cost(*arrays())
    assert cost.transcendentals == M + N


def test_elements_of_a_batch_and_dtypes():
    genred = Genred("p * SqDist(x, y)", ALIASES, "LogSumExp", axis=1)
    one, many = genred.cost(*arrays()), genred.cost(*arrays("float64", (5,)))
    assert many.flops == 5 * one.flops
    assert many.transcendentals == 5 * one.transcendentals == 5 * (M * N + M)
    assert many.bytes_accessed == 8 * (5 * (3 * M + 3 * N + M) + N + 1)


def test_reductions_over_i_and_loops_over_components():
    aliases = ["x = Vi(100)", "y = Vj(100)"]
    cost = Genred("SqDist(x, y)", aliases, "ArgMin").cost(np.zeros((M, 100)), np.zeros((N, 100)))
    assert 200 * M * N <= cost.flops <= 300 * M * N
    assert cost.bytes_accessed == 8 * (100 * M + 100 * N + N)


def test_arguments_that_do_not_fit_are_refused():
    genred = Genred("SqDist(x, y) * b * p", ALIASES, axis=1)
    with pytest.raises(ArgumentError, match="takes 4 arrays"):
        genred.cost(np.zeros((M, 3)))
    with pytest.raises(ArgumentError, match="x has float32, p has float64"):
        genred.cost(*arrays()[:3], np.zeros(1))
