"""A formula as lines of text, one op a line: what programs carry, caches hash and tests record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import CompileError
from ..ir import Input
from .node import OPS, Call, Node, Number, Param, Var, topological

VERSION = "jaxkeops formula 1"
_HEAD = re.compile(r"(\w+)(?: (\d+))?(?:, last (\d+) over rows)?")
_CALL = re.compile(r"(\w+)\((.*)\)")


def write(
    reduction: str,
    nodes: Sequence[Node],
    inputs: Sequence[Input],
    count: int | None = None,
    over_rows: int = 0,
) -> str:
    """The text of a reduction of `nodes`: the formula, then its weights if it has them.

    Equal formulas, once shared, have equal texts. count: the K of the K-min family.
    over_rows: how many of the last coordinates are summed over the kept rows as well.
    """
    head = reduction if count is None else f"{reduction} {count}"
    lines = [VERSION, f"{head}, last {over_rows} over rows" if over_rows else head]
    lines += [f"v{slot} = {given.axis} {given.dim}" for slot, given in enumerate(inputs)]
    names: dict[Node, str] = {}
    calls = 0
    for part in topological(nodes):
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
        names[part] = f"t{calls}"
        lines.append(f"t{calls} = {right}")
        calls += 1
    return "\n".join([*lines, f"return {', '.join(names[node] for node in nodes)}"])


def read(text: str) -> tuple[str, Node, tuple[Input, ...], Node | None, int | None, int]:
    """What `write` wrote, as `make_formula` takes it.

    Raises `CompileError` if another version of the library wrote it.
    """
    try:
        return _read(text)
    except (KeyError, ValueError, IndexError, AssertionError, TypeError, AttributeError) as fault:
        first = text.split("\n", 1)[0]
        raise CompileError(
            f"This program carries a formula that this version cannot read: it begins with "
            f"{first!r}, expected {VERSION!r}. Run it with the jaxkeops that made it, or make "
            "it again."
        ) from fault


def _read(text: str) -> tuple[str, Node, tuple[Input, ...], Node | None, int | None, int]:
    version, head, *lines, last = text.split("\n")
    if version != VERSION:
        raise ValueError(version)
    reduction, count, over_rows = _HEAD.fullmatch(head).groups()
    nodes: dict[str, Node] = {}
    inputs: list[Input] = []
    for line in lines:
        name, right = line.split(" = ")
        call = _CALL.fullmatch(right)
        if call is None:
            axis, dim = right.split(" ")
            inputs.append(Input(axis, int(dim)))
            nodes[name] = Var(int(dim), len(inputs) - 1, axis)
        else:
            nodes[name] = _called(*call.groups(), nodes)
    node, *weights = (nodes[name] for name in last.removeprefix("return ").split(", "))
    weight = weights[0] if weights else None
    known = int(count) if count else None
    return reduction, node, tuple(inputs), weight, known, int(over_rows or 0)


def _called(op: str, given: str, nodes: Mapping[str, Node]) -> Node:
    parts = [part.strip() for part in re.split(r",\s*(?![^\[]*\])", given)] if given else []
    if op == "Number":
        return Number(int(parts[0]), float(parts[1]))
    rules = OPS[op]
    args = tuple(nodes[part] for part in parts[: rules.arity])
    params = tuple(_param(part) for part in parts[rules.arity :])
    if rules.dim is None:
        raise ValueError(op)
    dim = rules.dim(*(arg.dim for arg in args), *params)
    return Call(dim, rules, args, params)


def _show(param: Param) -> str:
    if isinstance(param, tuple):
        return f"[{', '.join(map(str, param))}]"
    return repr(param)


def _param(text: str) -> Param:
    if text.startswith("["):
        return tuple(int(part) for part in text[1:-1].split(",") if part.strip())
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
