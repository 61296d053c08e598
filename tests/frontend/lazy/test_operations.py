"""Every operation of the registry as a method, against its value in dense float64."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError, FormulaError
from jaxkeops.formula import OPS
from jaxkeops.formula.methods import COMPLEX, METHODS, REAL, WEIGHTS_FIRST
from jaxkeops.frontend.lazy import ComplexTensor, RealTensor

M, N = 3, 4
AXES = "ijp"
ROOT = Path(__file__).parents[3]


def op_of(method):
    """The op that a method is of, or None if it is of several."""
    build = getattr(method.build, "op", method.build)
    return build if getattr(build, "name", None) in OPS else None


def cases(of, *gives):
    return [
        pytest.param(method, op, dims, params, id=f"{method.name}{dims}{params}")
        for method in METHODS[of].values()
        if (op := op_of(method)) is not None and method.gives in gives
        for dims, params in op.samples
    ]


def drawn(rng, op, dims):
    """For each argument an array on the axis i, j or p in turn, and the same on all pairs."""
    rows = {"i": (M,), "j": (N,), "p": ()}
    arrays = [rng.uniform(*op.domain, (*rows[AXES[k % 3]], dim)) for k, dim in enumerate(dims)]
    views = [(..., slice(None), None, slice(None)), (None, slice(None), slice(None)), (None, None)]
    dense = [array[views[k % 3]] for k, array in enumerate(arrays)]
    return arrays, dense


@pytest.mark.parametrize(("method", "op", "dims", "params"), cases(REAL, REAL))
def test_a_method_has_the_value_of_its_op(method, op, dims, params, door, rng, close):
    arrays, dense = drawn(rng, op, dims)
    given = [
        (door.Vi, door.Vj, door.Pm)[k % 3](door.array(array)) for k, array in enumerate(arrays)
    ]
    if op.name in WEIGHTS_FIRST:
        given = [*given[1:], given[0]]
    result = getattr(given[0], method.name)(*given[1:], *params)
    expected = op.value(*dense, *params)
    M_, N_ = result._shape[-3:-1]
    expected = np.broadcast_to(expected, (M_, N_, expected.shape[-1]))
    close(result.sum(1), expected.sum(1), units=5000)
    close(result.dense().reshape(expected.shape), expected, units=5000)


@pytest.mark.parametrize(("method", "op", "dims", "params"), cases(COMPLEX, REAL, COMPLEX))
def test_a_complex_method_has_the_value_of_its_op(method, op, dims, params, door, rng, close):
    arrays, dense = drawn(rng, op, dims)
    pairs = [array[..., ::2] + 1j * array[..., 1::2] for array in arrays]
    given = [(door.Vi, door.Vj, door.Pm)[k % 3](door.array(array)) for k, array in enumerate(pairs)]
    result = getattr(given[0], method.name)
    if method.name not in ("real", "imag"):
        result = result(*given[1:], *params)
    expected = op.value(*dense, *params)
    expected = np.broadcast_to(expected, (*result._shape[-3:-1], expected.shape[-1]))
    if method.gives == COMPLEX:
        expected = expected[..., ::2] + 1j * expected[..., 1::2]
        assert isinstance(result, ComplexTensor)
    else:
        assert isinstance(result, RealTensor)
    close(result.sum(1), expected.sum(1), units=5000)


def test_real_numbers_become_complex(door, rng, close):
    x = rng.normal(size=(M, 2))
    X = door.Vi(door.array(x))
    close(X.real2complex().sum(0), x.sum(0)[None] + 0j)
    close(X.imag2complex().sum(0), 1j * x.sum(0)[None])
    close(X.exp1j().sum(0), np.exp(1j * x).sum(0)[None])
    close(X.pair(2 * X).sum(0), (x + 2j * x).sum(0)[None])


def test_methods_of_several_ops(door, rng, close):
    x, y = rng.normal(size=(M, 2)), rng.normal(size=(N, 2))
    X, Y = door.Vi(door.array(x)), door.Vj(door.array(y))
    a, b = x[:, None], y[None]
    close(X.sinc().dense()[:, 0], np.sinc(x))
    close(X.maximum(Y).dense(), np.maximum(a, b))
    close(X.minimum(Y).dense(), np.minimum(a, b))
    close(X.where(Y > 0, -1.5).dense(), np.where(b > 0, a, -1.5))
    close(X.norm(-1).dense()[:, 0], np.linalg.norm(x, axis=-1))
    close(X.norm(2).dense()[:, 0], np.linalg.norm(x, axis=-1))
    close(X.mod(0.7).dense()[:, 0], np.mod(x, 0.7))
    close((X % 0.7).dense()[:, 0], np.mod(x, 0.7))


def test_a_table_is_looked_up_by_pairs(door, rng, close):
    table = rng.normal(size=(3, 5))
    rows, columns = rng.integers(0, 3, (M, 1)), rng.integers(0, 5, (N, 1))
    i, j = door.Vi(door.array(rows * 1.0)), door.Vj(door.array(columns * 1.0))
    picked = door.Pm(door.array(table.ravel())).lookup(i, j, columns=5)
    close(picked.dense(), table[rows[:, 0]][:, columns[:, 0]])


def test_operators_of_the_language_take_variables(door, rng, close):
    x, y, e = rng.normal(size=(M, 3)), rng.normal(size=(N, 3)), rng.normal(size=(M, 1))
    X, Y, E = door.Vi(door.array(x)), door.Vj(door.array(y)), door.Vi(door.array(e))
    D = X.sqdist(Y)
    close(D.grad(X, E).sum(1), (2 * (x[:, None] - y) * e[:, None]).sum(1))
    close(D.laplacian(X).dense(), np.full((M, N), 6.0))
    close((X * 2 + Y).divergence(X).dense(), np.full((M, N), 6.0))
    close(D.diff(X, Y).dense(), (2 * (x[:, None] - y) * y).sum(-1))
    both = D.diff((X, Y), (Y, X)).dense()
    close(both, (2 * (x[:, None] - y) * (y - x[:, None])).sum(-1))
    with pytest.raises(ArgumentError, match="one direction for each of 2 variables"):
        D.diff((X, Y), (Y,))
    close(D.grad_matrix(X).dense(), 2 * (x[:, None] - y))
    close((X * Y).trace_operator(X).dense(), np.broadcast_to(y.sum(-1), (M, N)))
    with pytest.raises(FormulaError, match="differentiates for a variable"):
        D.grad(2 * X, E)


def test_methods_say_what_they_take(numpy_door, rng):
    X = numpy_door.Vi(rng.normal(size=(M, 3)))
    assert str(inspect.signature(X.round)) == "(digits=0)"
    assert X.exp.__doc__ == OPS["Exp"].doc
    assert X.round(digits=1).shape == X.round(1).shape == (M, 1, 3)
    with pytest.raises(ArgumentTypeError, match=r"sqdist takes g: 'g' is missing"):
        X.sqdist()
    with pytest.raises(ArgumentTypeError, match="sqdist takes g: got 3"):
        X.sqdist(X, X, X)
    with pytest.raises(ArgumentTypeError, match="got 'hue'"):
        X.sqdist(X, hue=1)


def test_the_stub_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools" / "stub_methods.py"))
    assert tool["stub"]() == tool["STUB"].read_text(encoding="utf-8"), (
        "run: python tools/stub_methods.py"
    )
