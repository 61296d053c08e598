"""Loops over components and sums in memory: LLVM against the interpreter, on all levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from agreement import agree
from programs import run

from jaxkeops import ir
from jaxkeops.backends.llvm.host import levels
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.ir.interpret import interpret
from jaxkeops.schedule import lower

ALIASES = [
    "g = Pm(1)",
    "x = Vi(20)",
    "y = Vj(20)",
    "b = Vj(1)",
    "v = Vj(41)",
    "e = Vi(41)",
    "w = Pm(20)",
    "u = Vi(3)",
    "z = Vj(3)",
    "m = Pm(60)",
    "f = Vi(1)",
]
GAUSSIAN = "Exp(-g * SqDist(x, y))"
CASES = [
    ("Sum", f"{GAUSSIAN} * b", None),
    ("Sum", f"{GAUSSIAN} * v", None),
    ("Sum", "Exp(-g * SqDist(u, z)) * v", None),
    ("Sum", f"Grad({GAUSSIAN} * v, x, e)", None),
    ("Sum", f"Grad({GAUSSIAN} * v, y, e)", None),
    ("Sum", f"Grad({GAUSSIAN} * v, v, e)", None),
    ("Sum", f"Grad({GAUSSIAN} * v, g, e)", None),
    ("Sum", f"Grad(Grad({GAUSSIAN} * b, x, f), x, Exp(y))", None),
    ("Sum", "WeightedSqNorm(w, x - y) * Exp(v)", None),
    ("Sum", "Norm2(Sin(x) * w - Cos(y)) + Sum(Abs(x - y)) * Sum(x * y * w)", None),
    ("Sum", "Concat(x - y, g * v) * b", None),
    ("Sum", "Extract(v, 3, 30) * Elem(v, 7) + Elem(x, 11)", None),
    ("Sum", "MatVecMult(m, y) * u", None),
    ("Sum", "Max(Abs(x - y)) * b", None),
    ("Sum", "VecMatMult(x, TensorProd(y, z))", None),
    ("Sum", "TensorProd(Sin(x), y * g)", None),
    ("Sum", "Sum(x / (1 + Sum(y * x))) * Normalize(v)", None),
    ("Sum", "Normalize(y) * SqNorm2(Normalize(x))", None),
    ("Sum", "SumT(Sum(x * y), 41) + v * 0", None),
    ("LogSumExp", "-g * SqDist(x, y)", None),
    ("LogSumExp", "(x | y) * 5", "Exp(v)"),
    ("SumSoftMaxWeight", "(x | y) * 5", "v"),
    ("SumSoftMaxWeight", "(x | y) * 5", "v * Elem(x, 3) + e"),
    ("SumSoftMaxWeight", "200 * Sum(Sin(30 * y)) * f", "v"),
    ("Max_SumShiftExpWeight", "(x | y) * 5", "v"),
    ("Max_SumShiftExpWeight", "(x | y) * 5", "Concat(z, Concat(v, b))"),
    ("SumSoftMaxWeight", "(x | y) * 5", "Concat(Concat(z, b), v)"),
    ("LogSumExp", "(x | y) * 5", "Exp(Concat(v, z))"),
    ("SumSoftMaxWeight", "g * b", "TensorProd(TensorProd(z, u), z)"),
    ("Sum", "TensorProd(TensorProd(z, u), z) * b", None),
    ("Max_SumShiftExp", "(x | y) * 50", None),
    ("Min_ArgMin", "SqDist(x, y)", None),
    ("Max_ArgMax", "Sum(Abs(x - y)) * b", None),
]
every_level = pytest.mark.parametrize("level", levels())


def program_of(reduction, formula, weight, dtype, machine, **options):
    formulas = [formula] if weight is None or reduction == "Sum" else [formula, weight]
    nodes, variables = read_formulas(formulas, ALIASES)
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula(reduction, nodes[0], inputs, *nodes[1:], **options)
    return lower(made, dtype, "int64", machine)


def sample(rng, program, M, N, dtype):
    extents = {"i": (M,), "j": (N,), "p": ()}
    return [
        rng.uniform(0.2, 1.5, (*extents[given.axis], given.dim)).astype(dtype)
        for given in program.inputs
    ]


def check(program, machine, rng, M, N, parts=(), resume=False):
    arrays = sample(rng, program, M, N, program.dtype)
    results = run(program, machine, arrays, M, N, parts, resume=resume)
    expected = interpret(program, arrays, M, N)
    # Exponents reach 1000: their roundings are as many units as there are components.
    agree(program, results, expected, units=336, ties=0.03)


@every_level
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("reduction", "formula", "weight"), CASES)
def test_components_agree_with_the_interpreter(reduction, formula, weight, dtype, level, rng):
    machine = levels()[level]
    program = program_of(reduction, formula, weight, dtype, machine)
    check(program, machine, rng, 37, 301)


@pytest.mark.parametrize(("M", "N"), [(1, 1), (3, 5), (16, 129), (65, 1030)])
@pytest.mark.parametrize("columns", [1, 3, 4])
@pytest.mark.parametrize("vectors", [1, 3])
def test_any_block_of_pairs_gives_the_same(columns, vectors, M, N, rng):
    machine = next(reversed(levels().values()))
    for reduction, formula, weight in (CASES[1], CASES[3], CASES[21], CASES[-2]):
        program = program_of(reduction, formula, weight, "float32", machine)
        schedule = ir.Schedule(vectors, 4 * columns, columns, components=5)
        check(replace(program, schedule=schedule), machine, rng, M, N)


MASKED = [
    ("Sum", "Exp(-g * SqDist(u, z)) * b", None),
    ("Sum", "Exp(-g * SqDist(u, z))", None),
    ("LogSumExp", "-g * SqDist(u, z)", None),
    ("Max_SumShiftExpWeight", "g * (u | z)", "b"),
    ("Min_ArgMin", "SqDist(u, z)", None),
    ("Max", "SqDist(u, z)", None),
]


@every_level
@pytest.mark.parametrize("N", [1, 2, 3, 65, 131])
@pytest.mark.parametrize(("reduction", "formula", "weight"), MASKED)
def test_columns_that_fill_no_block_may_be_masked(reduction, formula, weight, N, level, rng):
    machine = levels()[level]
    program = program_of(reduction, formula, weight, "float32", machine)
    for columns in (2, 3):
        schedule = replace(program.schedule, columns=columns, masked=True)
        check(replace(program, schedule=schedule), machine, rng, 21, N)


def test_an_infinite_last_column_is_masked_as_well(rng):
    machine = next(reversed(levels().values()))
    program = program_of("Sum", "b * f", None, "float32", machine)
    program = replace(program, schedule=replace(program.schedule, columns=2, masked=True))
    f, b = np.ones((3, 1), np.float32), np.array([[1], [2], [np.inf]], np.float32)
    arrays = [b if given.axis == "j" else f for given in program.inputs]
    (total,) = run(program, machine, arrays, 3, 3)
    assert (total == np.inf).all()


IN_PARTS = [
    *(case for k, case in enumerate(CASES) if k in (0, 1, 7) or case[0] != "Sum"),
    ("Min_ArgMin", "Round(SqDist(u, z), 1)", None),
    ("KMin_ArgKMin", "Round(SqDist(u, z), 1)", None),
    ("KMin_ArgKMin", "SqDist(x, y) * Extract(v, 0, 2)", None),
]


@every_level
@pytest.mark.parametrize("resume", [False, True], ids=["merged", "resumed"])
@pytest.mark.parametrize("number", range(len(IN_PARTS)))
def test_columns_may_be_taken_in_parts(number, resume, level, rng):
    """Each case on each level, merged and resumed, one in float32 and the other in float64."""
    reduction, formula, weight = IN_PARTS[number]
    dtype = ("float32", "float64")[(number + list(levels()).index(level) + resume) % 2]
    machine = levels()[level]
    count = 5 if reduction.startswith("K") else None
    program = program_of(reduction, formula, weight, dtype, machine, count=count)
    check(program, machine, rng, 37, 301, parts=[1, 130, 300], resume=resume)


@pytest.mark.parametrize("over_rows", [1, 20])
def test_a_call_that_merges_sums_over_its_rows(over_rows, rng):
    machine = next(reversed(levels().values()))
    formula = f"Grad({GAUSSIAN} * b, x, f)"
    program = program_of("Sum", formula, None, "float64", machine, over_rows=over_rows)
    check(program, machine, rng, 7, 301, parts=[100])


@every_level
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("over_rows", [1, 30, 41])
def test_many_components_are_summed_over_rows(over_rows, dtype, level, rng):
    machine = levels()[level]
    program = program_of("Sum", f"{GAUSSIAN} * v * f", None, dtype, machine, over_rows=over_rows)
    check(program, machine, rng, 37, 301)


@every_level
@pytest.mark.parametrize("sense", ["Min", "Max"])
@pytest.mark.parametrize(
    "formula", ["SqDist(x, y)", "Concat(x | y, SqDist(x, y))", "(x | y) * Sum(Abs(x - y)) * y"]
)
def test_the_best_of_long_sums_is_found_again(formula, sense, level, rng):
    """The tile that has it is computed pair by pair, where the walk computes blocks of them."""
    machine, M, N = levels()[level], 3, 70
    (node,), variables = read_formulas([formula], ["x = Vi(130)", "y = Vj(130)"])
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula(f"{sense}_Arg{sense}", node, inputs)
    check(lower(made, "float32", "int64", machine), machine, rng, M, N)
