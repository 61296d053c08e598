"""Derivatives that formulas ask for, against closed forms and against central differences."""

from __future__ import annotations

import numpy as np
import pytest
from by_rows import values

from jaxkeops.formula import Var
from jaxkeops.formula.parse import parse
from jaxkeops.formula.simplify import simplify

NAMES = {
    "x": Var(3, 0, "i"),
    "y": Var(3, 1, "i"),
    "p": Var(1, 2, "i"),
    "A": Var(9, 3, "i"),
    "c": Var(4, 4, "i"),
    "w": Var(2, 5, "i"),
}


@pytest.fixture
def arrays(rng) -> dict[int, np.ndarray]:
    return {var.slot: rng.uniform(0.5, 2, (5, var.dim)) for var in NAMES.values()}


# Both sides are formulas of the language. The right ones hold no operator of this file.
IDENTITIES = [
    ("Laplacian(SqNorm2(x),x)", "6"),
    ("Laplacian(Exp(-SqDist(x,y)),x)", "(4*SqDist(x,y)-6)*Exp(-SqDist(x,y))"),
    ("Laplacian(2*Sum(x)+p,x)", "0"),
    ("Divergence(x,x)", "3"),
    ("Divergence(SqNorm2(x)*x,x)", "5*SqNorm2(x)"),
    ("Divergence(y,x)", "0"),
    ("Divergence(Extract(Concat(x*x,y),0,3),x)", "2*Sum(x)"),
    ("GradMatrix(x,x)", "Concat(Concat(ElemT(1,3,0),ElemT(1,3,1)),ElemT(1,3,2))"),
    ("GradMatrix(MatVecMult(A,x),x)", "A"),
    ("GradMatrix(p*y,p)", "y"),
    ("GradMatrix(SqNorm2(x),x)", "2*x"),
    ("Grad(x|y,x,p)", "p*y"),
    ("Grad(Exp(y),x,y)", "Zero(3)"),
    ("Grad(p*x,p,y)", "x|y"),
    ("Grad(p*x,x,1)", "SumT(p,3)"),
    ("Grad(Grad(Pow(x,3)|y,x,1),x,y)", "6*x*y*y"),
    ("Grad(Grad(Grad(Sum(Pow(x,4)),x,1),x,y),x,y)", "24*x*y*y"),
    ("Diff(MatVecMult(A,x),x,y)", "MatVecMult(A,y)"),
    ("Diff(TensorProd(x,y),(x,y),(y,x))", "TensorProd(y,y)+TensorProd(x,x)"),
    ("Diff(ComplexMult(c,c),c,Concat(w,w))", "2*ComplexMult(c,Concat(w,w))"),
    ("Diff(IfElse(x-1,x*x,y),x,y)", "IfElse(x-1,2*x*y,0)"),
    ("Diff(x*x,(x,x),(y,y))", "4*x*y"),
    ("Diff(y,x,x)", "Zero(3)"),
    ("AdjointOperator(MatVecMult(A,x),x,y)", "VecMatMult(y,A)"),
    ("TraceOperator(MatVecMult(A,x),x)", "Elem(A,0)+Elem(A,4)+Elem(A,8)"),
    ("TraceOperator(x*y,x,y)", "SqNorm2(y)"),
    ("TraceOperator(x|y,x)", "Sum(y)"),
    ("TraceOperator(x*y,x,p)", "p*Sum(y)"),
    ("SumLinOperator(MatVecMult(A,x),x)", "Sum(A)"),
    ("SumLinOperator(MatVecMult(A,x),x,y,x)", "y|MatVecMult(A,x)"),
    ("Grad(ComplexRealScal(p,c),p,c)", "SqNorm2(c)"),
    ("Grad(ComplexSquareAbs(c),c,w)", "ComplexPair(w,w)*2*c"),
    ("Grad(ComplexAbs(c*0),c,w)", "Zero(4)"),
]


@pytest.mark.parametrize(("formula", "closed_form"), IDENTITIES)
def test_an_operator_gives_the_closed_form(formula, closed_form, arrays):
    found, expected = parse(formula, NAMES), parse(closed_form, NAMES)
    assert found.dim == expected.dim
    np.testing.assert_allclose(
        values(found, arrays), values(expected, arrays), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        values(simplify(found), arrays), values(expected, arrays), rtol=1e-12, atol=1e-12
    )


def test_a_complex_product_differentiates_for_a_real_variable_of_odd_dimension(arrays):
    # KeOps refuses these: it adds contributions as complex numbers.
    node = parse("Grad(ComplexMult(ComplexExp1j(x), ComplexExp1j(x)), x, ComplexExp1j(2*x))", NAMES)
    assert node.dim == 3
    np.testing.assert_allclose(values(node, arrays), np.zeros((5, 3)), atol=1e-14)
