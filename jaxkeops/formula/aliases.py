"""Declarations such as `x = Vi(0, 3)`: which array a name stands for, its dim and its axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import ArgumentTypeError, FormulaError, FormulaSyntaxError, point_at
from .node import Node, Var
from .parse import CATEGORIES, LONGEST_INTEGER, VARIABLES, Token, parse, spelled, tokens

FORMS = "`x = Vi(dim)`, `x = Vi(slot, dim)` (or Vj, Pm), or `x = Var(slot, dim, category)`"


@dataclass(frozen=True)
class Declaration:
    """One declared array. slot: its position in a call; axis: "i", "j", or "p" (a parameter)."""

    name: str | None
    slot: int
    dim: int
    axis: str


@dataclass(frozen=True)
class Declarations:
    """names: what formulas may name. slots: the variables by position, named or not."""

    names: Mapping[str, Var]
    slots: Mapping[int, Var]


def parse_alias(text: str, position: int) -> Declaration:
    """The declaration that `text` is; without a slot of its own it takes `position`.

    Raises a `FormulaError` with a caret at the fault.
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(
            f"A declaration is a string such as 'x = Vi(3)', got {type(text).__name__}."
        )
    words = tokens(text)
    name = None
    if len(words) > 1 and words[1].text == "=":
        if words[0].kind != "name":
            raise _misread(text, words[0], "a name (letters, digits, _)")
        name = words[0].text
        words = words[2:]
    if words[0].text not in VARIABLES:
        raise _misread(text, words[0], "Vi, Vj, Pm or Var")
    category = words[0].text
    if words[1].text != "(":
        raise _misread(text, words[1], "'('")
    numbers = [_integer(text, words[2])]
    k = 3
    while words[k].text == ",":
        numbers.append(_integer(text, words[k + 1]))
        k += 2
    if words[k].text != ")":
        raise _misread(text, words[k], "',' or ')'")
    if words[k + 1].kind != "end":
        raise _misread(text, words[k + 1], "nothing more")
    return _declaration(text, words[0], name, category, numbers, position)


def _declaration(
    text: str, at: Token, name: str | None, category: str, numbers: Sequence[int], position: int
) -> Declaration:
    match category, numbers:
        case "Var", [slot, dim, axis]:
            if axis >= len(CATEGORIES):
                fault = f"A category is 0 (rows i), 1 (rows j) or 2 (parameter), got {axis}."
                raise point_at(text, at.column, FormulaError(fault))
            declared = Declaration(name, slot, dim, CATEGORIES[axis])
        case "Vi" | "Vj" | "Pm" | "Vx" | "Vy", [dim]:
            declared = Declaration(name, position, dim, VARIABLES[category])
        case "Vi" | "Vj" | "Pm" | "Vx" | "Vy", [slot, dim]:
            declared = Declaration(name, slot, dim, VARIABLES[category])
        case _:
            wanted = (
                "slot, dimension and category"
                if category == "Var"
                else ("a dimension, or a slot and a dimension")
            )
            fault = f"{category} takes {wanted}, got {len(numbers)} numbers."
            raise point_at(text, at.column, FormulaError(fault))
    if declared.dim < 1:
        fault = f"A dimension is at least 1, got {declared.dim}."
        raise point_at(text, at.column, FormulaError(fault))
    return declared


def _integer(text: str, at: Token) -> int:
    if at.text.isdigit() and len(at.text) <= LONGEST_INTEGER:
        return int(at.text)
    raise _misread(text, at, "an integer that is not negative")


def _misread(text: str, at: Token, expected: str) -> FormulaError:
    got = repr(at.text) if at.text else "the end"
    fault = f"A declaration is written {FORMS}. Expected {expected}, got {got}."
    return point_at(text, at.column, FormulaSyntaxError(fault))


def declare(aliases: Sequence[str]) -> Declarations:
    """What `aliases` declare. If two share a name, the last has it, and both keep their arrays.

    Raises `FormulaError` if one array is declared with two dims or axes.
    """
    if isinstance(aliases, str):
        raise ArgumentTypeError(
            f"Declarations are a list of strings, got one string: write [{aliases!r}]."
        )
    if not isinstance(aliases, Iterable):
        raise ArgumentTypeError(
            f"Declarations are a list of strings such as 'x = Vi(3)', got {type(aliases).__name__}."
        )
    names: dict[str, Var] = {}
    slots: dict[int, Var] = {}
    for position, text in enumerate(aliases):
        found = parse_alias(text, position)
        var = slots.setdefault(found.slot, Var(found.dim, found.slot, found.axis))
        if (var.dim, var.axis) != (found.dim, found.axis):
            raise FormulaError(
                f"Array {found.slot} is declared twice: {text!r} does not agree with "
                f"{spelled(var)}, from {_origin(aliases, found.slot)!r}."
            )
        if found.name is not None:
            names[found.name] = var
    return Declarations(names, slots)


def _origin(aliases: Sequence[str], slot: int) -> str:
    return next(text for k, text in enumerate(aliases) if parse_alias(text, k).slot == slot)


def read_formulas(
    formulas: Sequence[str], aliases: Sequence[str]
) -> tuple[tuple[Node, ...], tuple[Var, ...]]:
    """The formulas as nodes, and the variables of all arrays in the order of a call.

    The arrays are the declared ones, used or not, and those that the formulas write out as
    `Var(slot, dim, category)`, even only as the variable of a `Grad`.
    Raises `FormulaError` if a position is left without a variable.
    """
    declared = declare(aliases)
    slots = dict(declared.slots)
    nodes = tuple(parse(formula, declared.names, slots) for formula in formulas)
    missing = sorted(set(range(max(slots, default=-1) + 1)) - slots.keys())
    if missing:
        known = ", ".join(spelled(slots[slot]) for slot in sorted(slots))
        raise FormulaError(
            f"Nothing says what array {missing[0]} is. Positions count from 0 without gaps; "
            f"declared: {known}."
        )
    return nodes, tuple(slots[slot] for slot in range(len(slots)))
