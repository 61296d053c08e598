"""Block-sparse ranges under every transformation, against dense functions with a mask."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.jax import Genred

M, N = 9, 11
ALIASES = ("x = Vi(2)", "y = Vj(2)", "p = Pm(1)")
ROWS = np.array([[6, 9], [0, 2], [3, 6]])  # row 2 is in no block
COLUMNS = np.array([[0, 4], [4, 5], [8, 11]])
MET = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], bool)  # nor do rows 0 and 1 meet a column


def ranges_of(rows, columns, met):
    """The six arrays of the blocks of pairs that `met` holds."""

    def half(kept, reduced, table):
        lists = [reduced[there] for there in table]
        return kept, np.cumsum([len(blocks) for blocks in lists]), np.concatenate(lists)

    return (*half(rows, columns, met), *half(columns, rows, met.T))


RANGES = ranges_of(ROWS, COLUMNS, MET)
MASK = np.zeros((M, N), bool)
for (a, b), there in zip(ROWS, MET, strict=True):
    for c, d in COLUMNS[there]:
        MASK[a:b, c:d] = True


def finite(result):
    result = jax.tree.leaves(result)[0]
    return jnp.where(jnp.isfinite(result), result, 0)


def least(terms, mask, count):
    """Ascending, zeros where there are too few."""
    order = jnp.argsort(jax.lax.stop_gradient(jnp.where(mask, terms, jnp.inf)), 1)[:, :count]
    there = jnp.take_along_axis(mask, order, 1)
    return jnp.where(there, jnp.take_along_axis(terms, order, 1), 0)


REDUCTIONS = {
    "Sum": lambda terms, mask: (terms * mask).sum(1, keepdims=True),
    "LogSumExp": lambda terms, mask: finite(jax.nn.logsumexp(terms, 1, where=mask, keepdims=True)),
    "Min_ArgMin": lambda terms, mask: least(terms, mask, 1),
    "KMin": lambda terms, mask: least(terms, mask, 4),
}
every_reduction = pytest.mark.parametrize("name", REDUCTIONS)


def pair(name, axis=1, ranges=RANGES):
    """The reduction with ranges, and its dense function."""
    genred = Genred("p * SqDist(x, y)", ALIASES, name, axis, opt_arg=4 if name == "KMin" else None)

    def dense(x, y, p):
        terms, mask = p * ((x[:, None] - y) ** 2).sum(-1), jnp.asarray(MASK)
        return REDUCTIONS[name](*((terms, mask) if axis == 1 else (terms.T, mask.T)))

    return lambda *arrays: finite(genred(*arrays, ranges=ranges)), dense


@pytest.fixture
def arrays(rng):
    return tuple(jnp.asarray(rng.uniform(0.2, 1, shape)) for shape in ((M, 2), (N, 2), (1,)))


@pytest.mark.parametrize("axis", [0, 1])
@every_reduction
def test_values_and_gradients_over_either_axis(name, axis, arrays, loss, agree):
    sparse, dense = pair(name, axis)
    agree(sparse(*arrays), dense(*arrays))
    slopes = lambda function: jax.jit(jax.value_and_grad(loss(function), (0, 1, 2)))(*arrays)
    agree(slopes(sparse), slopes(dense))


@pytest.mark.parametrize("name", ["LogSumExp", "KMin"])
def test_second_derivatives(name, arrays, loss, agree):
    sparse, dense = pair(name)
    hessian = lambda function: jax.jit(jax.jacfwd(jax.grad(loss(function), (1, 2)), (0, 2)))
    agree(hessian(sparse)(*arrays), hessian(dense)(*arrays))


def test_third_derivatives(arrays, loss, agree):
    sparse, dense = pair("LogSumExp", 0)
    third = lambda function: jax.jit(jax.jacfwd(jax.jacrev(jax.grad(loss(function), 2), 0), 2))
    agree(third(sparse)(*arrays), third(dense)(*arrays))


def test_mapped_arrays_share_the_ranges(arrays, loss, agree):
    x, y, p = arrays
    many = x, jnp.stack([y, 2 * y, 3 * y]), p
    for name in ("Sum", "Min_ArgMin"):
        sparse, dense = pair(name)
        mapped = lambda function: jax.jit(
            jax.vmap(jax.value_and_grad(loss(function), (0, 1, 2)), (None, 0, None))
        )
        agree(mapped(sparse)(*many), mapped(dense)(*many))


def test_mapped_ranges_are_refused(arrays):
    blocks = jnp.stack([RANGES[0], RANGES[0]])
    with pytest.raises(ArgumentError, match="vmap cannot map ranges"):
        jax.vmap(lambda first: pair("Sum", ranges=(first, *RANGES[1:]))[0](*arrays))(blocks)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_ranges_may_be_traced_and_of_any_integer_dtype(dtype, arrays, loss, agree):
    given = tuple(jnp.asarray(array, dtype) for array in RANGES)
    slopes = jax.jit(
        lambda ranges, *a: jax.grad(loss(pair("LogSumExp", ranges=ranges)[0]), (0, 1, 2))(*a)
    )
    dense = jax.jit(jax.grad(loss(pair("LogSumExp")[1]), (0, 1, 2)))
    agree(slopes(given, *arrays), dense(*arrays))


def test_ranges_may_be_lists_and_are_int32_without_x64(rng, loss, agree):
    with jax.enable_x64(False):
        arrays = [jnp.asarray(rng.uniform(0.2, 1, shape)) for shape in ((M, 2), (N, 2), (1,))]
        sparse, dense = pair("Min_ArgMin", ranges=[array.tolist() for array in RANGES])
        slopes = lambda function: jax.jit(jax.grad(loss(function), (0, 1, 2)))(*arrays)
        agree(slopes(sparse), slopes(dense))


def test_ranges_have_no_derivative(arrays, agree):
    sum_of = lambda ranges, x: pair("Sum", ranges=ranges)[0](x, *arrays[1:])
    still = tuple(np.zeros(array.shape, jax.dtypes.float0) for array in RANGES)
    given = tuple(map(jnp.asarray, RANGES))
    _, found = jax.jvp(sum_of, (given, arrays[0]), (still, arrays[0]))
    dense = lambda x: pair("Sum")[1](x, *arrays[1:])
    agree(found, jax.jvp(dense, (arrays[0],), (arrays[0],))[1])


def test_blocks_taken_twice_count_twice(arrays, loss, agree):
    ranges = (
        np.array([[0, M]]),
        np.array([2]),
        np.array([[0, N], [2, 5]]),
        np.array([[0, 2], [2, 5], [5, N]]),
        np.array([1, 3, 4]),
        np.array([[0, M]] * 4),
    )
    times = 1.0 + ((np.arange(N) >= 2) & (np.arange(N) < 5))
    dense = lambda x, y, p: (times * p * ((x[:, None] - y) ** 2).sum(-1)).sum(1, keepdims=True)
    slopes = lambda function: jax.jit(jax.grad(loss(function), (0, 1, 2)))(*arrays)
    agree(slopes(pair("Sum", ranges=ranges)[0]), slopes(dense))


def test_ranges_in_loops_and_checkpoints(arrays, agree):
    x, y, p = arrays

    def run(function):
        step = jax.checkpoint(lambda x, _: (x - 0.01 * function(x, y, p), None))
        return jax.jit(jax.grad(lambda x: (jax.lax.scan(step, x, None, 3)[0] ** 2).sum()))(x)

    sparse, dense = pair("LogSumExp")
    agree(run(sparse), run(dense))


def test_each_step_of_a_map_may_have_its_own_ranges(arrays, agree):
    flipped = ranges_of(ROWS, COLUMNS, MET[:, ::-1])
    both = tuple(jnp.stack(arrays_) for arrays_ in zip(RANGES, flipped, strict=True))
    found = jax.lax.map(lambda ranges: pair("Sum", ranges=ranges)[0](*arrays), both)
    for result, ranges in zip(found, (RANGES, flipped), strict=True):
        agree(result, pair("Sum", ranges=ranges)[0](*arrays))


def test_a_program_hands_over_the_half_that_it_reads(arrays):
    sparse, _ = pair("Sum")
    text = jax.jit(sparse).lower(*arrays).as_text()
    (call,) = (line for line in text.splitlines() if "@jaxkeops_reduce" in line)
    assert call.split("-> ")[0].count("xi64>") == 3


@pytest.mark.parametrize(
    ("place", "wrong", "error", "message"),
    [
        (slice(5), None, ArgumentError, "six integer arrays .*, got 5"),
        (0, RANGES[0].astype(float), ArgumentError, "ranges_i holds integers, got dtype float64"),
        (2, RANGES[2][:, :1], ArgumentError, r"redranges_j holds .* expected shape \(blocks, 2\)"),
        (4, RANGES[4][:-1], ArgumentError, r"slices_j holds .* expected shape \(3,\), got \(2,\)"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_what_is_wrong_when_traced_is_told_by_name(wrap, place, wrong, error, message, arrays):
    ranges = RANGES[place] if wrong is None else (*RANGES[:place], wrong, *RANGES[place + 1 :])
    with pytest.raises(error, match=message):
        wrap(pair("Sum", ranges=ranges)[0])(*arrays)


def test_what_is_no_tuple_is_refused(arrays):
    with pytest.raises(ArgumentTypeError, match="tuple of six integer arrays"):
        pair("Sum", ranges=3)[0](*arrays)


def test_wrong_numbers_are_told_when_the_reduction_runs(arrays):
    sparse, _ = pair("Sum", ranges=(RANGES[0] + M, *RANGES[1:]))
    for function in (sparse, jax.jit(sparse), sparse):
        # Which of the two depends on whether JAX waits for the result.
        with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match=r"not within \[0, 9\]"):
            np.asarray(function(*arrays))


@pytest.mark.parametrize(("rows", "columns"), [(M, N), (0, N), (M, 0)])
def test_without_blocks_every_row_is_empty(rows, columns, agree):
    none = np.zeros((0, 2), int), np.zeros(0, int), np.zeros((0, 2), int)
    arrays = jnp.ones((rows, 2)), jnp.zeros((columns, 2)), jnp.ones(1)
    sparse, _ = pair("Sum", ranges=(*none, *none))
    agree(sparse(*arrays), jnp.zeros((rows, 1)))
    found = jax.grad(lambda *a: sparse(*a).sum(), (0, 1, 2))(*arrays)
    agree(found, tuple(map(jnp.zeros_like, arrays)))
