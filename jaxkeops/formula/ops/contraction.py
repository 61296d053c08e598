"""Small tensor algebra. TensorDot is the one product; the others are names for cases of it.

Tensors lie in the coordinates of a formula row by row: the last axis runs fastest.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np

from ... import ir
from ...errors import FormulaError
from ..declare import composite, register
from ..node import Coords, F, Node, Op

Dims = tuple[int, ...]


def _kept(dims: Dims, contracted: Dims) -> Dims:
    return tuple(axis for axis in range(len(dims)) if axis not in contracted)


def _destinations(count: int, permute: Dims) -> Dims:
    return permute if permute else tuple(range(count))


def _result_dims(dims_f: Dims, dims_g: Dims, cont_f: Dims, cont_g: Dims, permute: Dims) -> Dims:
    sizes = [dims_f[axis] for axis in _kept(dims_f, cont_f)]
    sizes += [dims_g[axis] for axis in _kept(dims_g, cont_g)]
    result = [0] * len(sizes)
    for size, destination in zip(sizes, _destinations(len(sizes), permute), strict=True):
        result[destination] = size
    return tuple(result)


def _dim(
    f: int, g: int, dims_f: Dims, dims_g: Dims, cont_f: Dims, cont_g: Dims, permute: Dims
) -> int:
    for word, dim, dims, cont in (("first", f, dims_f, cont_f), ("second", g, dims_g, cont_g)):
        if prod(dims) != dim or any(size < 1 for size in dims):
            raise FormulaError(
                f"TensorDot sees the {word} formula as a tensor of sizes {list(dims)}, "
                f"{prod(dims)} numbers in all, but its dimension is {dim}."
            )
        if len(set(cont)) != len(cont) or any(not 0 <= axis < len(dims) for axis in cont):
            raise FormulaError(
                f"TensorDot contracts axes {list(cont)} of the {word} tensor: they must be "
                f"distinct, and from 0 to {len(dims) - 1}."
            )
    if [dims_f[axis] for axis in cont_f] != [dims_g[axis] for axis in cont_g]:
        raise FormulaError(
            "TensorDot pairs the axes that it contracts, so their sizes must be equal, got "
            f"{[dims_f[axis] for axis in cont_f]} and {[dims_g[axis] for axis in cont_g]}."
        )
    count = len(dims_f) + len(dims_g) - 2 * len(cont_f)
    if permute and sorted(permute) != list(range(count)):
        raise FormulaError(
            f"TensorDot puts the {count} axes that it keeps at the places {list(permute)}: "
            f"each of 0 to {count - 1} is expected once."
        )
    return prod(_result_dims(dims_f, dims_g, cont_f, cont_g, permute))


def _value(
    f: np.ndarray,
    g: np.ndarray,
    dims_f: Dims,
    dims_g: Dims,
    cont_f: Dims,
    cont_g: Dims,
    permute: Dims = (),
) -> np.ndarray:
    axes_f = list(range(len(dims_f)))
    axes_g = [len(dims_f) + axis for axis in range(len(dims_g))]
    for a, b in zip(cont_f, cont_g, strict=True):
        axes_g[b] = axes_f[a]
    kept = [axes_f[a] for a in _kept(dims_f, cont_f)] + [axes_g[b] for b in _kept(dims_g, cont_g)]
    axes = [kept[k] for k in np.argsort(_destinations(len(kept), permute))]
    letters = [f"...{''.join(map(_letter, group))}" for group in (axes_f, axes_g, axes)]
    tensor = np.einsum(
        f"{letters[0]},{letters[1]}->{letters[2]}",
        f.reshape((*f.shape[:-1], *dims_f)),
        g.reshape((*g.shape[:-1], *dims_g)),
    )
    return _flattened(tensor, len(axes))


def _flattened(tensor: np.ndarray, axes: int) -> np.ndarray:
    """The last `axes` axes as one; their product is spelled out, for arrays without rows."""
    start = tensor.ndim - axes
    return tensor.reshape(*tensor.shape[:start], prod(tensor.shape[start:]))


def _letter(axis: int) -> str:
    return string.ascii_letters[axis]  # NumPy knows 52 axes at most, and arrays have 64


def _lower(
    f: Coords,
    g: Coords,
    dims_f: Dims,
    dims_g: Dims,
    cont_f: Dims,
    cont_g: Dims,
    permute: Dims,
) -> Coords:
    kept_f, kept_g = _kept(dims_f, cont_f), _kept(dims_g, cont_g)
    destinations = _destinations(len(kept_f) + len(kept_g), permute)
    steps_f, steps_g = _steps(dims_f), _steps(dims_g)
    # Of each axis: its size, and how far a step along it goes in f and in g.
    kept = [(dims_f[axis], steps_f[axis], 0) for axis in kept_f]
    kept += [(dims_g[axis], 0, steps_g[axis]) for axis in kept_g]
    axes = [kept[k] for k in np.argsort(destinations)] if kept else []
    contracted = [(dims_f[a], steps_f[a], steps_g[b]) for a, b in zip(cont_f, cont_g, strict=True)]
    # The last axis is taken whole: a sum over it, or a run of coordinates, may be long.
    *outer, (size, step_f, step_g) = [*axes, *contracted] or [(1, 0, 0)]
    lines = [
        ir.elementwise(ir.mul, _line(f, at_f, step_f, size), _line(g, at_g, step_g, size))
        for at_f, at_g in _places(outer)
    ]
    if not contracted:
        return ir.Vector(part for line in lines for part in line.parts)
    sums = prod(size for size, _, _ in contracted[:-1])
    totals = [ir.total(line) for line in lines]
    return [reduce(ir.add, totals[k : k + sums]) for k in range(0, len(totals), sums)]


def _steps(dims: Dims) -> list[int]:
    return [prod(dims[axis + 1 :]) for axis in range(len(dims))]


def _places(axes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Where in f and in g the steps along some axes lead, the last axis fastest."""
    places = [(0, 0)]
    for size, step_f, step_g in axes:
        places = [(f + k * step_f, g + k * step_g) for f, g in places for k in range(size)]
    return places


