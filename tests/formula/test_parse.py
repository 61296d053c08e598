"""Formulas as they are written: what each form means, and what is refused, with its caret."""

from __future__ import annotations

import numpy as np
import pytest
from by_rows import values

from jaxkeops.errors import (
    ArgumentTypeError,
    FormulaError,
    FormulaSyntaxError,
    UnknownNameError,
)
from jaxkeops.formula import Node, Number, Var, variables
from jaxkeops.formula.parse import parse

NAMES = {
    "x": Var(3, 0, "i"),
    "y": Var(3, 1, "i"),
    "p": Var(1, 2, "i"),
    "A": Var(9, 3, "i"),
}


@pytest.fixture
def arrays(rng) -> dict[int, np.ndarray]:
    return {var.slot: rng.uniform(0.5, 2, (5, var.dim)) for var in NAMES.values()}


def computed(formula: str, arrays: dict[int, np.ndarray]) -> np.ndarray:
    return values(parse(formula, NAMES), arrays)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1, keepdims=True)


def outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[:, :, None] * b[:, None]).reshape(len(a), -1)


@pytest.mark.parametrize(
    ("formula", "meaning"),
    [
        ("x + y * p", lambda x, y, p: x + y * p),
        ("x - y - p", lambda x, y, p: (x - y) - p),
        ("x / y / p", lambda x, y, p: (x / y) / p),
        ("x / y * p", lambda x, y, p: (x / y) * p),
        ("-x**2", lambda x, y, p: -(x**2)),
        ("-x*y", lambda x, y, p: -x * y),
        ("x - -y", lambda x, y, p: x + y),
        ("+x", lambda x, y, p: x),
        ("x * -y", lambda x, y, p: -x * y),
        ("x**-2", lambda x, y, p: x**-2.0),
        ("x**2**0", lambda x, y, p: x),
        ("x**-p**2", lambda x, y, p: x ** -(p**2)),
        ("2*x**3*y", lambda x, y, p: 2 * x**3 * y),
        ("x**p", lambda x, y, p: x**p),
        ("x**0.5", lambda x, y, p: np.sqrt(x)),
        ("x**-0.5", lambda x, y, p: 1 / np.sqrt(x)),
        ("x**1.5", lambda x, y, p: x**1.5),
        ("x|y*2", lambda x, y, p: 2 * dot(x, y)),
        ("x|y+x", lambda x, y, p: dot(x, y + x)),
        ("p*x|y", lambda x, y, p: dot(p * x, y)),
        ("x|y|p", lambda x, y, p: dot(x, y) * p),
        ("(x|y)<p", lambda x, y, p: dot(x, y) < p),
        ("x|y<p", lambda x, y, p: dot(x, y) < p),
        ("x<y", lambda x, y, p: x < y),
        ("x<=y", lambda x, y, p: x <= y),
        ("x>y", lambda x, y, p: x > y),
        ("x>=x", lambda x, y, p: x >= x),
        ("x==x", lambda x, y, p: x == x),
        ("x!=y", lambda x, y, p: x != y),
        ("(x<y)*(y<2)", lambda x, y, p: (x < y) * (y < 2)),
        ("1 - x", lambda x, y, p: 1 - x),
        ("1/x", lambda x, y, p: 1 / x),
        ("x/3", lambda x, y, p: x / 3),
        ("0.5*x", lambda x, y, p: 0.5 * x),
        ("1e-3*x + .5 + 2.", lambda x, y, p: 1e-3 * x + 2.5),
        ("1/3*x", lambda x, y, p: x * (1 / 3)),
        ("Clamp(x,1,3/2)", lambda x, y, p: np.clip(x, 1, 1.5)),
        ("IfElse(x-1,1,0)", lambda x, y, p: (x >= 1) * 1.0),
        ("Mod(x,1,0)", lambda x, y, p: x % 1),
        ("IntCst(3)*x", lambda x, y, p: 3 * x),
        ("IntInv(-2)*x", lambda x, y, p: x / -2),
        ("IntInv(2)+1+x", lambda x, y, p: x + 1.5),
        ("RatCst(1,3)*x", lambda x, y, p: x * (1 / 3)),
        ("Zero(3)+x", lambda x, y, p: x),
        ("Elem(x, 2*1)", lambda x, y, p: x[:, 2:]),
        ("Extract(x,\n  0,\n 2 )", lambda x, y, p: x[:, :2]),
        ("Round(x)", lambda x, y, p: np.round(x)),
        ("Round(x,0)", lambda x, y, p: np.round(x)),
        ("Concat(x,Concat(y,p))", lambda x, y, p: np.concatenate([x, y, p], -1)),
        ("TensorDot(x,y,[3],[3],[0],[0])", lambda x, y, p: dot(x, y)),
        ("TensorDot(x,y,(3,),(3,),[],[])", lambda x, y, p: outer(x, y)),
        ("Kron(x,y,[3],[3])", lambda x, y, p: outer(x, y)),
        ("Factorize(x*y,x)", lambda x, y, p: x * y),
        ("AutoFactorize(x*y)", lambda x, y, p: x * y),
        ("Vi(0,3)+Var(1,3,0)", lambda x, y, p: x + y),
        ("Grad(x*y,x,y)", lambda x, y, p: y * y),
        ("Diff(x*y,(x,y),(y,1))", lambda x, y, p: y * y + x),
        (" x ", lambda x, y, p: x),
        ("3", lambda x, y, p: 3 * np.ones((5, 1))),
    ],
)  # fmt: skip
def test_a_formula_means_what_its_precedence_says(formula, meaning, arrays):
    expected = meaning(*(arrays[slot] for slot in range(3)))
    np.testing.assert_allclose(computed(formula, arrays), expected, rtol=1e-13)


