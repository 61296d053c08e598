"""A formula as lines of text, one op a line: what programs carry, caches hash and tests record."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import CompileError
from ..ir import Input
from .node import OPS, Call, Node, Number, Param, Var, topological

VERSION = "jaxkeops formula 1"
_CALL = re.compile(r"(\w+)\((.*)\)")


def write(reduction: str, node: Node, inputs: Sequence[Input]) -> str:
    """The text of a reduction of `node`; equal formulas, once shared, have equal texts."""
    lines = [VERSION, reduction]
    lines += [f"v{slot} = {given.axis} {given.dim}" for slot, given in enumerate(inputs)]
    names: dict[Node, str] = {}
    count = 0
    for part in topological([node]):
        match part:
            case Var(slot=slot):
                names[part] = f"v{slot}"
                continue
            case Number(dim, value):
                right = f"Number({dim}, {value!r})"
            case Call(op=op, args=args, params=params):
                right = f"{op.name}({', '.join([*(names[a] for a in args), *map(_show, params)])})"
            case _:
                raise AssertionError(part)
        names[part] = f"t{count}"
        lines.append(f"t{count} = {right}")
        count += 1
    return "\n".join([*lines, f"return {names[node]}"])


def read(text: str) -> tuple[str, Node, tuple[Input, ...]]:
    """The reduction, node and inputs that `write` wrote.

    Raises `CompileError` if another version of the library wrote it.
    """
    try:
        return _read(text)
    except (KeyError, ValueError, IndexError, AssertionError, TypeError) as fault:
        first = text.split("\n", 1)[0]
        raise CompileError(
            f"This program carries a formula that this version cannot read: it begins with "
            f"{first!r}, expected {VERSION!r}. Run it with the jaxkeops that made it, or make "
            "it again."
        ) from fault


def _read(text: str) -> tuple[str, Node, tuple[Input, ...]]:
    version, reduction, *lines, last = text.split("\n")
    if version != VERSION:
        raise ValueError(version)
    nodes: dict[str, Node] = {}
    inputs: list[Input] = []
    for line in lines:
        name, right = line.split(" = ")
        call = _CALL.fullmatch(right)
        if call is None:
            axis, dim = right.split(" ")
            inputs.append(Input(axis, int(dim)))
            nodes[name] = Var(int(dim), len(inputs) - 1, axis)
            continue
        op, given = call.groups()
        parts = [part.strip() for part in re.split(r",\s*(?![^\[]*\])", given)] if given else []
        if op == "Number":
            nodes[name] = Number(int(parts[0]), float(parts[1]))
        else:
            rules = OPS[op]
            args = tuple(nodes[part] for part in parts[: rules.arity])
            params = tuple(_param(part) for part in parts[rules.arity :])
            if rules.dim is None:
                raise ValueError(op)
            dim = rules.dim(*(arg.dim for arg in args), *params)
            nodes[name] = Call(dim, rules, args, params)
    return reduction, nodes[last.removeprefix("return ")], tuple(inputs)


def _show(param: Param) -> str:
    if isinstance(param, tuple):
        return f"[{', '.join(map(str, param))}]"
    return repr(param)


def _param(text: str) -> Param:
    if text.startswith("["):
        return tuple(int(part) for part in text[1:-1].split(",") if part.strip())
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
