"""S4's formulas over complex numbers, as pairs of coordinates in batches, and their gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", minversion="2.11")

from jaxkeops.torch import Genred  # noqa: E402

B, M, N = 3, 4, 5
PAIRS = ["v = Vj(2)", "z = Vi(2)", "w = Vj(2)"]
EXPONENTS = ["v = Vj(2)", "x = Vi(2)", "l = Vj(2)"]


def over_both(v, z, w):
    """v / (z - w) and its conjugate counterpart; v, w: (B, 1, N), z: (B, M, 1)."""
    return v / (z - w) + v.conj() / (z - w.conj())


# The formula, its aliases, and what each pair adds. Formulas and aliases are those of S4.
FORMULAS = {
    "cauchy": ("ComplexDivide(v, z-w)", PAIRS, lambda v, z, w: v / (z - w)),
    "numerator and denominator": (
        "ComplexDivide(z * ComplexReal(v) - Real2Complex(Sum(v * w)), ComplexMult(z-w, z-Conj(w)))",
        PAIRS,
        lambda v, z, w: over_both(v, z, w) / 2,
    ),
    "numerator in parts": (
        "ComplexDivide(z * ComplexReal(v) - Real2Complex(ComplexReal(v)*ComplexReal(w) + "
        "ComplexImag(v)*ComplexImag(w)), ComplexMult(z-Real2Complex(ComplexReal(w)), "
        "z-Real2Complex(ComplexReal(w))) + Real2Complex(Square(ComplexImag(w))))",
        PAIRS,
        lambda v, z, w: over_both(v, z, w) / 2,
    ),
    "sum of both": (
        "ComplexDivide(v, z-w) + ComplexDivide(Conj(v), z-Conj(w))",
        PAIRS,
        over_both,
    ),
    "vandermonde": (
        "ComplexMult(v, ComplexExp(ComplexMult(x, l)))",
        EXPONENTS,
        lambda v, x, l: v * torch.exp(x * l),
    ),
    "transposed": (
        "ComplexMult(ComplexMult(v, u), ComplexExp(ComplexMult(x, l)))",
        ["u = Vj(2)", "v = Vi(2)", "x = Vi(2)", "l = Vj(2)"],
        None,
    ),
}


@pytest.fixture
def draw(rng):
    def drawn(*shape):
        parts = rng.uniform(0.2, 1.2, (2, *shape))
        return torch.complex(*map(torch.from_numpy, parts)).requires_grad_()

    return drawn


def pairs(numbers):
    return torch.view_as_real(numbers)


def check(found, known, given, rng):
    found = torch.view_as_complex(found)
    torch.testing.assert_close(found, known, rtol=1e-12, atol=1e-12)
    weights = torch.complex(*map(torch.from_numpy, rng.normal(size=(2, *known.shape))))
    ours, theirs = (
        torch.autograd.grad((each * weights).real.sum(), given) for each in (found, known)
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [name for name, case in FORMULAS.items() if case[2]])
def test_a_formula_has_the_values_of_complex_numbers(name, draw, rng):
    formula, aliases, value = FORMULAS[name]
    v, z, w = draw(B, N), draw(1, M), draw(B, N)
    found = Genred(formula, aliases, reduction_op="Sum", axis=1)(*map(pairs, (v, z, w)))
    known = value(v[:, None], z[..., None], w[:, None]).sum(-1)
    check(found, known, (v, z, w), rng)


def test_the_transposed_product(draw, rng):
    formula, aliases, _ = FORMULAS["transposed"]
    u, v, x, l = draw(B, N), draw(B, M), draw(B, M), draw(B, N)
    found = Genred(formula, aliases, reduction_op="Sum", axis=1)(*map(pairs, (u, v, x, l)))
    exponents = torch.exp(x[..., None] * l[:, None])
    known = (v[..., None] * u[:, None] * exponents).sum(-1)
    check(found, known, (u, v, x, l), rng)


def test_the_cauchy_kernel_by_components(draw, rng):
    v, w = draw(B, N), draw(B, N)
    z = torch.complex(torch.zeros(B, M).double(), torch.from_numpy(rng.uniform(2, 3, (B, M))))
    formula = (
        "ComplexDivide(Imag2Complex(zi*vr) - Real2Complex(vr*wr + vi*wi), "
        "Real2Complex(Square(wr)+Square(wi)-Square(zi)) - Imag2Complex(IntCst(2)*zi*wr))"
    )
    aliases = ["vr = Vj(1)", "vi = Vj(1)", "wr = Vj(1)", "wi = Vj(1)", "zi = Vi(1)"]
    columns = [each[..., None] for each in (v.real, v.imag, w.real, w.imag, z.imag)]
    found = Genred(formula, aliases, reduction_op="Sum", axis=1)(*columns)
    known = (over_both(v[:, None], z[..., None], w[:, None]) / 2).sum(-1)
    check(found, known, (v, w), rng)


def test_the_real_cauchy_kernel(rng):
    v, z, w = (
        torch.from_numpy(rng.uniform(low, low + 1, (B, n, 1)))
        for low, n in ((0, N), (3, M), (0, N))
    )
    aliases = ["v = Vj(1)", "z = Vi(1)", "w = Vj(1)"]
    found = Genred("v / (z - w)", aliases, reduction_op="Sum", axis=1)(v, z, w)
    known = (v[..., None, :, 0] / (z - w[..., None, :, 0])).sum(-1, keepdim=True)
    torch.testing.assert_close(found, known, rtol=1e-12, atol=1e-12)
