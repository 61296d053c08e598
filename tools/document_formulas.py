"""Writes the tables of docs/formulas.md, between their markers, from the registries.

    python tools/document_formulas.py

Run it after a change of an operation, an operator or a reduction: a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxkeops.formula.node import OPS, Node, Op, Var
from jaxkeops.formula.operators import OPERATORS, Operator
from jaxkeops.formula.reduction import REDUCTIONS, SPELLINGS, Reduction
from jaxkeops.formula.signature import argument_names

PAGE = Path(__file__).parent.parent / "docs" / "formulas.md"


def with_tables(page: str) -> str:
    """`page` with what stands between `<!-- NAME -->` and `<!-- end of NAME -->` made anew."""
    tables = {
        "reductions": _table(
            ("reduction", "also", "of dimension", "gives"), map(_reduction_row, REDUCTIONS.values())
        ),
        "operations": _table(
            ("operation", "dimensions, as in", "gives"),
            map(_op_row, sorted(OPS.values(), key=lambda op: op.name.lower())),
        ),
        "operators": _table(("operator", "gives"), map(_operator_row, OPERATORS.values())),
    }
    for name, table in tables.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(start)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"The page must hold {start} and, after it, {end}.")
        page = f"{before}{start}\n{table}\n{end}{after}"
    return page


def signature(op: Op) -> str:
    """How a formula calls `op`: "Round(f, d=0)"."""
    names = argument_names(op)
    defaults = op.optional_params
    required = len(names) - len(defaults)
    shown = names[:required]
    shown += [
        f"{name}={_literal(value)}" for name, value in zip(names[required:], defaults, strict=True)
    ]
    return f"{op.name}({', '.join(shown)})"


def _reduction_row(reduction: Reduction) -> Sequence[str]:
    also = [name for name, of in SPELLINGS.items() if of == reduction.name != name]
    dim = "1" if reduction.scalar else "any"
    return f"`{reduction.name}`", ", ".join(f"`{name}`" for name in also), dim, reduction.doc


def _op_row(op: Op) -> Sequence[str]:
    dims, params = op.samples[0]
    args = [Var(dim, slot, "i") for slot, dim in enumerate(dims)]
    result: Node = op(*args, *params)
    given = [*map(str, dims), *map(_literal, params)]
    return f"`{signature(op)}`", f"{', '.join(given)} → {result.dim}", op.doc


def _operator_row(operator: Operator) -> Sequence[str]:
    calls = re.findall(r"\w+\([^)]*\)", operator.usage)
    return ", ".join(f"`{call}`" for call in calls), operator.doc


def _literal(value: float | tuple[int, ...]) -> str:
    return str(list(value)) if isinstance(value, tuple) else f"{value:g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    escaped = ([re.sub(r"([|<])", r"\\\1", cell) for cell in row] for row in lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
