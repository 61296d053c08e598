"""How large derivatives grow: the number of ops in each, recorded."""

from __future__ import annotations

from jaxkeops.formula import Call, make_formula, read_formulas, topological
from jaxkeops.formula.calculus import cotangents, tangent
from jaxkeops.ir import Input

FORMULAS = {
    "Gaussian": ("Sum", "Exp(-g * SqDist(x, y)) * b"),
    "Matern 3/2": ("Sum", "(1 + g * Norm2(x - y)) * Exp(-g * Norm2(x - y)) * b"),
    "LogSumExp": ("LogSumExp", "-g * SqDist(x, y)"),
    "two layers": ("Sum", "MatVecMult(v, ReLU(MatVecMult(w, Concat(x, y)) + c)) * b"),
}
ALIASES = [
    "g = Pm(1)",
    "x = Vi(3)",
    "y = Vj(3)",
    "b = Vj(1)",
    "w = Pm(24)",
    "c = Pm(4)",
    "v = Pm(4)",
]
X, Y = 1, 2


def formula_of(reduction, text):
    (node,), variables = read_formulas([text], ALIASES)
    return make_formula(reduction, node, [Input(var.axis, var.dim) for var in variables])


def size(formula):
    return sum(isinstance(node, Call) for node in topological([formula.node]))


def gradient(formula, slot):
    """The gradient in input `slot`, and the numbers of that input in what the gradient takes."""
    sweeps = cotangents(formula, (slot,))
    if not sweeps:
        return None, []
    (sweep,) = sweeps
    again = [k for k, a in enumerate(sweep.arguments) if a.index == slot and not a.carrier]
    return sweep.formula, again


def test_sizes_of_derivatives(golden):
    lines = []
    for name, (reduction, text) in FORMULAS.items():
        formula = formula_of(reduction, text)
        sizes = [size(formula)]
        current, slot = formula, X
        for _ in range(3):
            current, again = gradient(current, slot)
            if current is None:
                break
            sizes.append(size(current))
            if not again:
                break
            slot = again[0]
        orders = ", ".join(f"order {k}: {n}" for k, n in enumerate(sizes))
        lines.append(f"{name}: {orders}; tangent: {size(tangent(formula, (X, Y)).formula)}")
    assert "\n".join(lines) == golden
