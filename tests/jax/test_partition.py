"""Arrays that lie on many devices, under jit: who computes what, and what is exchanged."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from collectives import collectives, compiled, gathered
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from jaxkeops.jax import Genred

M, N = 24, 16


@pytest.fixture
def grid():
    """Eight devices, four times two."""
    return jax.make_mesh((4, 2), ("r", "c"), axis_types=(AxisType.Auto,) * 2)


@pytest.fixture
def spread(grid, rng):
    """Arrays for the aliases of a case, rows i and j along the mesh axes that are named."""

    def make(case, i, j, rows=(M, N)):
        arrays = []
        for alias, shape in zip(case.aliases, case.shapes, strict=True):
            axis = {"Vi": 0, "Vj": 1}.get(alias.split(" = ")[1][:2])
            count = () if axis is None else (rows[axis],)
            spec = P() if axis is None else P((i, j)[axis])
            array = jnp.asarray(rng.uniform(0.2, 1, (*count, shape[-1])))
            arrays.append(jax.device_put(array, NamedSharding(grid, spec)))
        return arrays

    return make


def dense(case, *arrays):
    return case.dense(*(jnp.asarray(np.asarray(array)) for array in arrays))


def checked(case, agree, arrays):
    program = compiled(case.genred, *arrays)
    agree(program(*arrays), dense(case, *arrays))
    return program


@pytest.mark.parametrize("i", ["r", ("r", "c"), ("c", "r")], ids=str)
def test_rows_on_many_devices_need_no_communication(i, gaussian, spread, agree):
    arrays = spread(gaussian, i, None)
    program = checked(gaussian, agree, arrays)
    assert collectives(program) == {}
    assert program.output_shardings.spec == arrays[0].sharding.spec


SPLITS = {
    "columns": (None, ("r", "c")),
    "columns, minor axis first": (None, ("c", "r")),
    "rows and columns": ("r", "c"),
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_sum_over_columns_on_many_devices_is_one_all_reduce(split, gaussian, spread, agree):
    program = checked(gaussian, agree, spread(gaussian, *SPLITS[split]))
    assert collectives(program) == {"all-reduce": 1}


def test_every_reduction_is_merged_from_its_parts(reduced_case, spread, agree):
    arrays = spread(reduced_case, *SPLITS["columns, minor axis first"])
    program = compiled(first(reduced_case), *arrays)
    agree(program(*arrays), dense(reduced_case, *arrays))
    assert collectives(program)
    # Lists of K least values are gathered, once they are merged; columns never are.
    assert gathered(program) <= math.prod(program.out_info.shape)


@pytest.mark.parametrize("name", ["LogSumExp_with_weights", "KMin_2", "Max_of_vectors"])
def test_rows_alone_need_no_merging(name, reduced_by_name, spread, agree):
    program = checked(reduced_by_name[name], agree, spread(reduced_by_name[name], "r", None))
    assert collectives(program) == {}


def first(case):
    """The values, where there are rows as well."""

    def of(*arrays):
        results = case.genred(*arrays)
        return results[0] if isinstance(results, tuple) else results

    return of


ROWS = {
    "ArgMin": ("SqDist(x, y)", None),
    "ArgMax": ("Sin(x - y)", None),
    "ArgKMin": ("SqDist(x, y)", 3),
    "KMin_ArgKMin": ("Sin(x - y)", 5),
    "Min_ArgMin": ("Sin(x - y)", None),
}


@pytest.mark.parametrize("reduction", ROWS)
def test_row_numbers_count_the_columns_of_all_devices(reduction, grid, rng):
    formula, count = ROWS[reduction]
    genred = Genred(formula, ["x = Vi(2)", "y = Vj(2)"], reduction, axis=1, opt_arg=count)
    x = jnp.asarray(rng.integers(0, 3, (M, 2)), float)  # many are equally near
    y = jnp.asarray(rng.integers(0, 3, (N, 2)), float)
    expected = jax.tree.map(np.asarray, genred(x, y))
    for i, j in ((None, ("r", "c")), ("r", "c"), (None, ("c", "r")), ("r", None)):
        columns = jax.device_put(y, NamedSharding(grid, P(j)))
        found = jax.jit(genred)(jax.device_put(x, NamedSharding(grid, P(i))), columns)
        jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("reduction", ["ArgMin", "ArgKMin"])
def test_rows_stay_zero_where_nothing_is_found(reduction, grid):
    genred = Genred(
        "x / y",
        ["x = Vi(1)", "y = Vj(1)"],
        reduction,
        axis=1,
        opt_arg=3 if "K" in reduction else None,
    )
    y = jax.device_put(jnp.zeros((8, 1)), NamedSharding(grid, P(("r", "c"))))
    x = jax.device_put(jnp.ones((2, 1)), NamedSharding(grid, P()))
    np.testing.assert_array_equal(jax.jit(genred)(x, y), 0)  # 1 / 0 is no better than the start


SPECIAL = {"inf": [np.inf, 1.0], "nothing": [-np.inf, -np.inf], "some": [-np.inf, 2.0]}


@pytest.mark.parametrize("values", SPECIAL)
@pytest.mark.parametrize("reduction", ["LogSumExp", "LogSumExpWeight", "Max_SumShiftExp"])
def test_infinities_are_merged_as_they_are_reduced(reduction, values, grid):
    weight = "b" if "Weight" in reduction else None
    aliases = ["x = Vi(1)", "y = Vj(1)", "b = Vj(2)"]
    genred = Genred("x + y", aliases, reduction, axis=1, formula2=weight)
    y = jnp.repeat(jnp.asarray(SPECIAL[values]), 4)[:, None]
    x, b = jnp.zeros((1, 1)), jnp.asarray([[1.0, 2.0], [3.0, 4.0]] * 4)
    expected = np.asarray(genred(x, y, b))
    columns = NamedSharding(grid, P(("r", "c")))
    x = jax.device_put(x, NamedSharding(grid, P()))
    found = jax.jit(genred)(x, *jax.device_put((y, b), columns))
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_weights_of_both_signs_have_a_logarithm_where_their_sum_has(grid):
    genred = Genred(
        "x + y", ["x = Vi(1)", "y = Vj(1)", "b = Vj(1)"], "LogSumExp", axis=1, formula2="b"
    )
    y = jnp.zeros((8, 1))
    b = jnp.asarray([[-1.0]] * 4 + [[3.0]] * 4)  # in a half of the devices there is no logarithm
    x = jax.device_put(jnp.zeros((1, 1)), NamedSharding(grid, P()))
    found = jax.jit(genred)(x, *jax.device_put((y, b), NamedSharding(grid, P(("r", "c")))))
    np.testing.assert_allclose(found, math.log(8), rtol=1e-15)


@pytest.mark.parametrize(("i", "j", "count"), [("r", None, 1), ("r", "c", 3), (None, "r", 2)])
def test_gradients_stay_where_the_arrays_are(i, j, count, gaussian, spread, loss, agree):
    arrays = spread(gaussian, i, j)
    slope = lambda function: jax.grad(loss(function), gaussian.slots)
    program = compiled(slope(gaussian.genred), *arrays)
    found = program(*arrays)
    agree(found, dense_slope(gaussian, slope, arrays))
    assert collectives(program) == {"all-reduce": count}
    for gradient, array in zip(found, arrays, strict=True):
        assert gradient.sharding.is_equivalent_to(array.sharding, array.ndim)


def dense_slope(case, slope, arrays):
    return slope(case.dense)(*(jnp.asarray(np.asarray(array)) for array in arrays))


# Of each way to differentiate, one.
DIFFERENTIATED = (
    "LogSumExp_with_weights",
    "SumSoftMaxWeight_with_weights",
    "Max_of_vectors",
    "KMin_2",
)


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_other_reductions_have_their_gradients(name, reduced_by_name, spread, loss, agree):
    case = reduced_by_name[name]
    arrays = spread(case, "r", "c")
    slope = lambda function: jax.grad(loss(function), case.slots)
    agree(jax.jit(slope(first(case)))(*arrays), dense_slope(case, slope, arrays))


def test_a_product_with_the_hessian(gaussian, spread, agree):
    arrays = spread(gaussian, "r", "c")

    def product(function):
        total = lambda x: (function(x, *arrays[1:]) ** 2).sum()
        return lambda x: jax.jvp(jax.grad(total), (x,), (jnp.ones_like(x),))[1]

    agree(jax.jit(product(gaussian.genred))(arrays[0]), product(gaussian.dense)(arrays[0]))


@pytest.mark.parametrize(
    ("b", "i", "j", "count"), [("r", None, None, 0), ("r", "c", None, 0), ("r", None, "c", 1)]
)
def test_batches_on_many_devices(b, i, j, count, gaussian, spread, grid, agree, rng):
    _, y, weights, _ = spread(gaussian, i, j)
    x = jnp.asarray(rng.uniform(0.2, 1, (4, M, 3)))
    p = jnp.asarray(rng.uniform(0.2, 1, (4, 1)))
    x, p = (jax.device_put(a, NamedSharding(grid, P(b, *s))) for a, s in ((x, (i,)), (p, ())))
    each = lambda function: jax.vmap(function, (0, None, None, 0))
    program = compiled(each(gaussian.genred), x, y, weights, p)
    agree(
        program(x, y, weights, p),
        each(gaussian.dense)(*jax.tree.map(jnp.asarray, jax.device_get((x, y, weights, p)))),
    )
    assert collectives(program) == ({"all-reduce": count} if count else {})


def test_a_reduction_over_i_sums_the_parts_of_i(by_name, spread, agree):
    case = by_name["gaussian_over_i"]
    program = checked(case, agree, spread(case, "r", "c"))
    assert collectives(program) == {"all-reduce": 1}


# Rows that no count of devices divides: XLA pads the arrays with what happens to be in memory.
UNEVEN = {
    "columns": (None, "r"),
    "all": (None, ("r", "c")),
    "rows": ("r", None),
    "both": ("r", "c"),
}


@pytest.mark.parametrize("split", UNEVEN)
def test_uneven_rows_and_columns(split, gaussian, spread, loss, agree):
    arrays = spread(gaussian, *UNEVEN[split])
    cut = lambda function: lambda x, y, b, p: function(x[:-3], y[:-3] * 1, b[:-3] * 1, p)
    program = compiled(cut(gaussian.genred), *arrays)
    local = [jnp.asarray(np.asarray(array)) for array in arrays]
    agree(program(*arrays), cut(gaussian.dense)(*local))
    slope = lambda function: jax.grad(loss(cut(function)), gaussian.slots)
    agree(jax.jit(slope(gaussian.genred))(*arrays), slope(gaussian.dense)(*local))


def test_columns_that_some_devices_have_none_of(spread, reduced_by_name, agree):
    case = reduced_by_name["SumSoftMaxWeight_with_weights"]
    arrays = spread(case, None, ("r", "c"))
    cut = lambda function: lambda x, y, b, p: function(x, y[:3], b[:3], p)
    local = [jnp.asarray(np.asarray(array)) for array in arrays]
    agree(jax.jit(cut(case.genred))(*arrays), cut(case.dense)(*local))


@pytest.mark.parametrize(("rows", "kept"), [((256, 8), "columns"), ((8, 256), "rows")])
def test_what_is_less_is_gathered_where_one_axis_splits_both(rows, kept, gaussian, spread, agree):
    program = checked(gaussian, agree, spread(gaussian, "r", "r", rows))
    fewest = min(rows)
    assert gathered(program) == 3 * fewest, kept


@pytest.mark.parametrize("reduction", ["Sum", "LogSumExp", "KMin"])
def test_columns_too_many_to_be_gathered_go_round(reduction, spread, agree, monkeypatch, by_name):
    monkeypatch.setattr("jaxkeops.jax.layout.RING_BYTES", 0)
    case = by_name["gaussian" if reduction == "Sum" else "log_sum_exp"]
    count = 3 if reduction == "KMin" else None
    genred = Genred(case.formula, case.aliases, reduction, axis=1, opt_arg=count)
    arrays = spread(case, ("r", "c"), "r", (64, 16))
    program = compiled(genred, *arrays)
    agree(program(*arrays), genred(*(jnp.asarray(np.asarray(array)) for array in arrays)))
    assert set(collectives(program)) == {"collective-permute"}


RANGES = (
    np.array([[0, 5], [5, 20], [22, 24]]),
    np.array([1, 3, 4]),
    np.array([[2, 9], [0, 4], [8, 16], [15, 16]]),
    np.array([[0, 2], [2, 4], [4, 8], [8, 9], [9, 15], [15, 16]]),
    np.array([1, 3, 4, 6, 7, 9]),
    np.array([[5, 20], [0, 5], [5, 20], [0, 5], [0, 5], [5, 20], [5, 20], [5, 20], [22, 24]]),
)


@pytest.mark.parametrize("split", [("r", None), (None, ("r", "c")), ("r", "c")], ids=str)
def test_ranges_are_cut_to_each_device(split, gaussian, spread, loss, agree):
    arrays = spread(gaussian, *split)
    local = [jnp.asarray(np.asarray(array)) for array in arrays]
    call = lambda *a: gaussian.genred(*a, ranges=RANGES)
    agree(jax.jit(call)(*arrays), call(*local))
    slope = jax.grad(loss(call), gaussian.slots)
    agree(jax.jit(slope)(*arrays), slope(*local))


def test_halves_are_rounded_once(gaussian, spread):
    arrays = [array.astype("bfloat16") for array in spread(gaussian, None, ("r", "c"))]
    local = [jnp.asarray(np.asarray(array)) for array in arrays]
    found = jax.jit(gaussian.genred)(*arrays)
    assert found.dtype == "bfloat16"
    np.testing.assert_array_equal(found, gaussian.genred(*local))


def test_without_64_bits(gaussian, spread, agree):
    arrays = [np.asarray(array) for array in spread(gaussian, None, None)]
    nearest = Genred("SqDist(x, y)", ["x = Vi(3)", "y = Vj(3)"], "ArgMin", axis=1)
    with jax.enable_x64(False):
        mesh = jax.make_mesh((8,), ("r",), axis_types=(AxisType.Auto,))
        columns, whole = NamedSharding(mesh, P("r")), NamedSharding(mesh, P())
        places = (whole, columns, columns, whole)
        given = [jax.device_put(a, s) for a, s in zip(arrays, places, strict=True)]
        agree(jax.jit(gaussian.genred)(*given), gaussian.dense(*map(jnp.asarray, arrays)))
        rows = jax.jit(nearest)(*given[:2])
        assert rows.dtype == "int32"
        np.testing.assert_array_equal(rows, nearest(*arrays[:2]))
        slope = jax.jit(jax.grad(lambda *a: gaussian.genred(*a).sum(), gaussian.slots))
        agree(slope(*given), slope(*map(jnp.asarray, arrays)))