def test_one_third_is_exact_in_double_precision():
    node = parse("RatCst(1,3)", {})
    assert isinstance(node, Number)
    assert node.value == 1 / 3


def test_a_large_integer_constant_is_exact():
    node = parse("IntCst(16777217)", {})
    assert isinstance(node, Number)
    assert node.value == 16777217


def test_a_name_may_stand_for_a_formula():
    node = parse("d*2", {"d": parse("SqDist(x,y)", NAMES)})
    assert set(variables(node)) == {0, 1}


def test_a_declared_name_hides_an_op():
    node = parse("Exp + 1", {"Exp": Var(3, 0, "i")})
    assert node.dim == 3


def test_written_out_variables_are_added_to_the_slots():
    slots: dict[int, Var] = {0: NAMES["x"]}
    parse("Grad(x, Var(4,3,1), x) + Pm(2,1)", {"x": NAMES["x"]}, slots)
    assert {slot: (var.dim, var.axis) for slot, var in slots.items()} == {
        0: (3, "i"),
        2: (1, "p"),
        4: (3, "j"),
    }


def test_a_variable_is_one_object_however_it_is_named():
    slots: dict[int, Var] = {0: NAMES["x"]}
    assert parse("Vi(0,3)", NAMES, slots) is NAMES["x"]


@pytest.mark.parametrize(
    "formula",
    [
        "+".join(["x"] * 1000),
        "*".join(["x"] * 1000),
        "(" * 3000 + "x" + ")" * 3000,
        "Exp(" * 3000 + "x" + ")" * 3000,
        "-" * 3000 + "x",
        "x" + "**1" * 1000,
    ],
    ids=["sum", "product", "parentheses", "calls", "signs", "powers"],
)
def test_no_length_and_no_depth_is_too_much(formula):
    assert isinstance(parse(formula, NAMES), Node)


