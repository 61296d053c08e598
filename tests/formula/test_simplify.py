"""Simplification: what each rule makes of a formula, that values stay, and that nothing grows."""

from __future__ import annotations

import numpy as np
import pytest
from by_rows import values
from hypothesis import given, settings, strategies as st

from jaxkeops.formula import F, Node, Var, gradient, topological
from jaxkeops.formula.parse import parse
from jaxkeops.formula.rules import RULES, Rule
from jaxkeops.formula.simplify import share, simplify, simplify_all

NAMES = {
    "x": Var(4, 0, "i"),
    "y": Var(4, 1, "i"),
    "z": Var(4, 2, "i"),
    "s": Var(1, 3, "i"),
    "t": Var(1, 4, "i"),
}

# Each formula, and the normal form that it has.
BECOMES = [
    ("x + 0", "x"),
    ("Zero(4) + s", "SumT(s,4)"),
    ("x - 0", "x"),
    ("0 - x", "-x"),
    ("Zero(4) - s", "SumT(-s,4)"),
    ("x + x", "2*x"),
    ("2*x + x", "3*x"),
    ("x - -2*x", "3*x"),
    ("x - x", "Zero(4)"),
    ("2*x + -2*x", "Zero(4)"),
    ("5*x - 4*x", "x"),
    ("x + -y", "x - y"),
    ("-x + y", "y - x"),
    ("x - -y", "x + y"),
    ("-x - y", "-(x + y)"),
    ("x*y + z*x", "x*(y + z)"),
    ("s*y - s*z", "s*(y - z)"),
    ("--x", "x"),
    ("-(3*x)", "-3*x"),
    ("-(s*x)", "(-s)*x"),
    ("x*3", "3*x"),
    ("x*1", "x"),
    ("x*-1", "-x"),
    ("0*x", "Zero(4)"),
    ("2*(3*x)", "6*x"),
    ("2*(s*x)", "(2*s)*x"),
    ("(2*x)*(3*y)", "6*(x*y)"),
    ("(-x)*(-y)", "x*y"),
    ("s*(2*x)", "(2*s)*x"),
    ("x*x", "Square(x)"),
    ("Zero(4)/x", "Zero(4)"),
    ("x/4", "0.25*x"),
    ("x/1", "x"),
    ("Divide(1,x)", "Inv(x)"),
    ("(2*x)/(4*y)", "0.5*(x/y)"),
    ("-x/y", "-(x/y)"),
    ("Inv(2*x)", "0.5*Inv(x)"),
    ("Inv(-x)", "-Inv(x)"),
    ("Square(-x)", "Square(x)"),
    ("Square(Abs(x))", "Square(x)"),
    ("Square(Pow(x,3))", "Pow(x,6)"),
    ("Pow(x,0)", "Zero(4)+1"),
    ("Pow(x,1)", "x"),
    ("Pow(x,2)", "Square(x)"),
    ("Pow(x,-1)", "Inv(x)"),
    ("Pow(Pow(x,3),-2)", "Pow(x,-6)"),
    ("Pow(Square(x),3)", "Pow(x,6)"),
    ("Powf(x,3)", "Pow(x,3)"),
    ("Powf(x,2.5)", "Pow(x,2.5)"),
    ("Abs(-x)", "Abs(x)"),
    ("IfElse(x,y,y)", "y"),
    ("IfElse(1,x,y)", "x"),
    ("IfLess(x,y,z,z)", "z"),
    ("IfLess(x,x,y,z)", "z"),
    ("IfLess(0,1,x,y)", "x"),
    ("Max(s)", "s"),
    ("Min(s)", "s"),
    ("Sum(s)", "s"),
    ("Sum(SumT(s,5))", "5*s"),
    ("Sum(3*x)", "3*Sum(x)"),
    ("Sum(-x)", "-Sum(x)"),
    ("Sum(x*y)", "x|y"),
    ("Sum(s*x)", "s*Sum(x)"),
    ("Sum(Square(x))", "SqNorm2(x)"),
    ("Sum(ElemT(s,4,2))", "s"),
    ("Sum(ExtractT(x,1,6))", "Sum(x)"),
    ("s|x", "s*Sum(x)"),
    ("SumT(s,4)|x", "s*Sum(x)"),
    ("s|t", "s*t"),
    ("SumT(s,4)|SumT(t,4)", "s*(4*t)"),
    ("x|x", "SqNorm2(x)"),
    ("(2*x)|(-y)", "-2*(x|y)"),
    ("ElemT(s,4,2)|x", "s*Elem(x,2)"),
    ("x|ExtractT(Concat(s,t),1,4)", "Concat(s,t)|Extract(x,1,2)"),
    ("SqNorm2(s)", "Square(s)"),
    ("SqNorm2(SumT(s,4))", "4*Square(s)"),
    ("SqNorm2(-x)", "SqNorm2(x)"),
    ("SqNorm2(x-y)", "SqDist(x,y)"),
    ("SqDist(x,x)", "Zero(1)"),
    ("SqDist(x,0)", "SqNorm2(x)"),
    ("SqDist(Zero(4),s)", "4*Square(s)"),
    ("SqDist(s,t)", "Square(s-t)"),
    ("SqDist(SumT(s,4),SumT(t,4))", "4*Square(s-t)"),
    ("SqDist(SumT(s,4),x)", "SqDist(s,x)"),
    ("TensorProd(s,t)", "s*t"),
    ("TensorProd(x,Zero(2))", "Zero(8)"),
    ("SumT(s,1)", "s"),
    ("ElemT(s,1,0)", "s"),
    ("ExtractT(x,0,4)", "x"),
    ("Elem(s,0)", "s"),
    ("Elem(SumT(s,4),2)", "s"),
    ("Elem(ElemT(s,4,2),2)", "s"),
    ("Elem(ElemT(s,4,2),1)", "Zero(1)"),
    ("Elem(Concat(x,y),5)", "Elem(y,1)"),
    ("Elem(Extract(x,1,3),1)", "Elem(x,2)"),
    ("Elem(ExtractT(x,2,8),3)", "Elem(x,1)"),
    ("Extract(x,0,4)", "x"),
    ("Extract(SumT(s,4),1,2)", "SumT(s,2)"),
    ("Extract(Concat(x,y),4,4)", "y"),
    ("Extract(Concat(x,y),1,2)", "Extract(x,1,2)"),
    ("Extract(Concat(x,y),3,2)", "Extract(Concat(x,y),3,2)"),
    ("Extract(Extract(x,1,3),1,2)", "Extract(x,2,2)"),
    ("Extract(ExtractT(x,2,8),2,4)", "x"),
    ("Extract(ExtractT(x,2,8),6,2)", "Zero(2)"),
    ("TensorDot(2,3,[],[],[],[])*x", "6*x"),
    ("Take(x,[0,1,2,3])", "x"),
    ("Take(x,[1,2])", "Extract(x,1,2)"),
    ("Take(x,[2])", "Elem(x,2)"),
    ("Take(x,[2,2,2])", "SumT(Elem(x,2),3)"),
    ("Take(SumT(s,4),[3,1])", "SumT(s,2)"),
    ("Take(Take(x,[3,1,0]),[2,0])", "Take(x,[0,3])"),
    ("Take(Extract(x,1,3),[2,0])", "Take(x,[3,1])"),
    ("Take(Concat(x,y),[2,0])", "Take(x,[2,0])"),
    ("Take(Concat(x,y),[6,4])", "Take(y,[2,0])"),
    ("Take(Concat(x,y),[6,0])", "Take(Concat(x,y),[6,0])"),
    ("TakeT(x,6,[1,2,3,4])", "ExtractT(x,1,6)"),
    ("TakeT(x,3,[1,1,1,1])", "ElemT(Sum(x),3,1)"),
    ("TakeT(x,1,[0,0,0,0])", "Sum(x)"),
    ("Sum(TakeT(x,3,[2,0,0,1]))", "Sum(x)"),
    ("IfLess(0,LessThan(x,y),z,s)", "IfLess(x,y,z,s)"),
    ("Slope(x,y,0)", "x"),
    ("Slopes(s,x,Zero(4))", "s"),
    ("StopGradient(StopGradient(x))", "StopGradient(x)"),
    ("ComplexReal(ComplexPair(x,y))", "x"),
    ("ComplexImag(ComplexPair(x,y))", "y"),
    ("ComplexPair(ComplexReal(x),ComplexImag(x))", "x"),
    ("ComplexPair(x,y)+ComplexPair(y,z)", "ComplexPair(x+y,y+z)"),
    ("Real2Complex(x)-Imag2Complex(y)", "ComplexPair(x,-y)"),
    ("SumT(s,4)*x", "s*x"),
    ("Exp(SumT(s,4))", "SumT(Exp(s),4)"),
    ("SumT(s,4)+SumT(t,4)", "SumT(s+t,4)"),
    ("Exp(IntCst(0))", "1"),
    ("IntInv(2)+1", "1.5"),
    ("x + Sqrt(4)*IntCst(3)", "x + 6"),
]

