"""A traced function apart: the formula that is left for each pair, and what JAX computes before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from ...errors import FormulaError
from ...formula import Node, Var
from .graph import Constant, Equation, Graph, Value, evaluate, needed
from .rule import Inside, Unmapped, check_numbers, node_of, translated
from .source import told

# Multiplications in a product of one row alone from which on XLA does it, as one matrix product
# of all rows: it is quicker there, and the kernel reads less for each row.
MANY_PRODUCTS = 32
# Integers that the function closes over, up to so many, are numbers of the formula, so that they
# may be indices; more are an array.
MOST_KNOWN = 256


@dataclass(frozen=True)
class Plan:
    """roots: the outputs as formulas. leaves: the value that is the variable of each slot; axes:
    on which axis it is, "i", "j" or "p".
    """

    graph: Graph
    roots: tuple[Node, ...]
    leaves: tuple[Value, ...]
    axes: tuple[str, ...]


def plan_of(graph: Graph, axes: Sequence[str], name: str) -> Plan:
    """What remains for pairs of a function of inputs on these axes.

    Raises `FormulaError` for an equation of both i and j that has no formula. One of i alone, or of
    j alone, is then left to JAX, as is all that depends on parameters alone.
    """
    division = _Division(graph, axes)
    for equation in graph.equations:
        try:
            division.take(equation)
        except Unmapped as fault:
            raise FormulaError(told(fault.name, fault.reason, name, equation.source)) from None
    try:
        roots = tuple(map(division.node, graph.outputs))
    except Unmapped as fault:
        raise FormulaError(told(fault.name, fault.reason, name, None)) from None
    leaves = tuple(division.leaves)
    return Plan(graph, roots, leaves, tuple(division.axis_of(leaf) for leaf in leaves))


class _Division:
    """Which values are formulas, which are leaves of them, and on what each depends."""

    def __init__(self, graph: Graph, axes: Sequence[str]) -> None:
        self.depends: dict[Value, frozenset[str]] = {
            value: frozenset(axis) for value, axis in zip(graph.inputs, axes, strict=True)
        }
        self.known: dict[Value, Node] = {}
        self.leaves: dict[Value, Var] = {}
        self.inside = Inside()

    def on(self, value: Value) -> frozenset[str]:
        """The axes that a value depends on: none for what is known now, else "p" among them."""
        if isinstance(value, Constant):
            return frozenset() if _is_known(value) else frozenset("p")
        return self.depends[value]

    def axis_of(self, value: Value) -> str:
        (axis,) = self.on(value) - {"p"} or {"p"}
        return axis

    def take(self, equation: Equation) -> None:
        on = frozenset().union(*map(self.on, equation.inputs))
        self.depends.update(dict.fromkeys(equation.outputs, on))
        pairs = {"i", "j"} <= on
        if on == {"p"} or (not pairs and _is_for_xla(equation)):
            return
        try:
            given = list(map(self.node, equation.inputs))
            made = translated(equation, given, self.inside)
        except Unmapped:
            if pairs:
                raise
            return
        self.known.update(zip(equation.outputs, made, strict=True))

    def node(self, value: Value) -> Node:
        """The formula of a value, which may be a new leaf."""
        if value in self.known:
            return self.known[value]
        if isinstance(value, Constant) and _is_known(value):
            return node_of(value, {}, "a constant")
        if value not in self.leaves:
            check_numbers(value, f"an array of {value.dtype} and of shape {value.shape}")
            self.leaves[value] = Var(value.size, len(self.leaves), self.axis_of(value))
        return self.leaves[value]


def _is_known(value: Constant) -> bool:
    """Numbers that the code spells, and integers that may be indices."""
    if value.spelled:
        return True
    few = value.dtype.kind in "biu" and 0 < value.size <= MOST_KNOWN
    return few and not isinstance(value.array, Tracer)


def _is_for_xla(equation: Equation) -> bool:
    if equation.name != "dot_general":
        return any(value.size > MANY_PRODUCTS**2 for value in equation.outputs)
    (cont, _), _ = equation.params["dimension_numbers"]
    summed = prod(equation.inputs[0].shape[axis] for axis in cont)
    return summed * equation.outputs[0].size > MANY_PRODUCTS


def leaves_of(
    plan: Plan, slots: Sequence[int], arrays: Sequence[jax.Array], axes: Sequence[str]
) -> list[jax.Array]:
    """The arrays that are the leaves in `slots`: (M, *shape), (N, *shape), or of one shape.

    arrays: those of the function, rows first. What depends on i alone is computed for all rows by
    `jax.vmap`, and what depends on neither once.
    """
    wanted = {plan.leaves[slot]: plan.axes[slot] for slot in slots}
    equations = needed(plan.graph.equations, wanted)
    at_hand = list(zip(plan.graph.inputs, arrays, axes, strict=True))
    shared = {value: array for value, array, axis in at_hand if axis == "p"}
    depends = {value: frozenset(axis) for value, _, axis in at_hand}
    by_axis: dict[str, list[Equation]] = {"p": [], "i": [], "j": []}
    for each in equations:
        on = frozenset().union(*(depends.get(value, frozenset()) for value in each.inputs))
        depends.update(dict.fromkeys(each.outputs, on))
        (axis,) = on - {"p"} or {"p"}
        by_axis[axis].append(each)
    evaluate(by_axis["p"], shared)
    known = dict(shared)
    for axis in "ij":
        rows = {value: array for value, array, on in at_hand if on == axis}
        known |= rows
        made = [value for value, on in wanted.items() if on == axis and value not in rows]
        if made:
            known.update(zip(made, _for_all_rows(by_axis[axis], made, rows, shared), strict=True))
    return [known[value] if value in known else jnp.asarray(_array_of(value)) for value in wanted]


def _array_of(value: Value) -> jax.Array | np.ndarray:
    assert isinstance(value, Constant), value
    return value.array


def _for_all_rows(
    equations: Sequence[Equation],
    wanted: Sequence[Value],
    rows: Mapping[Value, jax.Array],
    shared: Mapping[Value, jax.Array],
) -> list[jax.Array]:
    def for_one_row(*given: jax.Array) -> list[jax.Array]:
        known = {**shared, **dict(zip(rows, given, strict=True))}
        evaluate(equations, known)
        return [known[value] for value in wanted]

    return jax.vmap(for_one_row)(*rows.values())
