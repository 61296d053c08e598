"""A formula as data: variables, numbers, and ops applied to them. Nodes never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormulaError
from ..ir import Scalar

Coords = Sequence[Scalar]
Param = int | float | tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A vector of `dim` numbers for each pair (i, j).

    Two nodes are equal if they are the same object; `share` makes equal formulas the same.
    """

    dim: int

    def __add__(self, other: Node | float) -> Node:
        return F.Add(self, as_node(other))

    def __radd__(self, other: float) -> Node:
        return F.Add(as_node(other), self)

    def __sub__(self, other: Node | float) -> Node:
        return F.Subtract(self, as_node(other))

    def __rsub__(self, other: float) -> Node:
        return F.Subtract(as_node(other), self)

    def __mul__(self, other: Node | float) -> Node:
        return F.Mult(self, as_node(other))

    def __rmul__(self, other: float) -> Node:
        return F.Mult(as_node(other), self)

    def __truediv__(self, other: Node | float) -> Node:
        return F.Divide(self, as_node(other))

    def __rtruediv__(self, other: float) -> Node:
        return F.Divide(as_node(other), self)

    def __or__(self, other: Node) -> Node:
        return F.Scalprod(self, other)

    def __neg__(self) -> Node:
        return F.Minus(self)


@dataclass(frozen=True, eq=False, slots=True)
class Number(Node):
    """The same number for all pairs, in each of `dim` coordinates."""

    value: float


@dataclass(frozen=True, eq=False, slots=True)
class Var(Node):
    """The rows of input number `slot`; `axis` is "i", "j", or "p" for a parameter."""

    slot: int
    axis: str


@dataclass(frozen=True, eq=False, slots=True)
class Call(Node):
    op: Op
    args: tuple[Node, ...]
    params: tuple[Param, ...]


@dataclass(frozen=True, eq=False)
class Op:
    """All that is known of a formula op. `formula.declare` makes them.

    arity:   how many formulas it takes; literals (integers, numbers, lists) follow them.
    dim:     dims of the args, params -> dim of the result; raises `FormulaError`.
    value:   arrays of shape (..., dim), params -> array of shape (..., result dim).
             This is the specification: the other rules are tested against it.
    vjp:     g, args, params -> the gradient of <g, result> for each arg; None is zero.
    jvp:     tangents (None is zero), args, params -> the tangent of the result; None is zero.
    lower:   coordinates of the args, params -> coordinates of the result.
    domain:  the interval in which tests draw the coordinates of the args.
    samples: choices of (dims of the args, params), for tests.
    expand:  args, params -> a formula of other ops that stands for this one; the rules above,
             but `value`, are then those of that formula, and no `Call` names this op.
    broadcasts: an argument of dim 1 stands for one of the dim of the result.
    prescribed: its derivative is what its doc says, and not that of its value.
    """

    name: str
    doc: str
    arity: int
    value: Callable[..., np.ndarray]
    domain: tuple[float, float]
    samples: tuple[tuple[tuple[int, ...], tuple[Param, ...]], ...]
    dim: Callable[..., int] | None = None
    vjp: Callable[..., Sequence[Node | None]] | None = None
    jvp: Callable[..., Node | None] | None = None
    lower: Callable[..., Coords] | None = None
    expand: Callable[..., Node] | None = None
    optional_params: tuple[Param, ...] = ()
    broadcasts: bool = False
    prescribed: bool = False

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *args: Any) -> Node:
        """The op applied to `arity` formulas (numbers become formulas), then its params."""
        nodes = args[: self.arity]
        params = args[self.arity :]
        most = len(self.samples[0][1])
        least = most - len(self.optional_params)
        if len(nodes) != self.arity or not least <= len(params) <= most:
            raise FormulaError(f"{self.name} takes {self.signature()}, got {len(args)} in all.")
        if not all(isinstance(node, Node) for node in nodes):
            nodes = tuple(self._formula(node, k) for k, node in enumerate(nodes))
        if most:
            params = tuple(map(self._literal, params, self.samples[0][1]))
            params += self.optional_params[len(params) - least :]
        if self.expand is not None:
            return self.expand(*nodes, *params)
        assert self.dim is not None, self.name
        return Call(self.dim(*(node.dim for node in nodes), *params), self, nodes, params)

    def signature(self) -> str:
        """What it takes, in words: "2 formulas and 1 literal"."""
        parts = [_count(self.arity, "formula")] if self.arity else []
        if most := len(self.samples[0][1]):
            parts.append(_count(most, "literal"))
        text = " and ".join(parts) or "nothing"
        if optional := len(self.optional_params):
            text += (
                f" (the last {optional} may be left out)"
                if optional > 1
                else (" (the last may be left out)")
            )
        return text

    def _formula(self, arg: Any, position: int) -> Node:
        if isinstance(arg, Node | int | float | np.number) and not isinstance(arg, bool):
            return arg if isinstance(arg, Node) else as_node(float(arg))
        raise FormulaError(
            f"{self.name} takes {self.signature()}: argument {position + 1} must be a formula "
            f"or a number, got {'a list' if isinstance(arg, tuple | list) else repr(arg)}."
        )

    def _literal(self, given: Any, sample: Param) -> Param:
        """`given` as the kind of literal that `sample` is: an integer, a number or a list."""
        match sample:
            case tuple() if isinstance(given, Sequence) and not isinstance(given, str):
                if all(_is_integer(n) for n in given):
                    return tuple(int(n) for n in given)
                wanted = "a list of integers"
            case tuple():
                wanted = "a list of integers"
            case int():
                if _is_integer(given):
                    return int(given)
                wanted = "an integer"
            case _:
                if _is_integer(given):
                    return int(given)
                if isinstance(given, float | np.floating):
                    return float(given)
                wanted = "a number"
        shown = f"a formula of dimension {given.dim}" if isinstance(given, Node) else repr(given)
        raise FormulaError(
            f"{self.name} takes {self.signature()}: {wanted}, written out, is expected after "
            f"the formulas, got {shown}."
        )


