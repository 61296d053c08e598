"""Reductions made from the alias of their result, as PyKeOps' `generic_sum` and its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError
from ..formula.aliases import parse_alias
from .genred import GenredBase

Maker = Callable[..., GenredBase]


def generic(genred: type[GenredBase], reduction: str, counted: bool = False) -> Maker:
    """A function that makes the reduction of this name from aliases, the result's first.

    counted: whether the dim of the result is the K of the K-min family; else it says nothing.
    """

    def made(formula: str, output: str, *aliases: str, **options: Any) -> GenredBase:
        result = parse_alias(output, 0)
        if result.axis == "p":
            raise ArgumentError(
                f"The result is declared with Vi (reduced over j) or Vj (reduced over i), got "
                f"{output!r}."
            )
        if counted:
            options["opt_arg"] = result.dim
        axis = 1 if result.axis == "i" else 0
        return genred(formula, list(aliases), reduction, axis=axis, **options)

    made.__name__ = made.__qualname__ = f"generic_{reduction.lower()}"
    dim = "K" if counted else "D"
    made.__doc__ = (
        f"The reduction {reduction} of `formula`, for the result `output`: 'a = Vi({dim})', a row "
        f"for each i, or 'a = Vj({dim})', and for the aliases of its arrays. Options are those of "
        "`Genred`."
    )
    return made
