"""A whole reduction of a formula, in one normal form: what a kernel computes, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import FormulaError
from ..ir import Input
from .node import Node, Var, rebuild, variables
from .reduction import Reduction, reduction_called
from .simplify import simplify
from .text import write

SWAPPED = {"i": "j", "j": "i", "p": "p"}


@dataclass(frozen=True)
class Formula:
    """For each row of axis "i", the reduction over axis "j" of `node`.

    A reduction over i is the same thing with the two axes swapped: there is one normal form.
    Two formulas are equal if their texts are; the text is all that a program carries of it.
    """

    text: str
    reduction: Reduction = field(compare=False, repr=False)
    node: Node = field(compare=False, repr=False)
    inputs: tuple[Input, ...] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


def make_formula(reduction: str, node: Node, inputs: Sequence[Input]) -> Formula:
    """The formula in normal form: simplified, with equal parts shared.

    Raises `UnknownNameError` for an unknown reduction, and `FormulaError` where the reduction
    does not take vectors and `node` is one, or where a variable is not among `inputs`.
    """
    rules = reduction_called(reduction)
    rules.check(node.dim)
    node = simplify(node)
    inputs = tuple(inputs)
    for slot, var in variables(node).items():
        if slot >= len(inputs) or inputs[slot] != Input(var.axis, var.dim):
            raise FormulaError(f"Var({slot},{var.dim}) on axis {var.axis} is not a declared input.")
    return Formula(write(rules.name, node, inputs), rules, node, inputs)


def rename(node: Node, new: Mapping[int, Node]) -> Node:
    """`node` with the variable of each slot in `new` replaced."""
    return rebuild(node, lambda leaf: new.get(leaf.slot) if isinstance(leaf, Var) else None)


def swap_axes(node: Node) -> Node:
    """`node` with i for j and j for i."""
    return rebuild(
        node,
        lambda leaf: (
            Var(leaf.dim, leaf.slot, SWAPPED[leaf.axis]) if isinstance(leaf, Var) else None
        ),
    )
