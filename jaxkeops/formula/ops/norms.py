"""Norms, and weighted norms: names for formulas of other ops."""

import numpy as np

from ...errors import FormulaError
from ..declare import composite
from ..node import F, Node

composite(
    "Norm2",
    "The Euclidean norm of f; its gradient at 0 is taken as 0.",
    expand=lambda f: F.Sqrt(F.SqNorm2(f)),
    value=lambda f: np.sqrt((f * f).sum(-1, keepdims=True)),
    domain=(0.5, 2),
    samples=(((3,), ()), ((1,), ())),
)

composite(
    "Normalize",
    "f over its Euclidean norm, taken as 0 at 0.",
    expand=lambda f: F.Rsqrt(F.SqNorm2(f)) * f,
    value=lambda f: f / np.sqrt((f * f).sum(-1, keepdims=True)),
    domain=(0.5, 2),
    samples=(((3,), ()), ((1,), ())),
)


def _sq_norm_iso(s: Node, f: Node) -> Node:
    if s.dim != 1:
        raise FormulaError(f"SqNormIso(s, f) takes s of dimension 1, got dimension {s.dim}.")
    return s * F.SqNorm2(f)


composite(
    "SqNormIso",
    "s times the squared norm of f.",
    arity=2,
    expand=_sq_norm_iso,
    value=lambda s, f: s * (f * f).sum(-1, keepdims=True),
    domain=(-2, 2),
    samples=(((1, 3), ()), ((1, 1), ())),
)


def _sq_norm_diag(s: Node, f: Node) -> Node:
    if s.dim != f.dim:
        raise FormulaError(
            f"SqNormDiag(s, f) takes s and f of one dimension, got {s.dim} and {f.dim}."
        )
    return F.Scalprod(s, F.Square(f))


composite(
    "SqNormDiag",
    "The sum of s[k] f[k]^2.",
    arity=2,
    expand=_sq_norm_diag,
    value=lambda s, f: (s * f * f).sum(-1, keepdims=True),
    domain=(-2, 2),
    samples=(((3, 3), ()), ((1, 1), ())),
)


def _sym_sq_norm(a: Node, f: Node) -> Node:
    if a.dim != f.dim**2:
        raise FormulaError(
            f"SymSqNorm(A, f) takes A of the square of the dimension of f, {f.dim**2}, "
            f"got dimension {a.dim}."
        )
    return F.Scalprod(f, F.MatVecMult(a, f))


def _quadratic_form(a: np.ndarray, f: np.ndarray) -> np.ndarray:
    d = f.shape[-1]
    return np.einsum("...kl,...k,...l->...", a.reshape(*a.shape[:-1], d, d), f, f)[..., None]


composite(
    "SymSqNorm",
    "The sum of A[k, l] f[k] f[l], A in rows; it need not be symmetric.",
    arity=2,
    expand=_sym_sq_norm,
    value=_quadratic_form,
    domain=(-2, 2),
    samples=(((9, 3), ()), ((1, 1), ())),
)


def _weighted_sq_norm(s: Node, f: Node) -> Node:
    if s.dim == 1:
        return F.SqNormIso(s, f)
    if s.dim == f.dim:
        return F.SqNormDiag(s, f)
    if s.dim == f.dim**2:
        return F.SymSqNorm(s, f)
    raise FormulaError(
        f"The weights of a norm of {f.dim} coordinates are 1, {f.dim} or {f.dim**2} numbers, "
        f"got {s.dim}. The weights come first."
    )


def _weighted(s: np.ndarray, f: np.ndarray) -> np.ndarray:
    if s.shape[-1] in (1, f.shape[-1]):
        return (s * f * f).sum(-1, keepdims=True)
    return _quadratic_form(s, f)


composite(
    "WeightedSqNorm",
    "The squared norm of f with weights s: a number, one for each coordinate, or a matrix in rows.",
    arity=2,
    expand=_weighted_sq_norm,
    value=_weighted,
    domain=(-2, 2),
    samples=(((1, 3), ()), ((3, 3), ()), ((9, 3), ()), ((1, 1), ())),
)

composite(
    "WeightedSqDist",
    "The squared distance of f and g with weights s, as in WeightedSqNorm.",
    arity=3,
    expand=lambda s, f, g: F.WeightedSqNorm(s, f - g),
    value=lambda s, f, g: _weighted(s, f - g),
    domain=(-2, 2),
    samples=(((1, 3, 3), ()), ((3, 3, 3), ()), ((9, 3, 3), ()), ((3, 3, 1), ()), ((1, 1, 1), ())),
)

composite(
    "Factorize",
    "f. Equal parts of a formula are always computed once, so g says nothing new.",
    arity=2,
    expand=lambda f, g: f,
    value=lambda f, g: f,
    domain=(-2, 2),
    samples=(((3, 2), ()),),
)

composite(
    "AutoFactorize",
    "f. Equal parts of a formula are always computed once.",
    expand=lambda f: f,
    value=lambda f: f,
    domain=(-2, 2),
    samples=(((3,), ()),),
)