def _line(coords: Coords, start: int, step: int, size: int) -> Coords:
    if not step:
        return [coords[start]]
    return (coords if isinstance(coords, ir.Vector) else ir.Vector(coords)).strided(
        start, step, size
    )


def _vjp(
    e: Node, f: Node, g: Node, dims_f: Dims, dims_g: Dims, cont_f: Dims, cont_g: Dims, permute: Dims
) -> Sequence[Node | None]:
    kept_f, kept_g = _kept(dims_f, cont_f), _kept(dims_g, cont_g)
    dims_e = _result_dims(dims_f, dims_g, cont_f, cont_g, permute)
    destinations = _destinations(len(dims_e), permute)
    from_f, from_g = destinations[: len(kept_f)], destinations[len(kept_f) :]

    # Where the axes of e that stay, in order, come from in f (or in g) is where they go back.
    axis_of = dict(zip(from_f, kept_f, strict=True))
    to_f = [axis_of[axis] for axis in sorted(from_f)]
    to_f += [cont_f[cont_g.index(axis)] for axis in sorted(cont_g)]
    axis_of = dict(zip(from_g, kept_g, strict=True))
    to_g = [cont_g[cont_f.index(axis)] for axis in sorted(cont_f)]
    to_g += [axis_of[axis] for axis in sorted(from_g)]
    return (
        F.TensorDot(e, g, dims_e, dims_g, from_g, kept_g, tuple(to_f)),
        F.TensorDot(f, e, dims_f, dims_e, kept_f, from_f, tuple(to_g)),
    )


def _jvp(tangents: Sequence[Node | None], f: Node, g: Node, *params: Dims) -> Node | None:
    df, dg = tangents
    terms = [] if df is None else [F.TensorDot(df, g, *params)]
    terms += [] if dg is None else [F.TensorDot(f, dg, *params)]
    return reduce(F.Add, terms) if terms else None


