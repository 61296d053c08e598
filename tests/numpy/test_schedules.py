"""However loops are cut: few rows, many columns, many components, all of them at once."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from oracle import evaluate

import jaxkeops
from jaxkeops.formula import read_formulas
from jaxkeops.numpy import Genred
from jaxkeops.runtime import native

ALIASES = ["g = Pm(1)", "x = Vi(40)", "y = Vj(40)", "v = Vj(30)", "u = Vi(3)", "z = Vj(3)"]
CASES = [
    ("Exp(-g * SqDist(x, y))", "Sum", {}),
    ("Exp(-g * SqDist(u, z)) * v", "Sum", {}),
    ("Exp(-g * SqDist(u, z)) * z", "Sum", {}),
    ("-g * SqDist(u, z)", "LogSumExp", {}),
    ("(x | y)", "SumSoftMaxWeight", {"formula2": "v"}),
    ("SqDist(x, y)", "KMin_ArgKMin", {"opt_arg": 5}),
    ("SqDist(u, z)", "KMin_ArgKMin", {"opt_arg": 5}),
    ("SqDist(u, z)", "Min_ArgMin", {}),
    ("Sum(Abs(x - y))", "Max_ArgMax", {}),
]


@pytest.mark.parametrize("M", [1, 5, 9, 70])
@pytest.mark.parametrize(("formula", "reduction", "options"), CASES)
def test_all_cuts_agree_with_the_oracle(formula, reduction, options, M, rng):
    N = 9000
    rows = {"Vi": (M,), "Vj": (N,), "Pm": ()}
    arrays = []
    for alias in ALIASES:
        kind, dim = alias.split("= ")[1].rstrip(")").split("(")
        arrays.append(rng.uniform(-0.7, 0.7, (*rows[kind], int(dim))))
    texts = [formula, options["formula2"]] if "formula2" in options else [formula]
    nodes, variables = read_formulas(texts, ALIASES)
    f, *weights = (
        evaluate(node, dict(enumerate(arrays)), variables).reshape(M, N, node.dim) for node in nodes
    )
    reduce = Genred(formula, ALIASES, reduction_op=reduction, axis=1, **options)
    results = reduce(*arrays)
    results = results if isinstance(results, tuple) else (results,)
    rules = reduce._formula.reduction
    expected = rules.value(f, weights[0] if weights else None, options.get("opt_arg", 0))
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=1e-12, atol=1e-12)
    before = native.num_threads()
    try:
        for threads in (1, 3):
            native.set_num_threads(threads)
            again = reduce(*arrays)
            again = again if isinstance(again, tuple) else (again,)
            for result, same in zip(results, again, strict=True):
                np.testing.assert_array_equal(result, same)
    finally:
        native.set_num_threads(before)


def test_code_for_few_rows_is_compiled_when_rows_are_few(tmp_path, caplog, rng):
    jaxkeops.set_build_folder(tmp_path)
    try:
        x, y = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
        reduce = Genred("Exp(-SqDist(x, y)) * 1.357", ["x = Vi(3)", "y = Vj(3)"], axis=1)
        with caplog.at_level(logging.INFO, "jaxkeops"):
            many = reduce(x, y)
            assert len(caplog.records) == 1
            for M in (1, 3):
                np.testing.assert_allclose(reduce(x[:M], y), many[:M], rtol=1e-14)
            reduce(x, y[:5])
        assert [", few rows" in record.getMessage() for record in caplog.records] == [False, True]
    finally:
        jaxkeops.set_build_folder()
