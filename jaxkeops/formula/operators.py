"""Derivatives and traces that a formula may ask for, resolved when it is read.

They are functions of formulas, not ops: what they give is a formula of ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from ..errors import FormulaError
from .autodiff import differential, gradient
from .node import F, Node, Number, Var, as_node, spread, zeros
from .simplify import simplify


@dataclass(frozen=True)
class Operator:
    """`apply` takes `least` to `most` formulas; tuples of them where it says so."""

    name: str
    doc: str
    least: int
    most: int
    usage: str
    apply: Callable[..., Node]

    def __call__(self, *args: Node | float | tuple[Node | float, ...]) -> Node:
        if not self.least <= len(args) <= self.most:
            raise FormulaError(f"{self.usage} is expected, got {len(args)} in all.")
        return self.apply(*args)


OPERATORS: dict[str, Operator] = {}


def _operator(usage: str, doc: str, least: int, most: int) -> Callable[..., Callable[..., Node]]:
    def add(apply: Callable[..., Node]) -> Callable[..., Node]:
        name = usage.split("(")[0]
        OPERATORS[name] = Operator(name, doc, least, most, usage, apply)
        return apply

    return add


@_operator("Grad(f, v, e)", "The gradient of <e, f> for the variable v.", 3, 3)
def grad(f: Node, v: Node, e: Node | float) -> Node:
    """The gradient of <e, f> for `v`, of dim v.dim; e has the dim of f, or is a number."""
    f, v = _formula("Grad", f), _variable("Grad", v)
    found = gradient(f, [v.slot], _of_dim("Grad(f, v, e)", "e", e, "f", f.dim))[v.slot]
    return zeros(v.dim) if found is None else simplify(found)


@_operator("AdjointOperator(f, v, u)", "Mᵀ u, for f = M v linear in v.", 3, 3)
def adjoint_operator(f: Node, v: Node, u: Node | float) -> Node:
    return grad(f, v, u)


@_operator("Diff(f, v, u)", "The derivative of f for v along u; tuples of v and u add up.", 3, 3)
def diff(f: Node, v: Node | tuple[Node, ...], u: Node | float | tuple[Node | float, ...]) -> Node:
    """The derivative of f when `v` moves along `u`, of dim f.dim."""
    f = _formula("Diff", f)
    variables = v if isinstance(v, tuple) else (v,)
    directions = u if isinstance(u, tuple) else (u,)
    if len(variables) != len(directions):
        raise FormulaError(
            f"Diff(f, v, u) takes one direction for each variable, got {len(variables)} "
            f"and {len(directions)}."
        )
    tangents: dict[int, Node] = {}
    for variable, direction in zip(variables, directions, strict=True):
        var = _variable("Diff", variable)
        along = _of_dim("Diff(f, v, u)", "u", direction, "v", var.dim)
        earlier = tangents.get(var.slot)
        tangents[var.slot] = along if earlier is None else earlier + along
    found = differential(f, tangents)
    return zeros(f.dim) if found is None else simplify(found)


@_operator("GradMatrix(f, v)", "The Jacobian of f for v, row by row: d f[k] / d v[l].", 2, 2)
def grad_matrix(f: Node, v: Node) -> Node:
    """The Jacobian, of dim f.dim * v.dim; entry [k * v.dim + l] is d f[k] / d v[l]."""
    f, v = _formula("GradMatrix", f), _variable("GradMatrix", v)
    rows = [grad(F.Elem(f, k), v, 1.0) for k in range(f.dim)]
    while len(rows) > 1:  # in pairs, so that derivatives go through log2(dim) levels
        pairs = [F.Concat(a, b) for a, b in zip(rows[::2], rows[1::2], strict=False)]
        rows = pairs + rows[len(rows) // 2 * 2 :]
    return rows[0]


@_operator("Divergence(f, v)", "The sum over k of d f[k] / d v[k].", 2, 2)
def divergence(f: Node, v: Node) -> Node:
    f, v = _formula("Divergence", f), _variable("Divergence", v)
    if f.dim != v.dim:
        raise FormulaError(
            f"Divergence(f, v) takes f and v of one dimension, got {f.dim} and {v.dim}."
        )
    return _trace(f, v, [1.0] * v.dim)


@_operator("Laplacian(f, v)", "The sum over k of the second derivatives of f for v[k].", 2, 2)
def laplacian(f: Node, v: Node) -> Node:
    f, v = _formula("Laplacian", f), _variable("Laplacian", v)
    if f.dim != 1:
        raise FormulaError(f"Laplacian(f, v) takes f of dimension 1, got dimension {f.dim}.")
    return divergence(grad(f, v, 1.0), v)


@_operator(
    "TraceOperator(f, v) or TraceOperator(f, v, w)",
    "The trace of M, for f = M v linear in v, with weights w; its sum if it is one row.",
    2,
    3,
)
def trace_operator(f: Node, v: Node, w: Node | float = 1.0) -> Node:
    f, v = _formula("TraceOperator", f), _variable("TraceOperator", v)
    weights = _of_dim("TraceOperator(f, v, w)", "w", w, "v", v.dim, or_one=True)
    if f.dim == 1:
        return diff(f, v, weights)
    if f.dim != v.dim:
        raise FormulaError(
            f"TraceOperator(f, v) takes f of dimension 1 or of that of v, {v.dim}, got {f.dim}."
        )
    return _trace(f, v, [F.Elem(weights, k) for k in range(v.dim)])


@_operator(
    "SumLinOperator(f, v), or with weights SumLinOperator(f, v, wl, wr)",
    "The sum over k and l of wl[k] M[k, l] wr[l], for f = M v linear in v.",
    2,
    4,
)
def sum_lin_operator(f: Node, v: Node, left: Node | float = 1.0, right: Node | float = 1.0) -> Node:
    f, v = _formula("SumLinOperator", f), _variable("SumLinOperator", v)
    usage = "SumLinOperator(f, v, wl, wr)"
    moved = diff(f, v, _of_dim(usage, "wr", right, "v", v.dim, or_one=True))
    return F.Scalprod(_of_dim(usage, "wl", left, "f", f.dim, or_one=True), moved)


def _trace(f: Node, v: Var, weights: Sequence[Node | float]) -> Node:
    terms = []
    for k, weight in enumerate(weights):
        moved = differential(f, {v.slot: F.ElemT(weight, v.dim, k)})
        if moved is not None:
            terms.append(F.Elem(moved, k))
    return simplify(reduce(F.Add, terms)) if terms else zeros(1)


def _formula(name: str, f: object) -> Node:
    if isinstance(f, Node | int | float):
        return as_node(f)
    raise FormulaError(f"{name} takes a formula first, got {f!r}.")


def _variable(name: str, v: object) -> Var:
    if isinstance(v, Var):
        return v
    raise FormulaError(
        f"{name} differentiates for a variable: a declared name, or Var(slot, dim, category)."
    )


def _of_dim(usage: str, name: str, x: object, like: str, dim: int, *, or_one: bool = False) -> Node:
    """`x` as a formula of dimension `dim`. Numbers are spread, and dim 1 too if `or_one`."""
    node = _formula(usage, x)
    if node.dim != dim and not (node.dim == 1 and (or_one or isinstance(node, Number))):
        raise FormulaError(
            f"{usage} takes {name} of the dimension of {like}, {dim}, got dimension {node.dim}."
        )
    return spread(node, dim)
