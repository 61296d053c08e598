"""Operations as methods of expressions, made from the registries of the formula language.

`operations.pyi`, which `tools/stub_methods.py` writes from the same, is what editors read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...errors import ArgumentTypeError
from ...formula.methods import COMPLEX, METHODS, REAL, Method
from .expression import Expression


class RealOperations(Expression):
    """The operations of a real expression f, coordinate by coordinate unless they say else."""

    __slots__ = ()


class ComplexOperations(Expression):
    """The operations of a complex expression f, number by number."""

    __slots__ = ()
    is_complex = True

    @classmethod
    def _complex_operand(cls, x: Any) -> Any:
        """`x` as a complex expression."""
        operand = cls._operand(x)
        return operand if operand.is_complex else operand.real2complex()


def _made(spec: Method) -> Callable[..., Any]:
    name, build = spec.name, spec.build
    result = "_complex" if spec.gives == COMPLEX else "_real"
    if not spec.formulas and not spec.literals:

        def method(self: Any) -> Any:
            return self._apply(name, build, (self,), (), getattr(self, result))

    else:
        operand = "_complex_operand" if spec.of == COMPLEX else "_operand"

        def method(self: Any, *args: Any, **named: Any) -> Any:
            given = _arguments(spec, args, named)
            count = len(spec.formulas)
            operands = (self, *map(getattr(self, operand), given[:count]))
            if spec.of == REAL:
                _refuse_complex(name, operands)
            literals = tuple([tuple(x) if isinstance(x, list) else x for x in given[count:]])
            return self._apply(name, build, operands, literals, getattr(self, result))

    method.__name__ = name
    method.__qualname__ = f"LazyTensor.{name}"
    method.__doc__ = spec.doc
    method.__signature__ = signature(spec)
    return method


def signature(spec: Method) -> inspect.Signature:
    """What a method takes, `self` first."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [*spec.formulas, *spec.literals]
    given = [
        inspect.Parameter(name, kind, default=spec.defaults.get(name, inspect.Parameter.empty))
        for name in names
    ]
    return inspect.Signature([inspect.Parameter("self", kind), *given])


def _arguments(spec: Method, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """What was given, in order, with what was left out. Raises `ArgumentTypeError`."""
    names = (*spec.formulas, *spec.literals)
    if len(args) == len(names) and not named:
        return args
    known = dict(zip(names, args, strict=False))
    wrong = [name for name in named if name not in names or name in known]
    given = {**spec.defaults, **known, **named}
    missing = [name for name in names if name not in given]
    if wrong or missing or len(args) > len(names):
        fault = (
            f"got {len(args) + len(named)} arguments"
            if len(args) > len(names)
            else f"{missing[0]!r} is missing"
            if missing
            else f"got {wrong[0]!r}"
        )
        takes = ", ".join(names) or "nothing"
        raise ArgumentTypeError(f"{spec.name} takes {takes}: {fault}.")
    return tuple(given[name] for name in names)


def _refuse_complex(name: str, operands: tuple[Expression, ...]) -> None:
    if any(each.is_complex for each in operands):
        raise ArgumentTypeError(
            f"{name} is not defined for complex numbers. Take real, imag or abs() first."
        )


for _spec in METHODS[REAL].values():
    setattr(RealOperations, _spec.name, _made(_spec))
for _spec in METHODS[COMPLEX].values():
    _method = _made(_spec)
    setattr(
        ComplexOperations,
        _spec.name,
        property(_method, doc=_spec.doc) if _spec.name in ("real", "imag") else _method,
    )
