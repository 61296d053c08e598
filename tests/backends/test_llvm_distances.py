"""Pairs passed over by integers: the same bits as without, whatever the data are like."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest

from jaxkeops import ir
from jaxkeops.backends.llvm.fixed_point import most
from jaxkeops.backends.llvm.host import levels
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.numpy import Genred
from jaxkeops.schedule import lower

from .programs import run

every_level = pytest.mark.parametrize("level", levels())
M, N = 37, 701
REDUCTIONS = [("Min_ArgMin", None), ("KMin_ArgKMin", 5)]
FORMULAS = {
    "written out": ("SqDist(x, y)", ("x = Vi(3)", "y = Vj(3)")),
    "an odd number": ("SqDist(x, y)", ("x = Vi(9)", "y = Vj(9)")),
    "long": ("SqDist(x, y)", ("x = Vi(50)", "y = Vj(50)")),
    "absolute": ("Sum(Abs(x - y))", ("x = Vi(3)", "y = Vj(3)")),
    "long absolute": ("Sum(Abs(x - y))", ("x = Vi(41)", "y = Vj(41)")),
    "absolute, one more than a register": ("Sum(Abs(x - y))", ("x = Vi(17)", "y = Vj(17)")),
    "a long root": ("Sqrt(SqDist(x, y))", ("x = Vi(41)", "y = Vj(41)")),
    "a root": ("Sqrt(SqDist(x, y))", ("x = Vi(2)", "y = Vj(2)")),
    "scaled": ("SqDist(x, y * p)", ("x = Vi(4)", "y = Vj(4)", "p = Pm(4)")),
    "parts of inputs": (
        "SqDist(Extract(x, 1, 17), Extract(y, 2, 17))",
        ("x = Vi(18)", "y = Vj(20)"),
    ),
}


def scaled(power):
    return lambda rng, x, y: (x * 2.0**power, y * 2.0**power)


def grid(rng, x, y):
    return np.rint(x), np.rint(y)


def off_centre(rng, x, y):
    return x + 1e4, y + 1e4


def heavy_tails(rng, x, y):
    return x / rng.random(x.shape), y / rng.random(y.shape) ** 2


def all_the_same(rng, x, y):
    return 0 * x + 1.5 + (rng.random(x.shape) < 0.05), 0 * y + 1.5


def clusters(rng, x, y):
    middles = 10 * rng.standard_normal((5, y.shape[1]))
    return (
        x * 1e-3 + np.resize(middles[:, : x.shape[1]], x.shape),
        y * 1e-3 + np.resize(middles, y.shape),
    )


def no_numbers(rng, x, y):
    y[::7, 0], y[3::11, -1], x[5, 0], x[9, -1] = np.nan, np.inf, np.nan, -np.inf
    return x, y


def far_rows(rng, x, y):
    x[20:] += 100
    return x, y


def far_sample(rng, x, y):
    y[:: N // 128] *= 1e6
    return x, y


def repeated(rng, x, y):
    y[N // 2 : 2 * (N // 2)] = y[: N // 2]
    return x, y


def in_order(rng, x, y):
    return x, y[np.argsort(y[:, 0])]


KINDS = {
    "normal": scaled(0),
    "small": scaled(-60),
    "subnormal": scaled(-140),
    "great": scaled(50),
    "grid": grid,
    "off centre": off_centre,
    "heavy tails": heavy_tails,
    "all the same": all_the_same,
    "clusters": clusters,
    "no numbers": no_numbers,
    "far rows": far_rows,
    "far sample": far_sample,
    "repeated": repeated,
    "in order": in_order,
}


@functools.cache
def program_of(name, reduction, count, dtype, level):
    formula, aliases = FORMULAS[name]
    (node,), variables = read_formulas([formula], list(aliases))
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula(reduction, node, inputs, count=count)
    return lower(made, dtype, "int64", levels()[level])


@every_level
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("reduction", "count"), REDUCTIONS)
@pytest.mark.parametrize("name", FORMULAS)
def test_no_pair_is_passed_over_that_matters(name, reduction, count, dtype, level, rng):
    machine = levels()[level]
    program = program_of(name, reduction, count, dtype, level)
    assert (program.distance is not None) == machine.madd
    if not machine.madd:
        return  # there are no integers: nothing is passed over
    wrong = []
    for kind, made in KINDS.items():
        x, y = (rng.standard_normal((rows, given.dim)) for rows, given in sized(program))
        x, y = made(rng, x, y)
        weights = [rng.random((1, given.dim)) for given in program.inputs[2:]]
        with np.errstate(over="ignore"):
            arrays = [array.astype(dtype) for array in (x, y, *weights)]
        for parts in ([], [130, 600]):
            found = run(program, machine, arrays, M, N, parts)
            if not same(found, run(plain(program), machine, arrays, M, N, parts)):
                wrong.append((kind, parts))
        if not program.columns and not same(
            found, run(program, machine, arrays, M, N, scratch=False)
        ):
            wrong.append((kind, "without records"))
    assert not wrong


@every_level
@pytest.mark.parametrize("D", [3, 9])
@pytest.mark.parametrize(
    "formula",
    ["SqDist(x, y * p)", "SqDist(x * p, y)", "SqDist(x, y * p + q)", "Sum(Abs(x - y * p))"],
)
def test_products_far_from_zero_are_rounded_as_pairs_round_them(formula, D, level, rng):
    """A product that a pair does not round may be off by many steps if it is rounded."""
    aliases = [f"{name}({D})" for name in ("x = Vi", "y = Vj", "p = Pm", "q = Pm")]
    (node,), variables = read_formulas([formula], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    machine = levels()[level]
    far, p = 2.0**20, 0.5 + rng.random((1, D))
    x, y = (rng.standard_normal((rows, D)) for rows in (M, N))
    x, y, q = {
        "SqDist(x, y * p)": (x + far * p, y + far, 0 * p),
        "Sum(Abs(x - y * p))": (x + far * p, y + far, 0 * p),
        "SqDist(x * p, y)": ((x + far) / p, y + far, 0 * p),
        "SqDist(x, y * p + q)": (x, y + far, -far * p),
    }[formula]
    arrays = [array.astype("float32") for array in (x, y, p, q)][: len(inputs)]
    for reduction, count in REDUCTIONS:
        made = make_formula(reduction, node, inputs, count=count)
        program = lower(made, "float32", "int64", machine)
        assert (program.distance is not None) == machine.madd
        found = run(program, machine, arrays, M, N)
        assert same(found, run(plain(program), machine, arrays, M, N))


def plain(program):
    return replace(program, distance=None, schedule=replace(program.schedule, chunk=0))


def same(found, right):
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(found, right, strict=True)
    )


def sized(program):
    return zip((M, N), program.inputs[:2], strict=True)


@pytest.mark.parametrize("count", [2, 3, 16, 784, 2048])
def test_no_sum_of_products_overflows(count):
    # |q|^2 / 2 - p.q, and room for limits above it.
    found = greatest(count)
    assert 1.5 * count * found**2 < 2**31 - 2**9
    assert 250 < found < 2**15
    assert found == 2**15 - 1 or 1.5 * count * (found + 1) ** 2 > 2**31 - 2**11
    assert 2 * greatest(count, "manhattan") < 2**15
    assert 2 * greatest(count, "manhattan") * count < 2**31 - 2**9


def greatest(count, metric="squared"):
    coordinates = (ir.load(0, 0, "i"),) * count
    return most(ir.Distance(coordinates, coordinates, metric))


@pytest.mark.parametrize(
    ("formula", "reduction", "count", "coordinates"),
    [
        ("SqDist(x, y)", "ArgMin", None, 3),
        ("SqDist(y, x)", "Min", None, 3),
        ("SqNorm2(u - v)", "ArgKMin", 20, 40),
        ("Norm2(u - v)", "ArgKMin", 1, 40),
        ("SqDist(x, y * p)", "ArgMin", None, 3),
        ("SqDist(x, y)", "ArgKMin", 21, None),  # too long a list to be sorted at once
        ("SqDist(x, y)", "ArgMax", None, None),
        ("SqDist(x, y)", "Sum", None, None),
        ("SqDist(x, y) * p", "ArgMin", None, None),  # p may be negative
        ("SqDist(x, y) + (x | y)", "ArgMin", None, None),
        ("WeightedSqDist(w, u, v)", "ArgMin", None, None),
        ("Sum(Abs(x - y))", "ArgMin", None, 3),
        ("Sum(Abs(u - v))", "ArgKMin", 2, 40),
        ("Sum(Abs(x + y))", "ArgMin", None, None),
        ("Square(Elem(x, 0) - Elem(y, 0))", "ArgMin", None, None),
    ],
)
def test_what_is_a_distance(formula, reduction, count, coordinates):
    aliases = ["x=Vi(3)", "y=Vj(3)", "u=Vi(40)", "v=Vj(40)", "p=Pm(1)", "w=Pm(40)"]
    (node,), variables = read_formulas([formula], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula(reduction, node, inputs, count=count)
    for level, machine in levels().items():
        found = lower(made, "float32", "int64", machine).distance
        expected = coordinates if machine.madd else None
        assert (found.count if found else None) == expected, level


@pytest.mark.parametrize("D", [3, 70])
@pytest.mark.parametrize(("reduction", "options"), [("ArgMin", {}), ("ArgKMin", {"opt_arg": 4})])
def test_many_rows_and_batches_find_the_nearest(reduction, options, D, rng):
    """In panels, in parts and on threads; `ranges` of everything do without integers."""
    aliases = [f"x = Vi({D})", f"y = Vj({D})"]
    reduce = Genred("SqDist(x, y)", aliases, reduction, axis=1, **options)
    for shape, N in (((1100,), 9000), ((2, 130), 2000), ((1, 150), 1024)):
        x = rng.standard_normal((*shape, D)).astype("float32")
        y = rng.standard_normal((*shape[:-1], N, D)).astype("float32")
        found = reduce(x, y)
        whole = [np.array([[0, extent]], "int32") for extent in (shape[-1], N)]
        ends = np.array([1], "int32")
        ranges = (whole[0], ends, whole[1], whole[1], ends, whole[0])
        np.testing.assert_array_equal(found, reduce(x, y, ranges=ranges))
        row, column = x.reshape(-1, D)[-1], y.reshape(-1, N, D)[-1].astype("float64")
        nearest = np.argsort(((row - column) ** 2).sum(1), kind="stable")[: found.shape[-1]]
        np.testing.assert_array_equal(found.reshape(-1, found.shape[-1])[-1], nearest)


def test_limits_hold_for_the_worst_roundings(rng):
    """Coordinates half a step off, all to one side: the nearest is by integers not the nearest."""
    machine = next(reversed(levels().values()))
    if not machine.madd:
        return
    D = 50
    step = 2.0 ** math.ceil(math.log2(1.5 / greatest(D)))
    x = np.full((16, D), 0.49 * step, "float32")
    y = rng.choice([-1.0, 1.0], (N, D)).astype("float32")
    y[300] = 0.51 * step
    y[301:] = -0.25 * step
    for reduction, count in REDUCTIONS:
        program = program_of("long", reduction, count, "float32", list(levels())[-1])
        found = run(program, machine, [x, y], 16, N)
        assert same(found, run(plain(program), machine, [x, y], 16, N))
        assert (found[-1][:, 0] == 300).all()


@every_level
@pytest.mark.parametrize(("reduction", "count"), [("ArgMin", None), ("ArgKMin", 1)])
def test_limits_reach_as_far_as_two_roundings_of_every_coordinate(reduction, count, level):
    """Two columns as near as each other, of which integers say that one is there and one not."""
    D, machine = 2048, levels()[level]
    (node,), _ = read_formulas(["SqDist(x, y)"], [f"x = Vi({D})", f"y = Vj({D})"])
    made = make_formula(reduction, node, [Input("i", D), Input("j", D)], count=count)
    program = lower(made, "float32", "int64", machine)
    x, y = np.full((16, D), 0.5, "float32"), np.full((600, D), 20.0, "float32")
    # With these, a step is 1.
    y[[0, 150, 300, 450]] = greatest(D) / 1.501 * np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y[100], y[400] = 1.5, -0.5
    (found,) = run(program, machine, [x, y], 16, 600)
    np.testing.assert_array_equal(found, np.full((16, 1), 100))
