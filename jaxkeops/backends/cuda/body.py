"""Bodies of C++ functions: scalar expressions as lines, one for each instruction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count

from ...ir import COMPONENT, Apply, Const, Each, Fold, Scalar
from .spelling import SPELLING, number

UNROLLED = 2  # turns of a loop over components that are written side by side


class Body:
    """The lines of one function, growing; `known` are the names of the values it is given.

    What changes from component to component is known by an expression in `c`, the component.
    """

    def __init__(self, known: Mapping[Scalar, str], numbers: Iterator[int] | None = None) -> None:
        self.lines: list[str] = []
        self._names = dict(known)
        self._numbers = numbers if numbers is not None else count()

    def names(self, roots: Iterable[Scalar]) -> list[str]:
        """What the values of `roots` are called, once these lines have run."""
        roots = list(roots)
        for scalar in self._missing(roots):
            match scalar:
                case Const(value=value):
                    self._names[scalar] = number(value)
                case Apply(instr=instr, operands=operands):
                    inside = SPELLING[instr.name].format(*(self._names[o] for o in operands))
                    self._names[scalar] = self._named(f"const Real {{}} = {inside};")
                case Fold(body=body, count=count):
                    self._names[scalar] = self._sum(body, count)
                case _:
                    raise AssertionError(scalar)
        return [self._names[root] for root in roots]

    def knows(self, scalar: Scalar) -> bool:
        """Whether it has a name already."""
        return scalar in self._names

    def each(self, root: Each, store: Callable[[str], str]) -> None:
        """Writes a loop that gives `store` the name of the body at component `c`."""
        self.names(outside(root.body))
        self._loop(root.count, root.body, store)

    def _sum(self, body: Scalar, count: int) -> str:
        total = self._named("Real {} = 0;")
        product = factors(body)
        if product is None:
            self._loop(count, body, lambda name: f"{total} += {name};")
        else:
            inner = Body(self._names, self._numbers)
            a, b = inner.names(product)
            self._in_loop(count, [*inner.lines, f"{total} = math::fma({a}, {b}, {total});"])
        return total

    def _loop(self, count: int, body: Scalar, store: Callable[[str], str]) -> None:
        inner = Body(self._names, self._numbers)
        (name,) = inner.names([body])
        self._in_loop(count, [*inner.lines, store(name)])

    def _in_loop(self, count: int, lines: Iterable[str]) -> None:
        self.lines.append(f"#pragma unroll {UNROLLED}")
        self.lines.append(f"for (int c = 0; c < {count}; ++c) {{")
        self.lines += (f"    {line}" for line in lines)
        self.lines.append("}")

    def _named(self, line: str) -> str:
        name = f"t{next(self._numbers)}"
        self.lines.append(line.format(name))
        return name

    def _missing(self, roots: Iterable[Scalar]) -> list[Scalar]:
        """What `roots` are made of and no name exists for, operands first.

        What a given value is made of does not count, nor what has a name inside of a loop only.
        """
        order: dict[Scalar, None] = {}
        stack = [(root, False) for root in roots]
        while stack:
            scalar, operands_done = stack.pop()
            if scalar in order or scalar in self._names:
                continue
            inside = outside(scalar.body) if isinstance(scalar, Fold) else scalar.inside
            if operands_done or not inside:
                order[scalar] = None
            else:
                stack.append((scalar, True))
                stack.extend((operand, False) for operand in reversed(inside))
        return list(order)


def outside(body: Scalar) -> list[Scalar]:
    """The largest parts of the body of a loop that are the same at every component."""
    found: dict[Scalar, None] = {}
    stack = [body]
    while stack:
        scalar = stack.pop()
        if scalar.rate & COMPONENT:
            stack.extend(reversed(scalar.inside))
        else:
            found[scalar] = None
    return list(found)


def factors(term: Scalar) -> tuple[Scalar, ...] | None:
    """The factors of a product: added to a sum by one instruction."""
    if isinstance(term, Apply) and term.instr.name == "mul":
        return term.operands
    return None


def function(result: str, name: str, arguments: Iterable[str], lines: Iterable[str]) -> str:
    """A device function as text."""
    inside = "".join(f"    {line}\n" for line in lines)
    return f"DEVICE {result} {name}({', '.join(arguments)}) {{\n{inside}}}\n"
