"""Declares ops. A few shapes cover nearly all of them, so a rule is one scalar line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from .. import ir
from ..errors import FormulaError
from .node import OPS, Coords, F, Node, Op, Param, spread

Domain = tuple[float, float]
# d result / d argument: a factor, or a function that gives its product with a vector; None is 0.
Factor = Node | float | Callable[[Node], Node] | None
Samples = tuple[tuple[tuple[int, ...], tuple[Param, ...]], ...]


def register(op: Op) -> Op:
    assert op.name not in OPS, f"two ops are called {op.name}"
    OPS[op.name] = op
    return op


def elementwise(
    name: str,
    doc: str,
    *,
    value: Callable[..., np.ndarray],
    derivative: Callable[..., Sequence[Factor]],
    lower: Callable[..., ir.Scalar],
    domain: Domain,
    arity: int = 1,
    params: tuple[Param, ...] = (),
    optional_params: tuple[Param, ...] = (),
    prescribed: bool = False,
) -> Op:
    """result[k] = lower(arg[k], ..., *params); an arg of dim 1 is used for every k.

    derivative: args, params -> d result[k] / d arg[k], for each arg.
    params: one choice of them, for tests. An integer there says that only integers are taken.
    """

    def vjp(g: Node, *operands: Any) -> list[Node | None]:
        result: list[Node | None] = []
        for arg, d in zip(operands[:arity], derivative(*operands), strict=True):
            product = _times(g, d)
            if product is not None and product.dim > arg.dim:
                product = F.Sum(product)
            result.append(product)
        return result

    def jvp(tangents: Sequence[Node | None], *operands: Any) -> Node | None:
        width = max(arg.dim for arg in operands[:arity])
        products = [
            None if t is None else _times(t, d)
            for t, d in zip(tangents, derivative(*operands), strict=True)
        ]
        terms = [product for product in products if product is not None]
        return spread(reduce(F.Add, terms), width) if terms else None

    def lower_all(*operands: Any) -> Coords:
        args, literals = operands[:arity], operands[arity:]
        return ir.elementwise(lambda *scalars: lower(*scalars, *literals), *args)

    return register(
        Op(
            name=name,
            doc=doc,
            arity=arity,
            value=value,
            domain=domain,
            samples=_broadcast_samples(arity, params),
            dim=same_dim(name, arity),
            vjp=vjp,
            jvp=jvp,
            lower=lower_all,
            optional_params=optional_params,
            broadcasts=True,
            prescribed=prescribed,
        )
    )


def fold(
    name: str,
    doc: str,
    *,
    value: Callable[..., np.ndarray],
    derivative: Callable[..., Sequence[Factor]],
    term: Callable[..., ir.Scalar],
    domain: Domain,
    arity: int = 1,
) -> Op:
    """result = the sum over k of term(arg[k], ...), of dim 1; an arg of dim 1 is repeated.

    derivative: args -> d result / d arg[k], for each arg.
    """
    widest = same_dim(name, arity)

    def dim(*dims: int) -> int:
        widest(*dims)
        return 1

    def vjp(g: Node, *args: Node) -> list[Node | None]:
        width = max(arg.dim for arg in args)
        result: list[Node | None] = []
        for arg, d in zip(args, derivative(*args), strict=True):
            product = _times(g, d)
            if product is not None:
                product = spread(product, width)
                product = F.Sum(product) if arg.dim < width else product
            result.append(product)
        return result

    def jvp(tangents: Sequence[Node | None], *args: Node) -> Node | None:
        width = max(arg.dim for arg in args)
        products = [
            None if t is None else _times(t, d)
            for t, d in zip(tangents, derivative(*args), strict=True)
        ]
        terms = [F.Sum(spread(product, width)) for product in products if product is not None]
        return reduce(F.Add, terms) if terms else None

    def lower(*args: Coords) -> Coords:
        return [ir.total(ir.elementwise(term, *args))]

    return register(
        Op(
            name=name,
            doc=doc,
            arity=arity,
            value=value,
            domain=domain,
            samples=_broadcast_samples(arity, ()),
            dim=dim,
            vjp=vjp,
            jvp=jvp,
            lower=lower,
        )
    )


def _times(vector: Node, d: Factor) -> Node | None:
    match d:
        case None:
            return None
        case 1.0:
            return vector
        case -1.0:
            return -vector
        case Node() | float() | int():
            return vector * d
        case _:
            return d(vector)


def layout(
    name: str,
    doc: str,
    *,
    dim: Callable[..., int],
    value: Callable[..., np.ndarray],
    adjoint: Callable[..., Sequence[Node]],
    lower: Callable[..., Coords],
    samples: Samples,
    arity: int = 1,
    optional_params: tuple[Param, ...] = (),
) -> Op:
    """Coordinates of the args picked, spread or padded: a linear op with no arithmetic.

    adjoint: g, args, params -> the gradient of <g, result> for each arg.
    """

    def jvp(tangents: Sequence[Node | None], *operands: Any) -> Node | None:
        if all(t is None for t in tangents):
            return None
        args = [
            F.Zero(arg.dim) if t is None else t
            for t, arg in zip(tangents, operands[:arity], strict=True)
        ]
        return OPS[name](*args, *operands[arity:])

    return register(
        Op(
            name=name,
            doc=doc,
            arity=arity,
            value=value,
            domain=(-2, 2),
            samples=samples,
            dim=dim,
            vjp=adjoint,
            jvp=jvp,
            lower=lower,
            optional_params=optional_params,
        )
    )


def constant_by_pieces(
    name: str,
    doc: str,
    *,
    dim: Callable[..., int],
    value: Callable[..., np.ndarray],
    lower: Callable[..., Coords],
    domain: Domain,
    samples: Samples,
    arity: int = 1,
) -> Op:
    """An op whose derivative is zero wherever it has one, such as the index of a maximum."""
    return register(
        Op(
            name=name,
            doc=doc,
            arity=arity,
            value=value,
            domain=domain,
            samples=samples,
            dim=dim,
            vjp=lambda g, *operands: (None,) * arity,
            jvp=lambda tangents, *operands: None,
            lower=lower,
        )
    )


def composite(
    name: str,
    doc: str,
    *,
    expand: Callable[..., Node],
    value: Callable[..., np.ndarray],
    domain: Domain,
    samples: Samples,
    arity: int = 1,
    optional_params: tuple[Param, ...] = (),
) -> Op:
    """A name for a formula of other ops: everything but its value follows from them."""
    return register(
        Op(
            name=name,
            doc=doc,
            arity=arity,
            value=value,
            domain=domain,
            samples=samples,
            expand=expand,
            optional_params=optional_params,
        )
    )


def same_dim(name: str, arity: int) -> Callable[..., int]:
    """The dims rule of ops that work coordinate by coordinate: equal dims, or dim 1."""

    def dim(*dims: int | Param) -> int:
        sizes = [d for d in dims[:arity] if isinstance(d, int)]
        widest = max(sizes)
        if any(d not in (1, widest) for d in sizes):
            shown = " and ".join(map(str, sizes))
            raise FormulaError(
                f"{name} works coordinate by coordinate, so its arguments must have one "
                f"dimension, or dimension 1. Got dimensions {shown}."
            )
        return widest

    return dim


def _broadcast_samples(arity: int, params: tuple[Param, ...]) -> Samples:
    """Equal dims, dim 1 throughout, and each argument in turn the narrow one."""
    dims = [(3,) * arity, (1,) * arity]
    if arity > 1:
        dims += [tuple(1 if a == narrow else 3 for a in range(arity)) for narrow in range(arity)]
    return tuple((d, params) for d in dims)