register(
    Op(
        name="TensorDot",
        doc="f and g, as tensors of sizes dimsf and dimsg, contracted along the axes in contf and "
        "contg; kept axis m becomes axis permute[m] of the result.",
        arity=2,
        value=_value,
        domain=(-2, 2),
        samples=(
            ((6, 6), ((2, 3), (3, 2), (1,), (0,), (1, 0))),
            ((12, 6), ((2, 3, 2), (3, 2), (1,), (0,), (2, 0, 1))),
            ((12, 6), ((2, 3, 2), (3, 2), (1, 2), (0, 1), ())),
            ((12, 6), ((2, 2, 3), (3, 2), (2, 0), (0, 1), ())),
            ((6, 24), ((2, 3), (3, 2, 4), (1,), (0,), (1, 2, 0))),
            ((3, 24), ((3,), (3, 2, 4), (0,), (0,), (1, 0))),
            ((2, 3), ((2,), (3,), (), (), (1, 0))),
            ((6, 6), ((2, 3), (3, 2), (0, 1), (1, 0), ())),
            ((1, 1), ((), (), (), (), ())),
        ),
        dim=_dim,
        vjp=_vjp,
        jvp=_jvp,
        lower=_lower,
        optional_params=((),),
    )
)


def _rows(name: str, matrix: Node, vector: Node) -> int:
    if matrix.dim % vector.dim:
        raise FormulaError(
            f"{name}: a matrix of {matrix.dim} numbers does not act on a vector of {vector.dim}; "
            f"{matrix.dim} must be a multiple of {vector.dim}."
        )
    return matrix.dim // vector.dim


def _matvec(a: Node, b: Node) -> Node:
    return F.TensorDot(a, b, (_rows("MatVecMult(A, b)", a, b), b.dim), (b.dim,), (1,), (0,))


composite(
    "MatVecMult",
    "The matrix A, in rows, times the vector b: out[i] = sum of A[i, k] b[k].",
    arity=2,
    expand=_matvec,
    value=lambda a, b: np.einsum(
        "...ik,...k->...i", a.reshape(*a.shape[:-1], a.shape[-1] // b.shape[-1], b.shape[-1]), b
    ),
    domain=(-2, 2),
    samples=(((6, 3), ()), ((3, 3), ()), ((3, 1), ()), ((1, 1), ())),
)


def _vecmat(b: Node, a: Node) -> Node:
    return F.TensorDot(b, a, (b.dim,), (b.dim, _rows("VecMatMult(b, A)", a, b)), (0,), (0,))


composite(
    "VecMatMult",
    "The vector b times the matrix A, in rows: out[i] = sum of b[k] A[k, i].",
    arity=2,
    expand=_vecmat,
    value=lambda b, a: np.einsum(
        "...k,...ki->...i", b, a.reshape(*a.shape[:-1], b.shape[-1], a.shape[-1] // b.shape[-1])
    ),
    domain=(-2, 2),
    samples=(((3, 6), ()), ((3, 3), ()), ((1, 3), ()), ((1, 1), ())),
)

composite(
    "TensorProd",
    "All products of a coordinate of f and one of g: out[k g.dim + l] = f[k] g[l].",
    arity=2,
    expand=lambda f, g: F.TensorDot(f, g, (f.dim,), (g.dim,), (), ()),
    value=lambda f, g: _flattened(f[..., :, None] * g[..., None, :], 2),
    domain=(-2, 2),
    samples=(((2, 3), ()), ((1, 1), ())),
)


def _kron(f: Node, g: Node, dims_f: Dims, dims_g: Dims) -> Node:
    n = len(dims_f)
    if len(dims_g) != n:
        raise FormulaError(
            f"Kron takes two tensors of as many axes, got sizes {list(dims_f)} and {list(dims_g)}."
        )
    interleaved = (*range(0, 2 * n, 2), *range(1, 2 * n, 2))
    return F.TensorDot(f, g, dims_f, dims_g, (), (), interleaved)


def _kron_value(f: np.ndarray, g: np.ndarray, dims_f: Dims, dims_g: Dims) -> np.ndarray:
    n = len(dims_f)
    a = f.reshape(*f.shape[:-1], *(size for d in dims_f for size in (d, 1)))
    b = g.reshape(*g.shape[:-1], *(size for d in dims_g for size in (1, d)))
    tensor = a * b
    return _flattened(tensor, 2 * n)


composite(
    "Kron",
    "The Kronecker product of f and g, as tensors of sizes dimsf and dimsg.",
    arity=2,
    expand=_kron,
    value=_kron_value,
    domain=(-2, 2),
    samples=(
        ((6, 4), ((2, 3), (2, 2))),
        ((2, 3), ((2,), (3,))),
        ((4, 6), ((2, 1, 2), (1, 3, 2))),
    ),
)
