"""What JAX traced, as one list of equations without calls: values, and what makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

Shape = tuple[int, ...]

# Primitives that only call: their equations are put in the place of the call. The name of the
# parameter that holds them.
CALLS = {
    "jit": "jaxpr",
    "remat2": "jaxpr",
    "composite": "jaxpr",
    "closed_call": "call_jaxpr",
    "call": "call_jaxpr",
    "custom_vmap_call": "call",
}


@dataclass(frozen=True, eq=False)
class Value:
    """An array of one pair, by its shape and dtype. Two values are equal if they are one object."""

    aval: Any

    @property
    def shape(self) -> Shape:
        return tuple(self.aval.shape)

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, eq=False)
class Constant(Value):
    """An array that the function holds: a number that it spells, or one that it closes over."""

    array: Any
    spelled: bool


@dataclass(frozen=True, eq=False)
class Equation:
    """source: where the user's code asks for it, as JAX keeps it."""

    primitive: Any
    params: Mapping[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    source: Any

    @property
    def name(self) -> str:
        return self.primitive.name


@dataclass(frozen=True, eq=False)
class Graph:
    inputs: tuple[Value, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Value, ...]


def graph_of(jaxpr: ClosedJaxpr | Jaxpr) -> Graph:
    """The equations of a traced function, those of the functions that it calls among them."""
    inner, consts = _opened(jaxpr)
    inputs = tuple(Value(var.aval) for var in inner.invars)
    equations: list[Equation] = []
    outputs = _inlined(inner, consts, inputs, None, equations)
    return Graph(inputs, tuple(equations), tuple(outputs))


def _opened(jaxpr: ClosedJaxpr | Jaxpr) -> tuple[Jaxpr, Sequence[Any]]:
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, ClosedJaxpr) else (jaxpr, ())


def _inlined(
    jaxpr: Jaxpr,
    consts: Sequence[Any],
    inputs: Sequence[Value],
    source: Any,
    equations: list[Equation],
) -> list[Value]:
    """Adds the equations of a function of `inputs`; gives its outputs.

    source: of the call, which stands for that of its equations. JAX keeps the traces of functions,
    and the lines of those it kept may be of another caller.
    """
    known: dict[Any, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
    for var, array in zip(jaxpr.constvars, consts, strict=True):
        known[var] = Constant(var.aval, array, spelled=False)

    def value(atom: Any) -> Value:
        if isinstance(atom, Literal):
            return Constant(atom.aval, atom.val, spelled=True)
        return known[atom]

    for each in jaxpr.eqns:
        given = tuple(map(value, each.invars))
        where = source or each.source_info
        called = CALLS.get(each.primitive.name)
        if called is not None:
            inner, held = _opened(each.params[called])
            made: Sequence[Value] = _inlined(inner, held, given, where, equations)
        else:
            made = tuple(Value(var.aval) for var in each.outvars)
            equations.append(Equation(each.primitive, each.params, given, tuple(made), where))
        known.update(zip(each.outvars, made, strict=True))
    return list(map(value, jaxpr.outvars))


def needed(equations: Sequence[Equation], wanted: Iterable[Value]) -> list[Equation]:
    """The equations, in their order, that the wanted values depend on."""
    missing = set(wanted)
    found = []
    for each in reversed(equations):
        if not missing.isdisjoint(each.outputs):
            found.append(each)
            missing.update(each.inputs)
    return found[::-1]


def evaluate(equations: Iterable[Equation], known: dict[Value, jax.Array]) -> None:
    """Runs the equations by JAX; `known` takes in what they give."""
    for each in equations:
        params = each.primitive.get_bind_params(each.params)
        given = [v.array if isinstance(v, Constant) else known[v] for v in each.inputs]
        made = each.primitive.bind(*given, **params)
        outputs = made if each.primitive.multiple_results else [made]
        known.update(zip(each.outputs, outputs, strict=True))
