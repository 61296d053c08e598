"""Reads a formula such as `Exp(-SqDist(x, y)) * b`, and points at what is wrong with it.

From loosest to tightest: comparisons, which do not chain; `|`; `+ -`; `* /`; signs; `**`.
Numbers written next to each other are worked out as they are read, so `Extract(x, 0, 2*3)` is fine.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import isfinite
from typing import Any

from ..errors import ArgumentTypeError, FormulaError, FormulaSyntaxError, UnknownNameError, point_at
from .node import OPS, F, Node, Var, as_node
from .operators import OPERATORS

Value = Any  # a Node, a number, or a tuple of values

# Vx and Vy are old spellings. `Var` has the axis as a number, its category.
VARIABLES = {"Vi": "i", "Vj": "j", "Pm": "p", "Vx": "i", "Vy": "j", "Var": ""}
CATEGORIES = ("i", "j", "p")
LONGEST_INTEGER = 18  # digits; beyond, doubles have not as many, and reading takes their square

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<symbol>\*\*|//|<=|>=|==|!=|[-+*/|<>()\[\],=@%^&]))",
    re.ASCII,
)

COMPARISON, SIGN, POWER = 1, 5, 6
BINARY: dict[str, tuple[int, Callable[[Value, Value], Value]]] = {
    "<": (COMPARISON, lambda a, b: F.LessThan(a, b)),
    "<=": (COMPARISON, lambda a, b: F.LessOrEqual(a, b)),
    ">": (COMPARISON, lambda a, b: F.LessThan(b, a)),
    ">=": (COMPARISON, lambda a, b: F.LessOrEqual(b, a)),
    "==": (COMPARISON, lambda a, b: F.Equal(a, b)),
    "!=": (COMPARISON, lambda a, b: F.NotEqual(a, b)),
    "|": (2, lambda a, b: F.Scalprod(a, b)),
    "+": (3, lambda a, b: F.Add(a, b)),
    "-": (3, lambda a, b: F.Subtract(a, b)),
    "*": (4, lambda a, b: F.Mult(a, b)),
    "/": (4, lambda a, b: F.Inv(b) if _is_number(a) and a == 1 else F.Divide(a, b)),
    "**": (POWER, lambda a, b: power(a, b)),
}
ON_NUMBERS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": lambda a, b: float(a) ** b,
}
INSTEAD = {
    "[": "For a coordinate write Elem(f, m), for several Extract(f, start, size).",
    "@": "For a matrix product write MatVecMult(A, b) or VecMatMult(b, A).",
    "%": "Write Mod(f, n, 0).",
    "//": "Write Floor(f / g).",
    "^": "A power is written **.",
    "=": "Equality is written ==.",
    "&": "Multiply the two conditions: they are 0 or 1.",
}


LIST = "Ind"  # Ind(2, 3) is the list [2, 3]


def parse(formula: str, names: Mapping[str, Node], slots: dict[int, Var] | None = None) -> Node:
    """The formula as a node.

    names: what each declared name stands for. A declared name hides an op of the same name.
    slots: the variables known by their position; those that the formula writes out as
    `Var(slot, dim, category)`, `Vi(slot, dim)`, ... are added to it, used or not.
    Raises a `FormulaError` that shows the formula, with a caret at the fault.
    Time is linear in the length, and no depth of nesting is too much.
    """
    if not isinstance(formula, str):
        raise ArgumentTypeError(f"A formula is a string, got {type(formula).__name__}.")
    if slots is None:
        slots = {node.slot: node for node in names.values() if isinstance(node, Var)}
    return _Reading(formula, names, slots).result()


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # "number", "name", "symbol" or "end"
    text: str
    column: int


def tokens(text: str) -> list[Token]:
    """The words of `text`, ended by one of kind "end"."""
    result, at = [], 0
    while match := TOKEN.match(text, at):
        kind = match.lastgroup
        assert kind is not None, text
        result.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    rest = text[at:].lstrip()
    if rest:
        column = len(text) - len(rest)
        raise point_at(
            text, column, FormulaSyntaxError(f"The character {rest[0]!r} has no meaning here.")
        )
    result.append(Token("end", "", len(text)))
    return result


@dataclass(frozen=True, slots=True)
class _Pending:
    """An operator that waits for its right operand, or a bracket that waits for its end.

    tightness: of an operator; 0 for a bracket.
    base: for a bracket, how many values there were before it.
    name: for a bracket, what is called, if anything.
    several: whether there was a comma in it.
    """

    token: Token
    tightness: int
    base: int = 0
    name: Token | None = None
    several: bool = False


class _Reading:
    """Dijkstra's two stacks: values read, and operators and brackets that wait."""

    def __init__(self, formula: str, names: Mapping[str, Node], slots: dict[int, Var]) -> None:
        self.formula = formula
        self.names = names
        self.slots = slots
        self.values: list[Value] = []
        self.pending: list[_Pending] = []

    def result(self) -> Node:
        *words, end = tokens(self.formula)
        if not words:
            raise FormulaSyntaxError("The formula is empty.")
        value_due, before = True, end
        for word, after in zip(words, [*words[1:], end], strict=True):
            value_due = self._value(word, before, after) if value_due else self._after_value(word)
            before = word
        if value_due:
            raise self._at(end, FormulaSyntaxError("The formula ends where a value is due."))
        self._reduce()
        if self.pending:
            bracket = self.pending[-1].token
            raise self._at(bracket, FormulaSyntaxError(f"This {bracket.text!r} is not closed."))
        (value,) = self.values
        if isinstance(value, tuple):
            raise self._at(words[0], FormulaError("A formula is expected, got a list."))
        return as_node(value)

    def _value(self, word: Token, before: Token, after: Token) -> bool:
        """Reads a word where a value is due; says whether one is still due."""
        if word.kind == "number":
            self.values.append(self._number(word))
            return False
        if word.kind == "name":
            if after.text == "(":
                self._check_op(word)
                return True
            self.values.append(self._named(word))
            return False
        if word.text in ("-", "+"):
            self.pending.append(_Pending(word, SIGN))
            return True
        if word.text in ("(", "["):
            name = before if before.kind == "name" and word.text == "(" else None
            self.pending.append(_Pending(word, 0, len(self.values), name))
            return True
        if word.text in (")", "]") and before.text in ("(", "[", ","):
            self._close(word, several=True)
            return False
        raise self._at(word, FormulaSyntaxError(f"A value is due here, got {word.text!r}."))

    def _after_value(self, word: Token) -> bool:
        """Reads a word after a value; says whether another value is due."""
        if word.text in BINARY:
            tightness, _ = BINARY[word.text]
            # Equal operators pair from the left, but powers from the right.
            self._reduce(tightness + (tightness in (COMPARISON, POWER)))
            if (
                tightness == COMPARISON
                and self.pending
                and self.pending[-1].tightness == COMPARISON
            ):
                fault = "Comparisons do not chain: multiply them, or use parentheses."
                raise self._at(word, FormulaSyntaxError(fault))
            self.pending.append(_Pending(word, tightness))
            return True
        if word.text in (")", "]"):
            self._close(word)
            return False
        if word.text == ",":
            self._reduce()
            if not self.pending:
                raise self._at(word, FormulaSyntaxError("This comma is not inside parentheses."))
            self.pending[-1] = replace(self.pending[-1], several=True)
            return True
        if word.kind == "symbol" and word.text != "(":
            fault = f"{word.text!r} is not an operator of formulas. {INSTEAD[word.text]}"
        else:
            fault = f"An operator is missing before {word.text!r}."
        raise self._at(word, FormulaSyntaxError(fault))

    def _reduce(self, least: int = 1) -> None:
        """Applies the operators that wait, down to a bracket or one looser than `least`."""
        while self.pending and self.pending[-1].tightness >= least:
            waiting = self.pending.pop()
            right = self.values.pop()
            if waiting.tightness == SIGN:
                value = self._apply(waiting.token, _signed, waiting.token.text, right)
            else:
                left = self.values.pop()
                value = self._apply(waiting.token, _combined, waiting.token.text, left, right)
            self.values.append(value)

    def _close(self, word: Token, *, several: bool = False) -> None:
        """Makes one value of what stands between a bracket and `word`, which closes it."""
        self._reduce()
        opening = "(" if word.text == ")" else "["
        if not self.pending or self.pending[-1].token.text != opening:
            raise self._at(word, FormulaSyntaxError(f"This {word.text!r} closes nothing."))
        bracket = self.pending.pop()
        inside = tuple(self.values[bracket.base :])
        del self.values[bracket.base :]
        if bracket.name is not None:
            value = self._apply(bracket.name, self._called, bracket.name.text, inside)
        elif opening == "(" and not inside:
            raise self._at(word, FormulaSyntaxError("A value is due between the parentheses."))
        elif opening == "[" or several or bracket.several:
            value = inside
        else:
            (value,) = inside
        self.values.append(value)

    def _apply(self, blamed: Token, function: Callable[..., Value], *args: object) -> Value:
        try:
            return function(*args)
        except FormulaError as error:
            raise self._at(blamed, error) from None

    def _at(self, word: Token, error: FormulaError) -> FormulaError:
        return point_at(self.formula, word.column, error)

    def _number(self, word: Token) -> int | float:
        text = word.text
        number = int(text) if text.isdigit() and len(text) <= LONGEST_INTEGER else float(text)
        if not isfinite(number):
            raise self._at(word, FormulaError(f"The number {text} is out of range."))
        return number

    def _named(self, word: Token) -> Node:
        node = self.names.get(word.text)
        if node is not None:
            return node
        if word.text in OPS or word.text in OPERATORS or word.text in VARIABLES:
            fault = f"{word.text} is an op: parentheses with what it takes are expected after it."
            raise self._at(word, FormulaSyntaxError(fault))
        declared = ", ".join(self.names) or "nothing"
        hint = _hint(word.text, self.names)
        fault = f"Unknown variable {word.text!r}.{hint} Declared: {declared}."
        raise self._at(word, UnknownNameError(fault))

    def _check_op(self, word: Token) -> None:
        if word.text in self.names:
            fault = f"{word.text!r} is declared as a variable here, so it cannot be called."
            raise self._at(word, FormulaError(fault))
        known = word.text in OPS or word.text in OPERATORS or word.text in VARIABLES
        if not known and word.text != LIST:
            hint = _hint(word.text, [*OPS, *OPERATORS])
            raise self._at(word, UnknownNameError(f"Unknown op {word.text!r}.{hint}"))

    def _called(self, name: str, args: tuple[Value, ...]) -> Value:
        if name in OPS:
            return OPS[name](*args)
        if name in OPERATORS:
            return OPERATORS[name](*args)
        if name == LIST:
            return args
        return self._variable(name, args)

    def _variable(self, name: str, args: tuple[Value, ...]) -> Node:
        """The variable that `Var(slot, dim, category)`, or `Vi(slot, dim)`, writes out."""
        numbers = [n for n in args if isinstance(n, int) and n >= 0]
        if len(args) != (3 if name == "Var" else 2) or len(numbers) != len(args):
            wanted = "Var(slot, dim, category)" if name == "Var" else f"{name}(slot, dim)"
            raise FormulaError(
                f"Inside a formula, a variable is written {wanted}, with integers: the position "
                "of its array, counted from 0, and its dimension."
            )
        slot, dim, *category = numbers
        if dim == 0 or (category and category[0] >= len(CATEGORIES)):
            raise FormulaError(
                f"{name}{args}: a dimension is at least 1, and a category is 0 (rows i), "
                "1 (rows j) or 2 (parameter)."
            )
        axis = CATEGORIES[category[0]] if category else VARIABLES[name]
        known = self.slots.setdefault(slot, Var(dim, slot, axis))
        if (known.dim, known.axis) != (dim, axis):
            raise FormulaError(
                f"Array {slot} is already declared, as {spelled(known)}; {name}{args} differs."
            )
        return known