def _is_integer(x: Any) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


OPS: dict[str, Op] = {}


class _ByName:
    """`F.Exp` is the op called Exp, looked up when used: rules may name any op."""

    def __getattr__(self, name: str) -> Op:
        return OPS[name]


F = _ByName()


def as_node(x: Node | float) -> Node:
    return x if isinstance(x, Node) else Number(1, float(x))


def zeros(dim: int) -> Node:
    return Number(dim, 0.0)


def spread(node: Node, dim: int) -> Node:
    """`node` with `dim` coordinates, repeated if it has one."""
    if node.dim == dim:
        return node
    if isinstance(node, Number) and node.dim == 1:
        return Number(dim, node.value)
    return F.SumT(node, dim)


def topological(roots: Iterable[Node]) -> list[Node]:
    """All sub-formulas of `roots`, arguments first, each one once.

    A stack, not recursion: derivatives of long sums are thousands of nodes deep.
    """
    order: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, args_done = stack.pop()
        if node in order:
            continue
        if args_done or not isinstance(node, Call):
            order[node] = None
        else:
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))
    return list(order)


def variables(root: Node) -> dict[int, Var]:
    """The variables that occur in `root`, by slot."""
    return {node.slot: node for node in topological([root]) if isinstance(node, Var)}


def rebuild(root: Node, replace: Callable[[Node], Node | None]) -> Node:
    """`root` with each variable or number for which `replace` gives a node replaced by it."""
    new: dict[Node, Node] = {}
    for node in topological([root]):
        if isinstance(node, Call):
            args = tuple(new[arg] for arg in node.args)
            same = all(a is b for a, b in zip(args, node.args, strict=True))
            new[node] = node if same else Call(node.dim, node.op, args, node.params)
        else:
            other = replace(node)
            new[node] = node if other is None else other
    return new[root]
