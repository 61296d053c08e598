"""Formulas over parts of the columns: what each part takes, and how results are made of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .formula import Formula, make_formula
from .reduction import Shards, Split


def split_of(formula: Formula) -> Split:
    """How the reduction of `formula` is merged from parts of the columns."""
    return formula.reduction.split(formula.weight is not None)


@lru_cache(maxsize=1024)
def part_of(formula: Formula) -> Formula:
    """The formula that each part takes: mostly `formula` itself."""
    name = split_of(formula).parts
    if not name:
        return formula
    return make_formula(name, formula.node, formula.inputs, formula.weight, formula.count)


def merged(formula: Formula, shards: Shards, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The results of `part_of(formula)` over the columns of all shards."""
    return split_of(formula).merge(shards, parts, formula.count or 0)


def finished(formula: Formula, xp: Any, results: tuple[Any, ...]) -> tuple[Any, ...]:
    """The results of `formula`, from those of `part_of(formula)` over all columns."""
    return split_of(formula).finish(xp, results)


def numbered(formula: Formula, xp: Any, parts: tuple[Any, ...], first: Any) -> tuple[Any, ...]:
    """Results of `part_of(formula)` whose rows count from `first`, that of the part's columns.

    Where nothing was found the row stays 0.
    """
    results = part_of(formula).results
    placed = []
    for result, part in zip(results, parts, strict=True):
        if result.kind == "index":
            # Rows stand behind the values that are there.
            found = parts[0] != xp.asarray(results[0].empty, parts[0].dtype)
            part = xp.where(found, part + xp.asarray(first, part.dtype), part)
        placed.append(part)
    return tuple(placed)
