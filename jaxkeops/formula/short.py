"""A formula in a line, for profiles and for eyes: not to be read again."""

from __future__ import annotations

from collections.abc import Sequence

from .formula import Formula
from .node import Call, Node, Number, Var, topological

LONGEST = 64  # characters: what a column of a profile shows
LETTERS = {"i": "x", "j": "y", "p": "p"}
# Operators that stand between their arguments, and how closely they bind.
SIGNS = {"Add": ("+", 1), "Subtract": ("-", 1), "Mult": ("*", 2)}
CLOSEST = 3


def short_name(formula: Formula, names: Sequence[str] = ()) -> str:
    """The reduction and its formula, as in "Sum[Exp(-p3*SqDist(x0,y1))*y2]".

    names: of the variables, by slot; by default x, y and p for rows i, rows j and parameters,
    with their slots. What is too long ends in three dots. There is no "/" in it, which would part
    a name of XLA.
    """
    nodes = [node for node in (formula.node, formula.weight) if node is not None]
    spelled = names or [f"{LETTERS[given.axis]}{k}" for k, given in enumerate(formula.inputs)]
    # Of each part no more than is shown at most: shared parts may be spelled very often.
    texts: dict[Node, tuple[str, int]] = {}
    for part in topological(nodes):
        text, binding = _spelled(part, texts, spelled)
        texts[part] = (text[: LONGEST + 1], binding)
    inside = ";".join(texts[node][0] for node in nodes)
    count = "" if formula.count is None else str(formula.count)
    found = f"{formula.reduction.name}{count}[{inside}".replace("/", ":")
    return f"{found[: LONGEST - 4]}...]" if len(found) >= LONGEST else f"{found}]"


def _spelled(
    part: Node, texts: dict[Node, tuple[str, int]], names: Sequence[str]
) -> tuple[str, int]:
    """The text of a part, and how closely its outermost operator binds."""
    match part:
        case Var(slot=slot):
            return names[slot], CLOSEST
        case Number(value=value):
            return f"{value:g}", CLOSEST
        case Call(op=op, args=args, params=params):
            if op.name == "Minus":
                return f"-{_within(args[0], 2, texts)}", 2
            if op.name in SIGNS:
                sign, binding = SIGNS[op.name]
                left, right = args
                tight = binding + (sign == "-")
                return (
                    f"{_within(left, binding, texts)}{sign}{_within(right, tight, texts)}",
                    binding,
                )
            inside = [*(texts[arg][0] for arg in args), *(str(param) for param in params)]
            return f"{op.name}({','.join(inside)})", CLOSEST
    raise AssertionError(part)


def _within(node: Node, least: int, texts: dict[Node, tuple[str, int]]) -> str:
    """The text of an operand, in parentheses if it binds less closely than it must."""
    text, binding = texts[node]
    return text if binding >= least else f"({text})"
