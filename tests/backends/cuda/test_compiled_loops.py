"""Programs with loops over components as machine code: what they cost, and that nothing spills."""

from __future__ import annotations

from functools import lru_cache

import pytest
import toolkit
from cases import GAUSSIAN

from jaxkeops.backends import cuda
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.schedule import choose_cut, lower_for_gpus

MISSING = toolkit.missing()
pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(MISSING is not None, reason=f"needs {MISSING}"),
]
GRADIENT = f"Grad({GAUSSIAN}, x, e)"
ARCHITECTURES = ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"]
# Reduction, formula, D, E.
WORKLOADS = {
    "few distances": ("Sum", GAUSSIAN, 30, 1),
    "distances": ("Sum", GAUSSIAN, 64, 1),
    "products": ("Sum", "Exp(x | y) * b", 64, 1),
    "many distances": ("Sum", GAUSSIAN, 784, 1),
    "gradient": ("Sum", GRADIENT, 64, 1),
    "long gradient": ("Sum", GRADIENT, 784, 1),
    "value and gradient": ("Sum", f"Concat({GAUSSIAN}, {GRADIENT})", 64, 1),
    "log-sum-exp": ("LogSumExp", "-g * SqDist(x, y)", 64, 1),
    "argmin": ("ArgMin", "SqDist(x, y)", 64, 1),
    "nearest": ("ArgKMin", "SqDist(x, y)", 64, 1),
    "sums": ("Sum", GAUSSIAN, 3, 64),
    "many sums": ("Sum", GAUSSIAN, 3, 1024),
    "both": ("Sum", GAUSSIAN, 64, 256),
    "attention": ("SumSoftMaxWeight", "(x | y)", 64, 64),
}


def text_of(name: str, dtype: str = "float32", few: bool = False) -> str:
    reduction, formula, D, E = WORKLOADS[name]
    weighted = reduction == "SumSoftMaxWeight"
    aliases = ["g = Pm(1)", f"x = Vi({D})", f"y = Vj({D})", f"b = Vj({E})", f"e = Vi({E})"]
    (node, *weights), variables = read_formulas([formula, "b"][: 1 + weighted], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    options = {"count": 10} if reduction == "ArgKMin" else {}
    made = make_formula(reduction, node, inputs, *weights, **options)
    program = lower_for_gpus(made, dtype, "int64")
    return cuda.emit(program, choose_cut(program, few)).text


@lru_cache
def compiled(name: str, dtype: str, architecture: str) -> dict[str, toolkit.Function]:
    return toolkit.functions(toolkit.compile_cubin(text_of(name, dtype), architecture))


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_spills(name):
    """Each on one architecture."""
    architecture = ARCHITECTURES[list(WORKLOADS).index(name) % 5]
    for function in compiled(name, "float32", architecture).values():
        assert function.stack == function.local == 0


@pytest.mark.parametrize("name", ["distances", "gradient", "nearest", "both", "attention"])
def test_nothing_of_few_rows_spills(name):
    cubin = toolkit.compile_cubin(text_of(name, few=True), "sm_90")
    for function in toolkit.functions(cubin).values():
        assert function.stack == function.local == 0


@pytest.mark.parametrize("name", ["distances", "gradient", "attention"])
def test_nothing_of_float64_spills(name):
    for function in compiled(name, "float64", "sm_90").values():
        assert function.stack == function.local == 0


def slots_of_a_pair(name: str) -> tuple[float, float]:
    """Of sums over components by matrix units, and of what a group of columns takes then; what
    stands in the loop over tiles beside these is spread over the 64 pairs of a thread."""
    rows = compiled(name, "float32", "sm_90")["rows"]
    products = max(rows.loops, key=lambda loop: loop.opcodes["HMMA"])
    pairs = max(rows.loops, key=lambda loop: loop.opcodes["MUFU"])
    # What is seldom done stands there as well.
    around = max(rows.outer, key=lambda loop: loop.slots)
    return products.slots / 16 + around.slots / 64, pairs.slots / pairs.opcodes["MUFU"]


@pytest.mark.parametrize(
    ("name", "slots"),
    [("few distances", 17), ("distances", 19), ("log-sum-exp", 19), ("products", 21)],
)
def test_matrix_units_take_most_of_a_distance(name, slots):
    assert sum(slots_of_a_pair(name)) <= slots


def test_matrix_units_have_three_products_of_float32_and_one_of_float16():
    for dtype, products in (("float32", 3), ("float16", 1)):
        rows = compiled("products", dtype, "sm_90")["rows"]
        loop = max(rows.loops, key=lambda loop: loop.opcodes["HMMA"])
        assert loop.opcodes["HMMA"] == products * 4 * 4  # steps of 16 components, tiles


@pytest.mark.parametrize("name", ["sums", "many sums", "attention"])
def test_matrix_units_add_64_sums_for_the_slots_of_25(name):
    rows = compiled(name, "float32", "sm_90")["rows"]
    # The loop over 16 columns; sums of what is not finite, one by one, have a loop inside of it.
    columns = max(rows.outer, key=lambda loop: loop.opcodes["HMMA"])
    assert columns.opcodes["HMMA"] == 3 * 2 * 2 * 8  # products, steps, tiles of rows and of sums
    assert columns.slots / 16 <= 24.5


def costs(name: str) -> list[float]:
    """Slots for each product that is added to a sum, in the loops that do little else, where no
    matrix units are used: of sm_75."""
    loops = [
        loop
        for loop in compiled(name, "float32", "sm_75")["rows"].loops
        if loop.opcodes["FFMA"] >= 128
    ]
    return [loop.slots / loop.opcodes["FFMA"] for loop in loops]


@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("distances", [1.1]),
        ("sums", [1.15]),
        ("many sums", [1.15]),
        ("attention", [1.15, 1.15]),
        ("gradient", [1.15, 2.1]),
    ],
)
def test_what_is_read_serves_many_products(name, slots):
    """Of sums over components, and of sums that differ by their component alone; a gradient adds
    products of differences."""
    found = sorted(costs(name))
    assert len(found) == len(slots)
    assert all(cost <= most for cost, most in zip(found, slots, strict=True)), found


def test_many_components_have_a_text_as_short_as_few():
    few, many = (len(text_of(name)) for name in ("distances", "many distances"))
    assert many < 1.01 * few
