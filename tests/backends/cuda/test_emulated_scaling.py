"""Rows and columns that are scaled for exponents: as accurate as differences, whatever the data."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from emulation import Emulated, Pattern, build, eps_of
from samples import SMALL, program_of

from jaxkeops.backends import cuda
from jaxkeops.backends.cuda.scaling import scaling_of

pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
ALIASES = [
    "g = Pm(1)",
    "s = Pm(3)",
    "x = Vi(3)",
    "y = Vj(3)",
    "b = Vj(2)",
    "v = Vi(2)",
    "w = Vj(2)",
]
M, N = 150, 203
# A power may be off by so many units of rounding: what texts/scaled.cuh says, and ten for the power
# itself and for what the exact way rounds as well.
UNITS = 16 + 10
Arrays = dict[str, np.ndarray]


def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x[:, None] - y[None]) ** 2).sum(-1)


# Formulas, and what their powers are of arrays in float64: (M, N).
SAMPLES = {
    "gaussian": ("Exp(-g * SqDist(x, y)) * b", lambda a: -a["g"] * squares(a["x"], a["y"])),
    "constant": ("Exp(-SqDist(x, y) / 2) * b", lambda a: -squares(a["x"], a["y"]) / 2),
    "weights": (
        "Exp(-WeightedSqDist(s, x, y)) * b",
        lambda a: -squares(a["x"] * np.sqrt(a["s"]), a["y"] * np.sqrt(a["s"])),
    ),
    "lengths": (
        "Exp(-SqNorm2((y - x) / s)) * b",
        lambda a: -squares(a["x"] / a["s"], a["y"] / a["s"]),
    ),
    "two": (
        "Exp(-g * SqDist(x, y)) * Exp(-SqDist(v, w)) * b",
        lambda a: -a["g"] * squares(a["x"], a["y"]) - squares(a["v"], a["w"]),
    ),
}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[tuple[str, str], tuple[Emulated, Emulated]]:
    """Of each sample: one that scales rows where they are near, and one that never does."""
    wanted = {
        (name, dtype): program_of("Sum", formula, dtype, ALIASES)
        for name, (formula, _) in SAMPLES.items()
        for dtype in ("float32", "float64")
    }
    cuts = replace(SMALL, scaled=True), SMALL
    texts = [(each, cuda.emit(each, cut)) for each in wanted.values() for cut in cuts]
    built = iter(build(tmp_path_factory.mktemp("scaled"), texts))
    return {key: (next(built), next(built)) for key in wanted}


def drawn(rng: np.random.Generator, dtype: str) -> Arrays:
    """Rows and columns within 1 of each other, with weights of both signs."""
    rows = {"x": M, "y": N, "b": N, "v": M, "w": N}
    dims = {"b": 2, "v": 2, "w": 2}
    arrays = {k: rng.uniform(-0.5, 0.5, (n, dims.get(k, 3))) for k, n in rows.items()}
    arrays |= {"g": np.array([0.7]), "s": rng.uniform(0.5, 1.0, 3)}
    return {name: array.astype(dtype) for name, array in arrays.items()}


def run(kernel: Emulated, arrays: Arrays, **options) -> np.ndarray:
    ordered = [arrays[alias.split()[0]] for alias in ALIASES]
    return kernel.run(ordered, len(arrays["x"]), len(arrays["y"]), **options)[0]


def check(kernels, name: str, dtype: str, arrays: Arrays, *, scaled: bool) -> None:
    """Both kernels are right; their bits are the same if and only if no row was scaled."""
    near, exact = kernels[name, dtype]
    results = [run(kernel, arrays) for kernel in (near, exact)]
    assert np.array_equal(*results, equal_nan=True) != scaled
    with np.errstate(all="ignore"):
        wide = {key: array.astype(np.longdouble) for key, array in arrays.items()}
        powers = np.exp(SAMPLES[name][1](wide))
        expected = powers @ wide["b"]
    known = np.isfinite(expected).all(-1)
    bound = UNITS * eps_of(near.program) / 2 * np.abs(wide["b"]).sum(0)
    for result in results:
        assert (np.abs(result - expected)[known] <= bound).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SAMPLES)
def test_near_rows_are_scaled(name, dtype, kernels, rng):
    check(kernels, name, dtype, drawn(rng, dtype), scaled=True)


@pytest.mark.parametrize("name", ["gaussian", "weights"])
@pytest.mark.parametrize("shift", [1e2, 1e4])
def test_off_centre_rows_are_moved(shift, name, kernels, rng):
    arrays = drawn(rng, "float32")
    for key in "xy":
        # What is left of the digits has to be the same on both sides of the comparison.
        arrays[key] = arrays[key] + np.float32(shift)
    check(kernels, name, "float32", arrays, scaled=True)


def test_columns_may_lie_anywhere(kernels, rng):
    arrays = drawn(rng, "float32")
    arrays["y"] = arrays["y"] * np.logspace(-3, 4, N, dtype="float32")[:, None]
    check(kernels, "gaussian", "float32", arrays, scaled=True)
    arrays["y"] += np.float32(5)
    check(kernels, "gaussian", "float32", arrays, scaled=True)


@pytest.mark.parametrize("name", ["gaussian", "lengths"])
def test_wide_rows_stay_as_they_are(name, kernels, rng):
    arrays = drawn(rng, "float32")
    arrays["x"] = 60 * arrays["x"]
    arrays["y"] = arrays["x"][rng.integers(M, size=N)] + arrays["y"] / 8
    check(kernels, name, "float32", arrays, scaled=False)


def test_blocks_choose_for_themselves(kernels, rng):
    """One row far away: its block is computed as before, the others are scaled."""
    arrays = drawn(rng, "float32")
    arrays["x"][70] = 100
    near, exact = kernels["gaussian", "float32"]
    same = (run(near, arrays) == run(exact, arrays)).all(-1)
    assert same[64:128].all()
    assert not same[:64].all()
    assert not same[128:].all()
    check(kernels, "gaussian", "float32", arrays, scaled=True)


@pytest.mark.parametrize("g", [1e-30, 1e-6, 1e6, 1e30])
def test_any_size_of_the_factor(g, kernels, rng):
    arrays = drawn(rng, "float32")
    arrays["g"][:] = g
    for key in "xy":
        arrays[key] *= np.float32(1 / np.sqrt(g))
    check(kernels, "gaussian", "float32", arrays, scaled=True)


@pytest.mark.parametrize("g", [-0.7, 0.0, np.nan, np.inf, 1e-44])
def test_factors_that_have_no_root_leave_all_as_it_is(g, kernels, rng):
    arrays = drawn(rng, "float32")
    arrays["g"][:] = g
    near, exact = kernels["gaussian", "float32"]
    np.testing.assert_array_equal(run(near, arrays), run(exact, arrays))


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_must_all_have_a_root(sign, kernels, rng):
    arrays = drawn(rng, "float32")
    arrays["s"][1] *= sign
    near, exact = kernels["weights", "float32"]
    assert np.array_equal(run(near, arrays), run(exact, arrays)) == (sign < 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_are_none_do_what_they_did(value, kernels, rng):
    near, exact = kernels["gaussian", "float32"]
    for key, place in (("x", (3, 1)), ("x", (0, 0)), ("y", (5, 2)), ("b", (9, 0))):
        arrays = drawn(rng, "float32")
        arrays[key][place] = value
        results = [run(kernel, arrays) for kernel in (near, exact)]
        np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_equal_rows_have_distance_0(shift, kernels, rng):
    """Powers of all other columns are 0: what remains is b, not rounded once."""
    near, _ = kernels["gaussian", "float32"]
    arrays = drawn(rng, "float32")
    arrays["x"] = arrays["x"] + np.float32(shift)
    arrays["y"][:] = shift + 1e3
    place = rng.integers(N, size=M)
    for row in range(0, M, 50):
        arrays["y"][place[row]] = arrays["x"][row]
        result = run(near, arrays)[row]
        np.testing.assert_array_equal(result, arrays["b"][place[row]])
        arrays["y"][place[row]] = shift + 1e3


@pytest.fixture(scope="module")
def log_sums(tmp_path_factory) -> dict[tuple[str, str], tuple[Emulated, Emulated]]:
    """The same of logarithms of sums, and of means with such weights; references may be exact."""
    formula = "-g * SqDist(x, y)"
    wanted = {
        (name, dtype): program_of(name, formula, dtype, ALIASES, weight)
        for name, weight in (
            ("LogSumExp", None),
            ("SumSoftMaxWeight", "b"),
            ("Max_SumShiftExp", None),
        )
        for dtype in ("float32", "float64")
    }
    cuts = replace(SMALL, scaled=True), SMALL
    texts = [(each, cuda.emit(each, cut)) for each in wanted.values() for cut in cuts]
    built = iter(build(tmp_path_factory.mktemp("logarithms"), texts))
    return {key: (next(built), next(built)) for key in wanted}


def of_exponents(name: str, arrays: Arrays) -> np.ndarray:
    wide = {key: array.astype(np.float64) for key, array in arrays.items()}
    exponents = -wide["g"] * squares(wide["x"], wide["y"])
    top = exponents.max(1, keepdims=True)
    powers = np.exp(exponents - top)
    total = powers.sum(1, keepdims=True)
    match name:
        case "LogSumExp":
            return top + np.log(total)
        case "SumSoftMaxWeight":
            return powers @ wide["b"] / total
    return np.concatenate([top, total], 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["LogSumExp", "SumSoftMaxWeight", "Max_SumShiftExp"])
@pytest.mark.parametrize("columns", ["near", "far", "nearer and nearer", "everywhere"])
def test_exponents_may_start_from_a_reference(name, columns, dtype, log_sums, rng):
    near, exact = log_sums[name, dtype]
    arrays = drawn(rng, dtype)
    match columns:
        case "far":
            arrays["y"] += 9
        case "nearer and nearer":
            arrays["y"] += np.linspace(30, 0, N, dtype=dtype)[:, None]
        case "everywhere":
            arrays["y"] *= np.logspace(-2, 3, N, dtype=dtype)[rng.permutation(N), None]
    expected = of_exponents(name, arrays)
    # Exponents are as large as the least distance says: that many roundings of them count.
    least = squares(arrays["x"].astype(float), arrays["y"].astype(float)).min(1)
    bound = (UNITS * (1 + least) * eps_of(near.program) * (1 + np.abs(expected).max(0))[:, None]).T
    for splits in (1, 3):
        for order in (0, 2):
            results = [run(each, arrays, splits=splits, order=order) for each in (near, exact)]
            assert not np.array_equal(*results)
            for result in results:
                assert (np.abs(result - expected) <= bound).all()
    arrays["x"] *= 90
    np.testing.assert_array_equal(run(near, arrays), run(exact, arrays))


def test_masks_and_numbers_that_are_none_in_exponents(log_sums, rng):
    near, exact = log_sums["LogSumExp", "float32"]
    for value in (np.inf, np.nan, 3e38):
        for key, place in (("y", (0, 0)), ("y", (150, 1)), ("y", slice(None)), ("x", (4, 0))):
            arrays = drawn(rng, "float32")
            arrays[key][place] = value
            results = [run(kernel, arrays) for kernel in (near, exact)]
            np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("splits", [1, 3])
def test_splits_and_batches_are_scaled_too(splits, order, kernels, rng):
    near, exact = kernels["gaussian", "float32"]
    both = [drawn(rng, "float32") for _ in range(2)]
    both[1]["x"] = both[1]["x"] * 60  # the rows of this element are wide
    arrays = {key: np.stack([each[key] for each in both]) for key in both[0]}
    ordered = [arrays[alias.split()[0]] for alias in ALIASES]
    got, right = (
        kernel.run(ordered, M, N, splits=splits, order=order)[0] for kernel in (near, exact)
    )
    np.testing.assert_array_equal(got[1], right[1])
    np.testing.assert_allclose(got[0], right[0], atol=1e-5)
    assert (got[0] != right[0]).any()


def test_ranges_scale_the_rows_of_each_block(tmp_path, rng):
    program = program_of("Sum", SAMPLES["gaussian"][0], "float32", ALIASES)
    cuts = replace(SMALL, scaled=True), SMALL
    built = build(tmp_path, [(program, cuda.emit(program, cut, ranged=True)) for cut in cuts])
    arrays = drawn(rng, "float32")
    arrays["x"][:60] += 50  # near each other, and far from the others
    arrays["x"][80:110] *= 80
    ranges = Pattern(
        row_blocks=np.array([[0, 60], [60, 80], [80, 110], [110, 150]]),
        ends=np.array([1, 3, 4, 5]),
        column_blocks=np.array([[0, 90], [5, 30], [100, 203], [0, 203], [17, 19]]),
    )
    got, right = (run(kernel, arrays, ranges=ranges) for kernel in built)
    np.testing.assert_allclose(got, right, atol=1e-5)
    same = (got == right).all(-1)
    assert same[80:110].all()
    assert not same[60:80].all()


REFUSED = [
    ("Sum", "Exp(SqDist(x, y)) * b"),
    ("Sum", "Exp(-SqDist(x, y) - b)"),
    ("Sum", "Exp(-g * SqDist(x, y)) * (x | y)"),
    ("Sum", "Exp(-g * SqDist(x, y)) * SqDist(x, y)"),
    ("Sum", "Exp(-g * SqDist(x, y)) + Exp(-2 * g * SqDist(x, y))"),
    ("Sum", "Exp(-g * Norm2(x - y)) * b"),
    ("Sum", "Grad(Exp(-g * SqDist(x, y)), x, Elem(v, 0))"),
    ("Sum", "Grad(Exp(-g * SqDist(x, y)), g, Elem(v, 0))"),
    ("LogSumExp", "-g * SqDist(x, y) - Elem(b, 0)"),
    ("LogSumExp", "-g * Norm2(x - y)"),
    ("Min", "Exp(-g * SqDist(x, y))"),
]


@pytest.mark.parametrize(("reduction", "formula"), REFUSED)
def test_what_has_another_form_is_not_scaled(reduction, formula):
    """Where another part needs the differences too, they have to be exact."""
    assert scaling_of(program_of(reduction, formula, "float32", ALIASES)) is None


def test_factors_may_be_of_one_component_or_of_all(kernels):
    found = {
        name: scaling_of(program_of("Sum", f, "float32", ALIASES))
        for name, (f, _) in SAMPLES.items()
    }
    counts = {name: (len(each.rows), len(each.scales)) for name, each in found.items()}
    assert counts == {
        "gaussian": (3, 1),
        "constant": (3, 1),
        "weights": (3, 3),
        "lengths": (3, 3),
        "two": (5, 2),
    }