# What would change values, derivatives, or the range in which they are finite.
STAYS = [
    "Exp(x)*Exp(y)",
    "(s*x)|y",
    "(x*y)*z",
    "s*(t*x)",
    "x/x",
    "Inv(Inv(x))",
    "Pow(x,0.5)",
    "Sqrt(Square(x))",
    "Inv(Sqrt(x))",
    "(x + 1) - 1",
    "x - StopGradient(x)",
    "IfLess(0,LessOrEqual(x,y),z,s)",
    "Extract(x,1,2) + 2*Concat(s,t)",
]


@pytest.fixture
def arrays(rng) -> dict[int, np.ndarray]:
    return {var.slot: rng.uniform(0.5, 2, (5, var.dim)) for var in NAMES.values()}


def same(a: Node, b: Node) -> bool:
    one, other = share([a, b])
    return one is other


def close(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("formula", "normal"), BECOMES)
def test_a_formula_has_this_normal_form(formula, normal):
    # Folded on both sides, since the normal form is written with ops that are numbers.
    wanted = simplify(parse(normal, NAMES))
    assert same(simplify(parse(formula, NAMES)), wanted)
    assert len(topological([wanted])) <= len(topological(share([parse(normal, NAMES)])))


@pytest.mark.parametrize("formula", STAYS)
def test_a_formula_that_must_not_be_rewritten_stays(formula):
    assert same(simplify(parse(formula, NAMES)), parse(formula, NAMES))


