"""Complex numbers as pairs of coordinates: re0, im0, re1, im1, ...

Three layouts split and join the two parts; all else is a formula of these, with its derivatives.
Gradients are those of real functions of the coordinates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import FormulaError
from ..declare import composite, layout
from ..node import Coords, F, Node, spread


def _half(name: str, dim: int) -> int:
    if dim % 2:
        raise FormulaError(
            f"{name} takes complex numbers, each of two coordinates, so an even dimension; "
            f"got dimension {dim}."
        )
    return dim // 2


layout(
    "ComplexReal",
    "The real parts of f.",
    dim=lambda dim: _half("ComplexReal", dim),
    value=lambda f: f[..., ::2],
    adjoint=lambda g, f: (F.Real2Complex(g),),
    lower=lambda f: f[::2],
    samples=(((6,), ()), ((2,), ())),
)

layout(
    "ComplexImag",
    "The imaginary parts of f.",
    dim=lambda dim: _half("ComplexImag", dim),
    value=lambda f: f[..., 1::2],
    adjoint=lambda g, f: (F.Imag2Complex(g),),
    lower=lambda f: f[1::2],
    samples=(((6,), ()), ((2,), ())),
)


def _same(a: int, b: int) -> int:
    if a != b:
        raise FormulaError(
            f"ComplexPair takes as many real parts as imaginary parts, got {a} and {b}."
        )
    return 2 * a


def _paired(f: np.ndarray, g: np.ndarray) -> np.ndarray:
    pairs = np.stack(np.broadcast_arrays(f, g), axis=-1)
    return pairs.reshape(*pairs.shape[:-2], 2 * pairs.shape[-2])


def _pair(f: Coords, g: Coords) -> Coords:
    return [part for pair in zip(f, g, strict=True) for part in pair]


layout(
    "ComplexPair",
    "The complex numbers with real parts f and imaginary parts g.",
    arity=2,
    dim=_same,
    value=_paired,
    adjoint=lambda e, f, g: (F.ComplexReal(e), F.ComplexImag(e)),
    lower=_pair,
    samples=(((3, 3), ()), ((1, 1), ())),
)


def _join(re: Node, im: Node) -> Node:
    width = max(re.dim, im.dim)
    return F.ComplexPair(spread(re, width), spread(im, width))


def _parts(name: str, f: Node) -> tuple[Node, Node]:
    _half(name, f.dim)
    return F.ComplexReal(f), F.ComplexImag(f)


def _z(f: np.ndarray) -> np.ndarray:
    return f[..., ::2] + 1j * f[..., 1::2]


def _pairs(z: np.ndarray) -> np.ndarray:
    return _paired(np.real(z), np.imag(z))


COMPLEX = (((6,), ()), ((2,), ()))
TWO_COMPLEX = (((6, 6), ()), ((2, 6), ()), ((6, 2), ()), ((2, 2), ()))


def _one(
    name: str,
    doc: str,
    expand: Callable[[Node, Node], Node],
    value: Callable[[np.ndarray], np.ndarray],
) -> None:
    """A function of one complex formula, in terms of its parts."""
    composite(
        name,
        doc,
        expand=lambda f: expand(*_parts(name, f)),
        value=value,
        domain=(0.5, 2),
        samples=COMPLEX,
    )


def _two(
    name: str,
    doc: str,
    expand: Callable[[Node, Node, Node, Node], Node],
    value: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    """A function of two complex formulas; one number stands for as many as the other has."""

    def checked(f: Node, g: Node) -> Node:
        parts = (*_parts(name, f), *_parts(name, g))
        if f.dim != g.dim and 2 not in (f.dim, g.dim):
            raise FormulaError(
                f"{name} takes as many complex numbers on both sides, or one on a side; "
                f"got {f.dim // 2} and {g.dim // 2}."
            )
        return expand(*parts)

    composite(
        name,
        doc,
        arity=2,
        expand=checked,
        value=lambda f, g: _pairs(value(_z(f), _z(g))),
        domain=(0.5, 2),
        samples=TWO_COMPLEX,
    )


composite(
    "Real2Complex",
    "The complex numbers with real parts f, and no imaginary parts.",
    expand=lambda f: F.ComplexPair(f, F.Zero(f.dim)),
    value=lambda f: _pairs(f + 0j),
    domain=(-2, 2),
    samples=(((3,), ()), ((1,), ())),
)

composite(
    "Imag2Complex",
    "The complex numbers with imaginary parts f, and no real parts.",
    expand=lambda f: F.ComplexPair(F.Zero(f.dim), f),
    value=lambda f: _paired(np.zeros_like(f), f),
    domain=(-2, 2),
    samples=(((3,), ()), ((1,), ())),
)

_one("Conj", "The conjugate of f.", lambda a, b: _join(a, -b), lambda f: _pairs(_z(f).conj()))

_one(
    "ComplexSquareAbs",
    "The squared modulus of f.",
    lambda a, b: F.Square(a) + F.Square(b),
    lambda f: np.abs(_z(f)) ** 2,
)

_one(
    "ComplexAbs",
    "The modulus of f; its gradient at 0 is taken as 0.",
    lambda a, b: F.Sqrt(F.Square(a) + F.Square(b)),
    lambda f: np.abs(_z(f)),
)

_one("ComplexAngle", "The angle of f.", lambda a, b: F.Atan2(b, a), lambda f: np.angle(_z(f)))

_one(
    "ComplexSum",
    "The sum of the complex numbers of f.",
    lambda a, b: _join(F.Sum(a), F.Sum(b)),
    lambda f: _pairs(_z(f).sum(-1, keepdims=True)),
)

_one(
    "ComplexExp",
    "The exponential of f.",
    lambda a, b: _join(F.Exp(a) * F.Cos(b), F.Exp(a) * F.Sin(b)),
    lambda f: _pairs(np.exp(_z(f))),
)

composite(
    "ComplexExp1j",
    "exp(i f), for f real.",
    expand=lambda f: _join(F.Cos(f), F.Sin(f)),
    value=lambda f: _pairs(np.exp(1j * f)),
    domain=(-2, 2),
    samples=(((3,), ()), ((1,), ())),
)


def _repeated(f: Node, dim: int) -> Node:
    if f.dim != 2 or dim < 2:
        raise FormulaError(
            f"ComplexSumT(f, 2 n) repeats one complex number n times, so f has dimension 2; "
            f"got dimension {f.dim}, and 2 n = {dim}."
        )
    n = _half("ComplexSumT", dim)
    return _join(spread(F.ComplexReal(f), n), spread(F.ComplexImag(f), n))


composite(
    "ComplexSumT",
    "One complex number repeated, up to 2 n coordinates: the adjoint of ComplexSum.",
    expand=_repeated,
    value=lambda f, dim: np.tile(f, dim // 2),
    domain=(-2, 2),
    samples=(((2,), (6,)), ((2,), (2,))),
)

_two(
    "ComplexAdd",
    "f + g, of complex numbers.",
    lambda a, b, c, d: _join(a + c, b + d),
    lambda f, g: f + g,
)

_two(
    "ComplexSubtract",
    "f - g, of complex numbers.",
    lambda a, b, c, d: _join(a - c, b - d),
    lambda f, g: f - g,
)

_two(
    "ComplexMult",
    "f times g, of complex numbers.",
    lambda a, b, c, d: _join(a * c - b * d, a * d + b * c),
    lambda f, g: f * g,
)

_two(
    "ComplexScal",
    "ComplexMult under the name that documentation uses for one complex number times others.",
    lambda a, b, c, d: _join(a * c - b * d, a * d + b * c),
    lambda f, g: f * g,
)


def _divided(a: Node, b: Node, c: Node, d: Node) -> Node:
    scale = F.Inv(F.Square(c) + F.Square(d))
    return _join((a * c + b * d) * scale, (b * c - a * d) * scale)


_two("ComplexDivide", "f over g, of complex numbers.", _divided, lambda f, g: f / g)


def _real_scal(f: Node, g: Node) -> Node:
    if f.dim != 1:
        f, g = g, f
    if f.dim != 1:
        raise FormulaError(
            f"ComplexRealScal takes a real number, of dimension 1, and complex numbers; got "
            f"dimensions {f.dim} and {g.dim}."
        )
    _half("ComplexRealScal", g.dim)
    return f * g


composite(
    "ComplexRealScal",
    "A real number times complex numbers, in either order.",
    arity=2,
    expand=_real_scal,
    value=lambda f, g: f * g,
    domain=(-2, 2),
    samples=(((1, 6), ()), ((6, 1), ()), ((1, 2), ())),
)


_one(
    "ComplexLog",
    "The principal logarithm of f: its imaginary part is the angle of f.",
    lambda a, b: _join(F.Log(F.Square(a) + F.Square(b)) * 0.5, F.Atan2(b, a)),
    lambda f: _pairs(np.log(_z(f))),
)


def _root(a: Node, b: Node) -> Node:
    # By the angle: with the root of (modulus - a) / 2, small imaginary parts would lose digits.
    modulus = F.Sqrt(F.Sqrt(F.Square(a) + F.Square(b)))
    half_angle = F.Atan2(b, a) * 0.5
    return _join(modulus * F.Cos(half_angle), modulus * F.Sin(half_angle))


_one(
    "ComplexSqrt",
    "The principal square root of f: its real part is not negative.",
    _root,
    lambda f: _pairs(np.sqrt(_z(f))),
)


def _inverse(a: Node, b: Node) -> Node:
    scale = F.Inv(F.Square(a) + F.Square(b))
    return _join(a * scale, -(b * scale))


def _power(f: Node, m: int) -> Node:
    """By repeated squaring: 2 log2(m) products at most."""
    _half("ComplexPow", f.dim)
    result, square, left = None, f, abs(m)
    while left:
        if left % 2:
            result = square if result is None else F.ComplexMult(result, square)
        left //= 2
        square = F.ComplexMult(square, square) if left else square
    if result is None:
        return F.ComplexPair(spread(F.IntCst(1), f.dim // 2), F.Zero(f.dim // 2))
    return _inverse(*_parts("ComplexPow", result)) if m < 0 else result


composite(
    "ComplexPow",
    "f to the power m, an integer literal: 1 if m is 0, whatever f is.",
    expand=_power,
    value=lambda f, m: _pairs(_z(f) ** m),
    domain=(0.5, 2),
    samples=(((6,), (3,)), ((2,), (-2,)), ((2,), (0,))),
)
