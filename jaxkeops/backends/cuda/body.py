"""Bodies of C++ functions: scalar expressions as lines, one for each instruction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...ir import Apply, Const, Scalar
from .spelling import SPELLING, number


class Body:
    """The lines of one function, growing; `known` are the names of the values it is given."""

    def __init__(self, known: Mapping[Scalar, str]) -> None:
        self.lines: list[str] = []
        self._names = dict(known)

    def names(self, roots: Iterable[Scalar]) -> list[str]:
        """What the values of `roots` are called, once these lines have run."""
        roots = list(roots)
        for scalar in self._missing(roots):
            match scalar:
                case Const(value=value):
                    self._names[scalar] = number(value)
                case Apply(instr=instr, operands=operands):
                    name = f"t{len(self.lines)}"
                    inside = SPELLING[instr.name].format(*(self._names[o] for o in operands))
                    self.lines.append(f"const Real {name} = {inside};")
                    self._names[scalar] = name
                case _:
                    raise AssertionError(scalar)
        return [self._names[root] for root in roots]

    def _missing(self, roots: Iterable[Scalar]) -> list[Scalar]:
        """What `roots` are made of and no name exists for, operands first.

        What a given value is made of does not count.
        """
        order: dict[Scalar, None] = {}
        stack = [(root, False) for root in roots]
        while stack:
            scalar, operands_done = stack.pop()
            if scalar in order or scalar in self._names:
                continue
            if operands_done or not isinstance(scalar, Apply):
                order[scalar] = None
            else:
                stack.append((scalar, True))
                stack.extend((operand, False) for operand in reversed(scalar.operands))
        return list(order)


def function(result: str, name: str, arguments: Iterable[str], lines: Iterable[str]) -> str:
    """A device function as text."""
    inside = "".join(f"    {line}\n" for line in lines)
    return f"DEVICE {result} {name}({', '.join(arguments)}) {{\n{inside}}}\n"
