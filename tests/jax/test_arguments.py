"""What a call accepts, and the sentences with which it refuses the rest."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError, NoBackendError
from jaxkeops.jax import Genred, genred as genred_of_jax

FORMULA, ALIASES = "Exp(-p * SqDist(x, y))", ["x = Vi(2)", "y = Vj(2)", "p = Pm(1)"]


@pytest.fixture
def genred():
    return Genred(FORMULA, ALIASES, axis=1)


@pytest.fixture
def arrays(rng):
    return tuple(jnp.asarray(rng.normal(size=shape), "float32") for shape in ((4, 2), (5, 2), (1,)))


def test_numpy_arrays_become_jax_arrays(genred, arrays):
    result = genred(*map(np.asarray, arrays))
    assert isinstance(result, jax.Array)
    np.testing.assert_array_equal(result, genred(*arrays))


@pytest.mark.parametrize("number", [2.0, 2, np.float32(2), np.full((), 2, np.float32)])
def test_numbers_serve_as_parameters_of_dim_1(number, genred, arrays):
    x, y, _ = arrays
    expected = genred(x, y, jnp.full(1, 2, "float32"))
    for result in (genred(x, y, number), jax.jit(genred)(x, y, number)):
        assert result.dtype == "float32"
        np.testing.assert_array_equal(result, expected)


def test_what_is_computed_from_numbers_alone_takes_the_dtype_of_the_arrays(genred, arrays):
    x, y, _ = arrays
    slope = jax.jit(jax.grad(lambda p: genred(x, y, 2 * p).sum()))(0.5)
    expected = jax.grad(lambda p: jnp.exp(-2 * p * ((x[:, None] - y) ** 2).sum(-1)).sum())(0.5)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_numpys_float64_is_float32_where_x64_is_off(genred, arrays):
    with jax.enable_x64(False):
        result = genred(np.asarray(arrays[0], np.float64), *arrays[1:])
    assert result.dtype == "float32"


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, lambda f: jax.grad(lambda *a: f(*a).sum())])
def test_two_dtypes_are_refused_by_the_names_of_the_arrays(wrap, genred, arrays):
    x, y, p = arrays
    with pytest.raises(ArgumentError, match="x has float32, y has float64"):
        wrap(genred)(x, y.astype("float64"), p)


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64"])
def test_other_dtypes_are_refused(dtype, genred, arrays):
    x, y, p = arrays
    with pytest.raises(ArgumentError, match=f"y has dtype {dtype}"):
        genred(x, y.astype(dtype), p)


@pytest.mark.parametrize("wrong", [[[1.0, 2.0]], None, "y", {"y": 1}, (1.0,), object()])
def test_what_is_no_array_is_refused(wrong, genred, arrays):
    x, _, p = arrays
    with pytest.raises(ArgumentTypeError, match=r"y must be a jax\.Array, a numpy"):
        genred(x, wrong, p)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_shapes_that_do_not_fit_are_refused_when_traced(wrap, genred, arrays):
    x, y, p = arrays
    with pytest.raises(ArgumentError, match=r"y .*takes 2 columns, got 1"):
        wrap(genred)(x, y[:, :1], p)
    with pytest.raises(ArgumentError, match=r"takes 3 arrays \(x, y, p\), got 2"):
        wrap(genred)(x, y)
    with pytest.raises(ArgumentError, match="Batch axes must have one length"):
        wrap(genred)(jnp.stack([x, x]), jnp.stack([y, y, y]), p)


@pytest.mark.parametrize("backend", ["auto", "GPU", "GPU_2D_device"])
def test_a_gpu_that_arrays_are_not_on_is_refused(backend, monkeypatch):
    there = SimpleNamespace(platform="gpu", local_hardware_id=1)
    monkeypatch.setattr(genred_of_jax, "_places", lambda args: [there])
    for right in (-1, 1):
        genred_of_jax._check_place([], backend, right)
    with pytest.raises(ArgumentError, match="device_id is 0, and an array is on"):
        genred_of_jax._check_place([], backend, 0)


def test_options_of_a_call(genred, arrays):
    expected = genred(*arrays)
    np.testing.assert_array_equal(genred(*arrays, backend="CPU", device_id=0), expected)
    if jax.default_backend() == "cpu":
        for given in (
            arrays,
            tuple(map(np.asarray, arrays)),
            (arrays[0], *map(np.asarray, arrays[1:])),
        ):
            with pytest.raises(NoBackendError, match="asks for a CUDA GPU, and JAX has none"):
                genred(*given, backend="GPU")
    with pytest.raises(ArgumentError, match="backend must be one of"):
        genred(*arrays, backend="TPU")
    with pytest.raises(ArgumentError, match="JAX arrays never change"):
        genred(*arrays, out=jnp.zeros((4, 1)))
    with pytest.raises(ArgumentError, match="ranges"):
        genred(*arrays, ranges=[np.zeros(2)])


def test_an_object_survives_pickling(genred, arrays):
    again = pickle.loads(pickle.dumps(genred))
    np.testing.assert_array_equal(again(*arrays), genred(*arrays))


def test_several_results_come_as_a_tuple(arrays):
    x, y, _ = arrays
    values, indices = Genred("SqDist(x,y)", ALIASES[:2], "Min_ArgMin", axis=1)(x, y)
    assert (values.dtype, indices.dtype) == ("float32", "int64")
    assert values.shape == indices.shape == (4, 1)
