"""Writes jaxkeops/frontend/lazy/operations.pyi, the methods of lazy tensors, from the registries.

    python tools/stub_methods.py

Run it after a change of an operation: a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jaxkeops.formula.methods import COMPLEX, METHODS, REAL, Method

STUB = Path(__file__).parent.parent / "jaxkeops" / "frontend" / "lazy" / "operations.pyi"
HEAD = '''"""Operations as methods of expressions. Written by tools/stub_methods.py."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from ...formula.methods import Method as Method
from .complex import ComplexTensor
from .expression import Expression
from .real import RealTensor

Literal = float | Sequence[int]
'''
PROPERTIES = ("real", "imag")
CLASSES = {
    REAL: (
        "RealOperations",
        "The operations of a real expression f, coordinate by coordinate unless they say else.",
    ),
    COMPLEX: ("ComplexOperations", "The operations of a complex expression f, number by number."),
}


def stub() -> str:
    """The text of the stub."""
    return "\n".join([HEAD, *_class(REAL), *_class(COMPLEX)]).rstrip() + "\n"


def _class(kind: str) -> Iterator[str]:
    name, doc = CLASSES[kind]
    yield f"class {name}(Expression):"
    yield f'    """{doc}"""'
    yield ""
    if kind == COMPLEX:
        yield "    is_complex: ClassVar[bool]"
        yield ""
    for method in METHODS[kind].values():
        yield from _method(method, kind)


def _method(method: Method, kind: str) -> Iterator[str]:
    given = [f"{name}: Any" for name in method.formulas]
    given += [f"{name}: Literal" for name in method.literals]
    names = [*method.formulas, *method.literals]
    for k, name in enumerate(names):
        if name in method.defaults:
            given[k] += f" = {method.defaults[name]!r}"
    result = (
        "Self" if method.gives == kind else "RealTensor" if kind == COMPLEX else "ComplexTensor"
    )
    if kind == COMPLEX and method.name in PROPERTIES:
        yield "    @property"
    head = f"    def {method.name}({', '.join(['self', *given])}) -> {result}:"
    if len(head) > 100:
        yield f"    def {method.name}("
        yield from (f"        {each}," for each in ["self", *given])
        yield f"    ) -> {result}:"
    else:
        yield head
    yield from _wrapped(method.doc)
    yield ""


def _wrapped(doc: str, width: int = 84) -> Iterator[str]:
    lines = [""]
    for word in doc.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) == 1:
        yield f'        """{lines[0]}"""'
        return
    yield f'        """{lines[0]}'
    yield from (f"        {line}" for line in lines[1:])
    yield '        """'


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
