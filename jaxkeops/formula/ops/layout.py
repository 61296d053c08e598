"""Ops that pick, spread and join coordinates."""

import numpy as np

from ... import ir
from ...errors import FormulaError
from ..declare import constant_by_pieces, layout
from ..node import Coords, F

ZERO = ir.const(0)


def _one_coordinate(name: str, dim: int) -> None:
    if dim != 1:
        raise FormulaError(
            f"{name} takes a formula of dimension 1, got dimension {dim}. "
            "Use Sum, Elem or Norm2 to make one number of it."
        )


def _spread_dim(name: str, dim: int, n: int) -> int:
    _one_coordinate(name, dim)
    if n < 1:
        raise FormulaError(f"{name} gives a formula of dimension at least 1, got {n}.")
    return n


layout(
    "SumT",
    "f, of dimension 1, repeated n times: the adjoint of Sum.",
    dim=lambda dim, n: _spread_dim("SumT", dim, n),
    value=lambda f, n: np.repeat(f, n, axis=-1),
    adjoint=lambda g, f, n: (F.Sum(g),),
    lower=lambda f, n: ir.Vector.repeated(f[0], n),
    samples=(((1,), (3,)), ((1,), (1,))),
)


def _elem_dim(dim: int, m: int) -> int:
    if not 0 <= m < dim:
        raise FormulaError(
            f"Elem asks for coordinate {m}, but its argument has coordinates 0 to {dim - 1}."
        )
    return 1


layout(
    "Elem",
    "Coordinate m of f, counted from 0.",
    dim=_elem_dim,
    value=lambda f, m: f[..., m : m + 1],
    adjoint=lambda g, f, m: (F.ElemT(g, f.dim, m),),
    lower=lambda f, m: [f[m]],
    samples=(((3,), (1,)), ((3,), (0,)), ((3,), (2,)), ((1,), (0,))),
)


def _elem_t_dim(dim: int, n: int, m: int) -> int:
    _spread_dim("ElemT", dim, n)
    if not 0 <= m < n:
        raise FormulaError(
            f"ElemT(f, n, m) puts f at coordinate m of n: {m} is not in 0 to {n - 1}."
        )
    return n


layout(
    "ElemT",
    "n coordinates: f at position m, zeros elsewhere: the adjoint of Elem.",
    dim=_elem_t_dim,
    value=lambda f, n, m: _padded(f, m, n),
    adjoint=lambda g, f, n, m: (F.Elem(g, m),),
    lower=lambda f, n, m: _pad(f, m, n),
    samples=(((1,), (3, 1)), ((1,), (3, 0)), ((1,), (3, 2)), ((1,), (1, 0))),
)


def _extract_dim(dim: int, start: int, size: int) -> int:
    if start < 0 or size < 1 or start + size > dim:
        asked = f"{start} to {start + size - 1}" if size >= 1 else f"{size} coordinates"
        raise FormulaError(
            f"Extract(f, start, size) asks for coordinates {asked}, but its argument has "
            f"coordinates 0 to {dim - 1}."
        )
    return size


layout(
    "Extract",
    "d coordinates of f, from coordinate s on.",
    dim=_extract_dim,
    value=lambda f, s, d: f[..., s : s + d],
    adjoint=lambda g, f, s, d: (F.ExtractT(g, s, f.dim),),
    lower=lambda f, s, d: f[s : s + d],
    samples=(((5,), (1, 3)), ((5,), (0, 2)), ((5,), (3, 2)), ((2,), (0, 2)), ((1,), (0, 1))),
)


def _extract_t_dim(dim: int, start: int, n: int) -> int:
    if start < 0 or start + dim > n:
        raise FormulaError(
            f"ExtractT(f, start, n) puts f, of dimension {dim}, from coordinate {start} on: "
            f"that does not fit in {n} coordinates."
        )
    return n


layout(
    "ExtractT",
    "n coordinates: f from position s on, zeros elsewhere: the adjoint of Extract.",
    dim=_extract_t_dim,
    value=lambda f, s, n: _padded(f, s, n),
    adjoint=lambda g, f, s, n: (F.Extract(g, s, f.dim),),
    lower=lambda f, s, n: _pad(f, s, n),
    samples=(((3,), (1, 5)), ((2,), (0, 5)), ((2,), (3, 5)), ((2,), (0, 2)), ((1,), (1, 2))),
)


def _padded(f: np.ndarray, start: int, n: int) -> np.ndarray:
    sides = [(0, 0)] * (f.ndim - 1) + [(start, n - start - f.shape[-1])]
    return np.pad(f, sides)


def _pad(f: Coords, start: int, n: int) -> Coords:
    before, after = (ir.Vector.repeated(ZERO, k) for k in (start, n - start - len(f)))
    return before + f + after


def _joined(f: np.ndarray, g: np.ndarray) -> np.ndarray:
    rows = np.broadcast_shapes(f.shape[:-1], g.shape[:-1])
    return np.concatenate([np.broadcast_to(a, (*rows, a.shape[-1])) for a in (f, g)], axis=-1)


layout(
    "Concat",
    "The coordinates of f, then those of g.",
    arity=2,
    dim=lambda a, b: a + b,
    value=_joined,
    adjoint=lambda e, f, g: (F.Extract(e, 0, f.dim), F.Extract(e, f.dim, g.dim)),
    lower=lambda f, g: ir.Vector(ir.parts(f)) + g,
    samples=(((2, 3), ()), ((1, 1), ())),
)


def _truncated(x: ir.Scalar) -> ir.Scalar:
    return ir.select_lt(x, ZERO, ir.neg(ir.floor(ir.neg(x))), ir.floor(x))


def _one_hot(f: Coords, n: int) -> Coords:
    index = _truncated(ir.add(f[0], ir.const(0.5)))
    return [ir.select_eq(index, ir.const(k), ir.const(1), ZERO) for k in range(n)]


constant_by_pieces(
    "OneHot",
    "n coordinates: 1 at position trunc(f + 0.5), zeros elsewhere; all zeros if f is out of range.",
    dim=lambda dim, n: _spread_dim("OneHot", dim, n),
    value=lambda f, n: np.where(np.trunc(f + 0.5) == np.arange(n), 1.0, 0.0),
    lower=_one_hot,
    domain=(-2, 6),
    samples=(((1,), (4,)), ((1,), (1,))),
)
