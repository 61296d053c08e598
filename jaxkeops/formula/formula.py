"""A whole reduction of a formula, in one normal form: what a kernel computes, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ..errors import FormulaError
from ..ir import Input
from .node import Node, Var, rebuild, variables
from .reduction import Reduction, Result, reduction_called
from .simplify import simplify_all
from .text import read, write

SWAPPED = {"i": "j", "j": "i", "p": "p"}


@dataclass(frozen=True)
class Formula:
    """For each row of axis "i", the reduction over axis "j" of `node`.

    A reduction over i is the same thing with the two axes swapped: there is one normal form.
    Two formulas are equal if their texts are; the text is all that a program carries of it.

    weight: the formula of the weights of a weighted reduction, else None.
    count: the K of the K-min family, else None.
    over_rows: how many of the last coordinates of a Sum are summed over i as well: they are a
    result of their own, without rows. Gradients of parameters are such sums.
    """

    text: str
    reduction: Reduction = field(compare=False, repr=False)
    node: Node = field(compare=False, repr=False)
    inputs: tuple[Input, ...] = field(compare=False, repr=False)
    weight: Node | None = field(compare=False, repr=False)
    count: int | None = field(compare=False, repr=False)
    over_rows: int = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def results(self) -> tuple[Result, ...]:
        """What comes out, hidden results too."""
        weight_dim = self.weight.dim if self.weight is not None else 0
        results = self.reduction.results(self.node.dim, weight_dim, self.count or 0)
        if self.over_rows == 0:
            return results
        (whole,) = results
        cut = self.node.dim - self.over_rows
        rows = replace(whole, tail=(cut,), values=whole.values[:cut])
        last = replace(whole, tail=(self.over_rows,), values=whole.values[cut:], axis="p")
        return (rows, last) if cut else (last,)


def make_formula(
    reduction: str,
    node: Node,
    inputs: Sequence[Input],
    weight: Node | None = None,
    count: int | None = None,
    over_rows: int = 0,
    derived: bool = False,
) -> Formula:
    """The formula in normal form: simplified, with equal parts shared.

    derived: whether it is a derivative, in which products with 0 mean nothing.
    Raises `UnknownNameError` for an unknown reduction, `ArgumentTypeError` where it takes no
    weights or no K, or needs them, and `FormulaError` where it does not take vectors and `node`
    is one, or where a variable is not among `inputs`.
    """
    rules = reduction_called(reduction)
    rules.check(node.dim, weight.dim if weight is not None else None, count)
    nodes = simplify_all([node] if weight is None else [node, weight], drops=derived)
    inputs = tuple(inputs)
    for root in nodes:
        for slot, var in variables(root).items():
            if slot >= len(inputs) or inputs[slot] != Input(var.axis, var.dim):
                raise FormulaError(
                    f"Var({slot},{var.dim}) on axis {var.axis} is not a declared input."
                )
    assert not over_rows or (rules.name == "Sum" and over_rows <= node.dim), over_rows
    text = write(rules.name, nodes, inputs, count, over_rows)
    weights = nodes[1] if len(nodes) > 1 else None
    return Formula(text, rules, nodes[0], inputs, weights, count, over_rows)


@lru_cache(maxsize=4096)
def formula_of(text: str) -> Formula:
    """The formula that has this text. Raises `CompileError` if another version wrote it."""
    return make_formula(*read(text))


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