def spelled(var: Var) -> str:
    """The variable as a formula writes it: "Vi(0,3)"."""
    return f"{ {'i': 'Vi', 'j': 'Vj', 'p': 'Pm'}[var.axis] }({var.slot},{var.dim})"


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float)


def _signed(sign: str, value: Value) -> Value:
    if isinstance(value, tuple):
        raise FormulaError("A list has no sign.")
    return value if sign == "+" else -value


def _combined(symbol: str, left: Value, right: Value) -> Value:
    if isinstance(left, tuple) or isinstance(right, tuple):
        raise FormulaError(f"{symbol!r} stands between formulas or numbers, not lists.")
    if symbol == "/" and _is_number(right) and right == 0:
        raise FormulaError("Division by zero.")
    if _is_number(left) and _is_number(right) and symbol in ON_NUMBERS:
        return _worked_out(symbol, left, right)
    return BINARY[symbol][1](left, right)


def _worked_out(symbol: str, left: float, right: float) -> float:
    try:
        number = ON_NUMBERS[symbol](left, right)
        if not isinstance(number, complex) and isfinite(number):
            return number
    except (OverflowError, ZeroDivisionError):
        pass
    raise FormulaError(f"{left} {symbol} {right} is not a number in range.")


def power(base: Node | float, exponent: Node | float) -> Node:
    """base ** exponent, as the op that says it best."""
    if isinstance(exponent, Node):
        return F.Powf(base, exponent)
    match exponent:
        case 2:
            return F.Square(base)
        case 0.5:
            return F.Sqrt(base)
        case -0.5:
            return F.Rsqrt(base)
    return F.Pow(base, exponent)


def _hint(name: str, known: Iterable[str]) -> str:
    spellings = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), spellings, n=1)
    return f" Did you mean {spellings[close[0]]!r}?" if close else ""