FORMULAS = [formula for formula, _ in BECOMES] + STAYS


@pytest.mark.parametrize("formula", FORMULAS)
def test_values_stay(formula, arrays):
    node = parse(formula, NAMES)
    close(values(simplify(node), arrays), values(node, arrays))


@pytest.mark.parametrize("formula", FORMULAS)
def test_gradients_stay(formula, arrays):
    node = parse(formula, NAMES)
    slots = [var.slot for var in NAMES.values()]
    before = gradient(node, slots, F.SumT(NAMES["s"], node.dim))
    after = gradient(simplify(node), slots, F.SumT(NAMES["s"], node.dim))
    for var in NAMES.values():
        close(*(_or_zero(found[var.slot], var.dim, arrays) for found in (after, before)))


def _or_zero(node: Node | None, dim: int, arrays: dict[int, np.ndarray]) -> np.ndarray:
    return np.zeros((5, dim)) if node is None else values(node, arrays)


@pytest.mark.parametrize("formula", FORMULAS)
def test_simplifying_again_changes_nothing(formula):
    once = simplify(parse(formula, NAMES))
    assert same(simplify(once), once)


@pytest.mark.parametrize(
    ("formula", "normal"),
    [
        ("0*x", "x - x"),
        ("s*0", "s - s"),
        ("Zero(4)*s", "SumT(s - s,4)"),
        ("x - x", "x - x"),
        ("x + -x", "x - x"),
        ("3*x - 2*x", "x"),
        ("Scalprod(Zero(4),x)", "Sum(x - x)"),
        ("Zero(4)/x", "0/x"),
        ("SqDist(x,x)", "SqDist(x,x)"),
        ("0*2", "Zero(1)"),
        ("Grad(0*x,x,y)", "Zero(4)"),
        ("Diff(x*x - x*x,x,y)", "Zero(4)"),
        ("Grad(0*x + y*x,x,z)", "z*y"),
    ],
)
def test_what_a_user_multiplies_by_zero_is_kept(formula, normal):
    kept = simplify(parse(formula, NAMES), drops=False)
    assert same(kept, parse(normal, NAMES)), kept
    assert same(simplify(kept, drops=False), kept)


