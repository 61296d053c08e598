"""Short names of formulas: as they are written, and never long."""

from __future__ import annotations

import pytest

from jaxkeops.formula import short_name
from jaxkeops.frontend.genred import declare_formula

ALIASES = ("x = Vi(3)", "y = Vj(3)", "b = Vj(3)", "p = Pm(1)")


@pytest.mark.parametrize(
    ("formula", "reduction", "count", "weight", "name"),
    [
        ("Exp(-p * SqDist(x, y)) * b", "Sum", None, None, "Sum[Exp(-p*SqDist(x,y))*b]"),
        ("(x - (y - b)) * (p + 1)", "Max", None, None, "Max[(x-(y-b))*(p+1)]"),
        ("x / y", "Min", None, None, "Min[Divide(x,y)]"),
        ("Elem(x, 1) * p", "KMin", 4, None, "KMin4[Elem(x,1)*p]"),
        ("Sum(x)", "LogSumExp", None, "b", "LogSumExp[Sum(x);b]"),
    ],
)
def test_a_name_reads_like_the_formula(formula, reduction, count, weight, name):
    declared = declare_formula(formula, ALIASES, reduction, 1, weight, count)
    assert short_name(declared.formula, declared.names) == name


def test_variables_without_names_say_their_axis():
    declared = declare_formula("Exp(-p * SqDist(x, y)) * b", ALIASES, "Sum", 1)
    assert short_name(declared.formula) == "Sum[Exp(-p3*SqDist(x0,y1))*y2]"


def test_a_long_formula_is_cut():
    text = "x * y"
    for _ in range(40):
        text = f"Sin({text}) * ({text})" if len(text) < 2000 else f"Cos({text})"
    name = short_name(declare_formula(text, ALIASES, "Sum", 1).formula)
    assert len(name) <= 64
    assert name.endswith("...]")
    assert "/" not in name