REFUSALS = [
    ("", None, FormulaSyntaxError, "empty"),
    ("  \n", None, FormulaSyntaxError, "empty"),
    ("x+", 2, FormulaSyntaxError, "ends where a value is due"),
    ("(x", 0, FormulaSyntaxError, "'(' is not closed"),
    ("Exp(x", 3, FormulaSyntaxError, "'(' is not closed"),
    ("x)", 1, FormulaSyntaxError, "closes nothing"),
    ("(x]", 2, FormulaSyntaxError, "closes nothing"),
    ("()", 1, FormulaSyntaxError, "value is due"),
    ("x*/y", 2, FormulaSyntaxError, "value is due"),
    ("x y", 2, FormulaSyntaxError, "operator is missing before 'y'"),
    ("3x", 1, FormulaSyntaxError, "operator is missing before 'x'"),
    ("x(y)", 0, FormulaError, "declared as a variable"),
    ("x, y", 1, FormulaSyntaxError, "comma"),
    ("x # y", 2, FormulaSyntaxError, "'#' has no meaning"),
    ("x[0]", 1, FormulaSyntaxError, "Elem(f, m)"),
    ("A @ x", 2, FormulaSyntaxError, "MatVecMult"),
    ("x % 2", 2, FormulaSyntaxError, "Mod"),
    ("x ^ 2", 2, FormulaSyntaxError, r"**"),
    ("x = y", 2, FormulaSyntaxError, "=="),
    ("x // y", 2, FormulaSyntaxError, "Floor"),
    ("x < y < p", 6, FormulaSyntaxError, "do not chain"),
    ("x == y != p", 7, FormulaSyntaxError, "do not chain"),
    ("Exp", 0, FormulaSyntaxError, "Exp is an op"),
    ("x + z", 4, UnknownNameError, "Declared: x, y, p, A"),
    ("Sqdist(x, y)", 0, UnknownNameError, "Did you mean 'SqDist'?"),
    ("x + exp(x)", 4, UnknownNameError, "Did you mean 'Exp'?"),
    ("__import__(x)", 0, UnknownNameError, "Unknown op"),
    ("x * A", 2, FormulaError, "dimensions 3 and 9"),
    ("x + y * A", 6, FormulaError, "dimensions 3 and 9"),
    ("x | A", 2, FormulaError, "dimensions 3 and 9"),
    ("2 * SqDist(x, A)", 4, FormulaError, "dimensions 3 and 9"),
    ("x + Exp()", 4, FormulaError, "takes 1 formula, got 0"),
    ("x + Exp(x, y)", 4, FormulaError, "takes 1 formula, got 2"),
    ("Concat(x, y, p)", 0, FormulaError, "takes 2 formulas, got 3"),
    ("1 + Elem(x, 3)", 4, FormulaError, "coordinates 0 to 2"),
    ("1 + Elem(x, -1)", 4, FormulaError, "coordinate -1"),
    ("Elem(x, 0.5)", 0, FormulaError, "an integer"),
    ("Elem(x, p)", 0, FormulaError, "an integer"),
    ("Elem(x)", 0, FormulaError, "1 formula and 1 literal"),
    ("Extract(x, 2, 2)", 0, FormulaError, "coordinates 2 to 3"),
    ("Extract(x, 0, 0)", 0, FormulaError, "0 coordinates"),
    ("ExtractT(x, 1, 3)", 0, FormulaError, "does not fit"),
    ("SumT(x, 3)", 0, FormulaError, "dimension 1"),
    ("OneHot(x, 3)", 0, FormulaError, "dimension 1"),
    ("MatVecMult(x, Concat(x, p))", 0, FormulaError, "multiple of 4"),
    ("WeightedSqNorm(Concat(x, p), x)", 0, FormulaError, "1, 3 or 9 numbers"),
    ("ComplexMult(x, x)", 0, FormulaError, "even dimension"),
    ("ComplexRealScal(x, x)", 0, FormulaError, "real number"),
    ("TensorDot(x, y, [2], [3], [], [])", 0, FormulaError, "its dimension is 3"),
    ("TensorDot(x, A, [3], [1,9], [0], [1])", 0, FormulaError, "sizes must be equal"),
    ("TensorDot(x, y, [3], [3], [0], [1])", 0, FormulaError, "from 0 to 0"),
    ("TensorDot(x, y, [3], [3], [], [], [0,0])", 0, FormulaError, "expected once"),
    ("Exp([1, 2])", 0, FormulaError, "got a list"),
    ("[1, 2]", 0, FormulaError, "A formula is expected"),
    ("(x, y) + x", 7, FormulaError, "not lists"),
    ("-[1]", 0, FormulaError, "no sign"),
    ("x / 0", 2, FormulaError, "Division by zero"),
    ("IntInv(0)", 0, FormulaError, "Division by zero"),
    ("0 ** -1", 2, FormulaError, "not a number in range"),
    ("(-8) ** 0.5", 5, FormulaError, "not a number in range"),
    ("1e999", 0, FormulaError, "out of range"),
    ("Zero(0)", 0, FormulaError, "at least 1"),
    ("Vi(3)", 0, FormulaError, "Vi(slot, dim)"),
    ("Var(0, 3)", 0, FormulaError, "Var(slot, dim, category)"),
    ("Var(0, 3, 3)", 0, FormulaError, "category is 0"),
    ("Vi(-1, 3)", 0, FormulaError, "Vi(slot, dim)"),
    ("x + Vi(0, 4)", 4, FormulaError, "already declared, as Vi(0,3)"),
    ("x + Vj(0, 3)", 4, FormulaError, "already declared, as Vi(0,3)"),
    ("Grad(x, x)", 0, FormulaError, "Grad(f, v, e) is expected"),
    ("Grad(x, x + 1, x)", 0, FormulaError, "a declared name"),
    ("Grad(x, x, p)", 0, FormulaError, "dimension of f, 3"),
    ("Diff(x, (x, y), x)", 0, FormulaError, "one direction for each"),
    ("Laplacian(x, x)", 0, FormulaError, "dimension 1"),
    ("Divergence(p, x)", 0, FormulaError, "one dimension, got 1 and 3"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "column", "kind", "said"), REFUSALS)
def test_a_refusal_says_why_and_points_at_the_fault(formula, column, kind, said):
    with pytest.raises(FormulaError) as caught:
        parse(formula, NAMES)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert said in message
    if column is not None:
        _, line, caret = message.rsplit("\n", 2)
        assert line == f"    {formula}"
        assert caret == f"    {' ' * column}^"


def test_the_caret_is_on_the_line_of_the_fault():
    with pytest.raises(FormulaError) as caught:
        parse("x +\n  Elem(y, 7)", NAMES)
    assert str(caught.value).endswith("\n      Elem(y, 7)\n      ^")


def test_a_formula_that_is_not_a_string_is_refused():
    with pytest.raises(ArgumentTypeError, match="A formula is a string, got int"):
        parse(3, NAMES)  # type: ignore[arg-type]
