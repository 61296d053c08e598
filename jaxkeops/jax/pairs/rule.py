"""The table: what formula each primitive of JAX becomes. Files of this room fill it at import."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...formula import Call, F, Node, Number, Var, topological
from .graph import Constant, Equation, Graph, Shape, Value

# Numbers for each pair that one value may have: all of them are held in registers, or in a cache.
MOST_NUMBERS = 4096
NO_FORMULA = (
    "It has no formula. Write it with what docs/pairs.md lists, or compute it before, for the rows "
    "of one argument alone."
)


class Unmapped(Exception):
    """An equation that has no formula. `reason`: why, and what to do; `name`: the primitive."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason


@dataclass(frozen=True)
class Inside:
    """What rules of primitives that hold functions need: to translate them, and names.

    slots: of placeholders, which no input has.
    depth: in how many derivatives of custom functions we are.
    """

    slots: Iterator[int] = field(default_factory=lambda: itertools.count(-3, -1))
    depth: int = 0

    def placeholder(self, dim: int) -> Var:
        return Var(dim, next(self.slots), "p")

    def deeper(self) -> Inside:
        return Inside(self.slots, self.depth + 1)

    def translate(self, graph: Graph, nodes: Sequence[Node]) -> list[Node]:
        """The outputs of `graph`, as formulas of its inputs. Raises `Unmapped`."""
        known: dict[Value, Node] = dict(zip(graph.inputs, nodes, strict=True))
        for each in graph.equations:
            given = [node_of(value, known, each.name) for value in each.inputs]
            known.update(zip(each.outputs, translated(each, given, self), strict=True))
        return [node_of(value, known, "a constant") for value in graph.outputs]


Rule = Callable[[Equation, Sequence[Node], Inside], Node | Sequence[Node]]
RULES: dict[str, Rule] = {}
# Primitives of which an extent of 1 in one operand stands for that of the others.
ALIGNED: set[str] = set()
# Primitives that will have no formula, and what their users may do.
REFUSED: dict[str, str] = {}


def rule(*names: str, aligned: bool = False) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"{name} has two rules"
            RULES[name] = function
        ALIGNED.update(names if aligned else ())
        return function

    return add


def coordinatewise(**functions: Callable[..., Node]) -> None:
    """Primitives that work number by number: a function of formulas for each."""
    for name, function in functions.items():
        rule(name, aligned=True)(
            lambda equation, nodes, inside, function=function: function(*nodes)
        )


def _of_nodes(function: Callable[..., Node]) -> Rule:
    return lambda equation, nodes, inside: function(*nodes)


def refuse(reasons: Mapping[str, str]) -> None:
    REFUSED.update(reasons)


def translated(equation: Equation, nodes: Sequence[Node], inside: Inside) -> list[Node]:
    """What an equation gives, as formulas. Raises `Unmapped`."""
    found = RULES.get(equation.name)
    if found is None:
        reason = REFUSED.get(equation.name, NO_FORMULA)
        raise Unmapped(equation.name, reason)
    for value in (*equation.inputs, *equation.outputs):
        _check(value, equation.name)
    if equation.name in ALIGNED:
        shape = equation.outputs[0].shape
        pairs = zip(nodes, equation.inputs, strict=True)
        nodes = [_aligned(node, value.shape, shape) for node, value in pairs]
    made = found(equation, nodes, inside)
    results = [made] if isinstance(made, Node) else list(made)
    # Numbers may have been left narrow: the others are as wide as their shapes say.
    return [
        _widened(node, value.size) for node, value in zip(results, equation.outputs, strict=True)
    ]


def _aligned(node: Node, given: Shape, wanted: Shape) -> Node:
    """One number serves for all; else each extent of 1 is repeated."""
    if node.dim == 1 or given == wanted:
        return node
    places = np.broadcast_to(np.arange(node.dim).reshape(given), wanted)
    return F.Take(node, tuple(map(int, places.reshape(-1))))


def _widened(node: Node, size: int) -> Node:
    assert node.dim in (1, size), (node.dim, size)
    return node if node.dim == size else _spread(node, size)


def _spread(node: Node, size: int) -> Node:
    return Number(size, node.value) if isinstance(node, Number) else F.Take(node, (0,) * size)


def _check(value: Value, name: str) -> None:
    check_numbers(value, name)
    if value.size > MOST_NUMBERS:
        raise Unmapped(
            name,
            f"It takes or gives {value.size} numbers for each pair, of shape {value.shape}, and at "
            f"most {MOST_NUMBERS} are allowed. Compute what depends on one argument alone before.",
        )


def check_numbers(value: Value, name: str) -> None:
    """Raises `Unmapped` for an array that holds no real numbers."""
    kind = getattr(value.dtype, "kind", "")
    if kind == "c":
        raise Unmapped(name, "Complex numbers have no formula here: give their parts apart.")
    if not kind or kind not in "biufV":
        raise Unmapped(name, f"Arrays of {value.dtype} have no formula.")
    if value.size == 0:
        raise Unmapped(name, f"It takes or gives an array of shape {value.shape}, without numbers.")


def node_of(value: Value, known: Mapping[Value, Node], name: str) -> Node:
    """The formula of a value: a constant becomes its numbers."""
    if isinstance(value, Constant):
        _check(value, name)
        return constant(np.asarray(value.array))
    return known[value]


def constant(array: np.ndarray) -> Node:
    """The numbers of an array as a formula."""
    numbers = [Number(1, float(each)) for each in array.reshape(-1)]
    first = numbers[0].value
    if (array == first).all() or np.isnan(array).all():
        return Number(len(numbers), first)
    nodes: list[Node] = list(numbers)
    while len(nodes) > 1:
        pairs = [F.Concat(a, b) for a, b in zip(nodes[::2], nodes[1::2], strict=False)]
        nodes = pairs + nodes[len(nodes) // 2 * 2 :]
    return nodes[0]


def known_array(node: Node, value: Value, name: str) -> np.ndarray:
    """The numbers of a formula of constants, of the shape of `value`. Raises `Unmapped`."""
    numbers: dict[Node, np.ndarray] = {}
    for part in topological([node]):
        match part:
            case Number(dim, number):
                numbers[part] = np.full(dim, number)
            case Call(op=op, args=args, params=params):
                numbers[part] = np.asarray(op.value(*(numbers[arg] for arg in args), *params))
            case _:
                raise Unmapped(
                    name,
                    "Its indices depend on the arguments, and a formula takes coordinates whose "
                    "places are known. Choose by jnp.where, or by a sum over jax.nn.one_hot.",
                )
    array = numbers[node]
    size = value.size
    return np.broadcast_to(array, (size,)).reshape(value.shape).astype(value.dtype)