@pytest.mark.parametrize("formula", FORMULAS)
def test_nothing_is_left_to_keep_where_it_was_dropped(formula):
    dropped = simplify(parse(formula, NAMES))
    assert same(simplify(dropped, drops=False), dropped)


def test_every_rule_has_an_example():
    fired: list[Rule] = []
    simplify_all([parse(formula, NAMES) for formula in FORMULAS], fired)
    missing = [rule.pattern for rules in RULES.values() for rule in rules if rule not in fired]
    assert missing == []


def test_equal_parts_become_one_object():
    node = simplify(parse("Exp(x+y)*Sin(y+x)", NAMES))
    sums = [part for part in topological([node]) if getattr(part, "op", None) is F.Add]
    assert len(sums) == 1


def test_equal_parts_of_several_formulas_become_one_object():
    one, other = simplify_all([parse("Exp(x+y)", NAMES), parse("2*Exp(x+y)", NAMES)])
    assert one in topological([other])


def test_minus_zero_is_not_zero():
    plus, minus = share([parse("x*0.0", NAMES), parse("x*-0.0", NAMES)])
    assert plus is not minus


@pytest.mark.parametrize("formula", ["1e25*(1e25*x)", "1e-25*(1e-25*x)", "1e-200*(1e-200*x)"])
def test_numbers_whose_product_leaves_single_precision_are_left_apart(formula):
    assert same(simplify(parse(formula, NAMES)), parse(formula, NAMES))


GAUSSIAN = "Exp(-s*SqDist(x,y))*z"


@pytest.mark.parametrize(
    ("formula", "most"),
    [
        (GAUSSIAN, 9),
        (f"Grad({GAUSSIAN},x,z)", 15),
        (f"Grad({GAUSSIAN},y,z)", 15),
        (f"Diff({GAUSSIAN},x,z)", 15),
        (f"Grad(Grad({GAUSSIAN},x,z),x,y)", 26),
        ("Grad(Norm2(x-y)*z,x,z)", 9),
        ("Grad(s*SqDist(x,y),s,1)", 3),
    ],
)
def test_derivatives_stay_small(formula, most):
    assert len(topological([simplify(parse(formula, NAMES))])) <= most


def test_a_sum_of_a_thousand_terms_is_no_depth_to_fear():
    node = parse("+".join(f"Exp({k}*x)" for k in range(1000)), NAMES)
    assert simplify(gradient(node, [0], node)[0] or node).dim == 4


leaves = st.sampled_from(["x", "y", "s", "t", "0", "1", "-1", "2", "0.5", "Zero(4)"])


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(["({}+{})", "({}-{})", "({}*{})", "({}|{})", "SqDist({},{})"])
    unary = st.sampled_from(
        [
            "(-{})",
            "Sum({})",
            "SumT(Sum({}),4)",
            "({}/2)",
            "Square({})",
            "Sin({})",
            "Elem(SumT(Sum({}),4),1)",
            "Pow({},3)",
            "Max({})",
            "IfElse(x,{},0)",
            "SqNorm2({})",
        ]
    )
    return st.one_of(
        st.builds(lambda form, a, b: form.format(a, b), binary, inner, inner),
        st.builds(lambda form, a: form.format(a), unary, inner),
    )


formulas = st.recursive(leaves, _combined, max_leaves=12)


@given(formula=formulas)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_values_and_gradients_of_any_formula_stay(formula):
    rng = np.random.default_rng(0)
    arrays = {var.slot: rng.uniform(-1, 1, (5, var.dim)) for var in NAMES.values()}
    node = parse(formula, NAMES)
    derived = [d for d in gradient(node, [0, 3], parse("t", NAMES)).values() if d is not None]
    for part in [node, *derived]:
        before, after = values(part, arrays), values(simplify(part), arrays)
        # Sums may cancel: the error is relative to the greatest number on the way.
        scale = max(1.0, *(np.abs(values(p, arrays)).max() for p in topological([part])))
        np.testing.assert_allclose(after, before, rtol=1e-11, atol=1e-11 * scale)
