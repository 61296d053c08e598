"""Reductions in plain XLA against the kernels: tiles, batches, ranges, special values, dtypes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.formula import REDUCTIONS
from jaxkeops.jax import Genred
from jaxkeops.jax.cluster import from_matrix
from jaxkeops.jax.xla import cut

ALIASES = ("g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)")
SCALAR, VECTOR, WEIGHT = "g * SqDist(x, y)", "Sin(x - y) * g", "b * b * Elem(x, 0) + 0.1"
GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"


def cases():
    for name, reduction in REDUCTIONS.items():
        weights = {"no": [None], "optional": [None, WEIGHT], "required": [WEIGHT]}
        for weight in weights[reduction.weights]:
            scalar = reduction.scalar or weight is not None
            yield pytest.param(
                name,
                SCALAR if scalar else VECTOR,
                weight,
                4 if reduction.counted else None,
                id=f"{name}{'_weighted' * (weight is not None)}",
            )


every_reduction = pytest.mark.parametrize(("name", "formula", "weight", "count"), list(cases()))


def sample(rng, M, N, dtype="float64", batches=((), (), (), ())):
    """Arrays for ALIASES, each with its own batch axes before the others."""
    sizes = ((1,), (M, 3), (N, 3), (N, 2))
    return [
        jnp.asarray(rng.uniform(0.2, 1, (*batch, *size)), dtype)
        for batch, size in zip(batches, sizes, strict=True)
    ]


def agree(found, right, digits=64):
    """The same trees; numbers up to `digits` units of their array's greatest."""
    found, right = jax.tree.leaves(found), jax.tree.leaves(right)
    assert [(a.shape, a.dtype) for a in found] == [(b.shape, b.dtype) for b in right]
    for a, b in zip(found, right, strict=True):
        if b.dtype.kind == "i":
            np.testing.assert_array_equal(a, b)
        else:
            bound = digits * float(jnp.finfo(b.dtype).eps)
            a, b = (np.asarray(each, float) for each in (a, b))
            scale = np.abs(np.where(np.isfinite(b), b, 0)).max(initial=1)
            np.testing.assert_allclose(a, b, rtol=0, atol=bound * scale)


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of at most 4 columns and 8 rows."""
    monkeypatch.setattr(cut, "COLUMNS", 4)
    monkeypatch.setattr(cut, "TILE_BYTES", 8 * 4 * 8)
    monkeypatch.setattr(cut, "RANGED_ROWS", 2)
    jax.clear_caches()
    yield
    jax.clear_caches()


@every_reduction
def test_rows_and_columns_that_do_not_fill_tiles(name, formula, weight, count, small_tiles, rng):
    genred = Genred(formula, ALIASES, name, axis=1, formula2=weight, opt_arg=count)
    arrays = sample(rng, 11, 13)
    agree(genred(*arrays, backend="XLA"), genred(*arrays))


@pytest.mark.parametrize("extents", [(0, 3), (3, 0), (1, 1)])
@pytest.mark.parametrize("name", ["Sum", "LogSumExp", "Max_ArgMax"])
def test_few_rows(name, extents, rng):
    genred = Genred(SCALAR, ALIASES, name, axis=1)
    arrays = sample(rng, *extents)
    agree(genred(*arrays, backend="XLA"), genred(*arrays))


ROWS, COLUMNS = np.array([[6, 9], [0, 2], [3, 6]]), np.array([[0, 5], [5, 6], [8, 13]])
MET = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], bool)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("name", "count"), [("Sum", None), ("LogSumExp", None), ("Max_ArgMax", None), ("KMin", 7)]
)
def test_blocks_of_rows_meet_their_columns(name, count, axis, small_tiles, rng):
    genred = Genred(SCALAR, ALIASES, name, axis=axis, opt_arg=count)
    arrays, ranges = sample(rng, 10, 13), from_matrix(ROWS, COLUMNS, MET)
    agree(genred(*arrays, ranges=ranges, backend="XLA"), genred(*arrays, ranges=ranges))


def test_columns_that_are_named_twice_count_twice_and_others_are_cut_off(rng):
    genred = Genred(SCALAR, ALIASES, axis=1)
    arrays = sample(rng, 3, 8)
    half = np.array([[0, 3]]), np.array([2]), np.array([[1, 5], [4, 99]])
    inside = np.array([[0, 3]]), np.array([2]), np.array([[1, 5], [4, 8]])
    found = genred(*arrays, ranges=(*half, *half), backend="XLA")
    agree(found, genred(*arrays, ranges=(*inside, *inside)))


@pytest.mark.parametrize(
    "batches",
    [
        ((2, 1), (1, 3), (2, 3), (2, 1)),
        ((1,), (6,), (1,), (6,)),
        ((), (1, 1), (), (1, 1)),
        ((0,), (0,), (1,), (0,)),
    ],
)
@pytest.mark.parametrize("tiles", ["small_tiles", "rng"], ids=["many_tiles", "one_tile"])
def test_batches(batches, tiles, request, rng):
    request.getfixturevalue(tiles)
    genred = Genred(GAUSSIAN, ALIASES, axis=1)
    arrays = sample(rng, 5, 6, batches=batches)
    agree(genred(*arrays, backend="XLA"), genred(*arrays))


@pytest.mark.parametrize("extent", [1, 3])
def test_batches_of_arrays_that_only_carry_an_extent(extent, rng):
    """Derivatives count terms by arrays of no columns."""
    genred = Genred("g * 2", ALIASES, axis=1)
    arrays = sample(rng, 5, 6, batches=((extent,),) * 4)
    slope = lambda backend: jax.grad(lambda g: genred(g, *arrays[1:], backend=backend).sum())
    agree(slope("XLA")(arrays[0]), slope("auto")(arrays[0]))


def test_ranges_serve_every_element_of_a_batch(rng):
    genred = Genred(GAUSSIAN, ALIASES, axis=1)
    arrays = sample(rng, 10, 13, batches=((3,), (3,), (1,), (1,)))
    ranges = from_matrix(ROWS, COLUMNS, MET)
    agree(genred(*arrays, ranges=ranges, backend="XLA"), genred(*arrays, ranges=ranges))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_other_dtypes(dtype, rng):
    genred = Genred(GAUSSIAN, ALIASES, axis=1)
    arrays = sample(rng, 20, 700, dtype)
    agree(genred(*arrays, backend="XLA"), genred(*arrays), digits=4)


@pytest.mark.parametrize(("D", "E", "together"), [(30, 1, True), (100, 60, False)])
def test_many_components(D, E, together, rng):
    """Squared distances by inner products, and by differences where rows lie together."""
    aliases = ("g = Pm(1)", f"x = Vi({D})", f"y = Vj({D})", f"b = Vj({E})")
    genred = Genred(GAUSSIAN, aliases, axis=1)
    y, b = (jnp.asarray(rng.normal(size=(50, width))) for width in (D, E))
    x = y[:20] + 1e-9 if together else jnp.asarray(rng.normal(size=(20, D)))
    arrays = jnp.asarray([0.5 / D]), x, y, b
    agree(genred(*arrays, backend="XLA"), genred(*arrays))


def test_many_components_that_are_no_squares(rng):
    genred = Genred("Sqrt(Sum(Abs(x - y))) * Sin(x * y)", ("x = Vi(21)", "y = Vj(21)"), axis=1)
    arrays = [jnp.asarray(rng.normal(size=(rows, 21))) for rows in (9, 30)]
    agree(genred(*arrays, backend="XLA"), genred(*arrays))


@pytest.mark.parametrize("name", ["Sum", "LogSumExp", "Min_ArgMin", "KMin_ArgKMin"])
def test_values_that_are_not_finite(name, rng):
    genred = Genred("x * y", ("x = Vi(1)", "y = Vj(1)"), name, axis=1, opt_arg=3 * ("K" in name))
    y = jnp.asarray([[1.0], [jnp.inf], [-2.0], [jnp.nan], [3.0]])
    x = jnp.asarray([[1.0], [-1.0], [jnp.inf]])
    for rows in (y, y[3:4]):
        agree(genred(x, rows, backend="XLA"), genred(x, rows))


def test_exponents_of_any_size(rng):
    genred = Genred("g * x * y", ("g = Pm(1)", "x = Vi(1)", "y = Vj(1)"), "LogSumExp", axis=1)
    x, y = (jnp.asarray(rng.normal(size=(rows, 1)), "float32") for rows in (20, 900))
    for size in (1e-30, 1.0, 1e4, 1e30):
        arrays = jnp.asarray([size], "float32"), x, y
        agree(genred(*arrays, backend="XLA"), genred(*arrays), digits=4)


def test_sums_of_a_million_terms_keep_the_digits_of_float32(rng):
    genred = Genred("Exp(-SqDist(x, y))", ("x = Vi(1)", "y = Vj(1)"), axis=1)
    x, y = (rng.uniform(size=(rows, 1)).astype("float32") for rows in (3, 10**6))
    right = np.exp(-((x.astype(float) - y.T) ** 2)).sum(1, keepdims=True)
    found = np.asarray(genred(x, y, backend="XLA"), float)
    assert np.abs(found / right - 1).max() < 2 * np.finfo("float32").eps


@pytest.mark.parametrize(
    ("name", "count", "D"),
    [("Sum", None, 100), ("LogSumExp", None, 3), ("KMin", 20, 3)],
)
def test_memory_is_that_of_some_tiles(name, count, D):
    genred = Genred("-SqDist(x, y)", (f"x = Vi({D})", f"y = Vj({D})"), name, axis=1, opt_arg=count)
    arrays = [jax.ShapeDtypeStruct((10**5, D), "float32")] * 2
    program = jax.jit(lambda *args: genred(*args, backend="XLA")).lower(*arrays).compile()
    assert program.memory_analysis().temp_size_in_bytes <= 8 * cut.TILE_BYTES
