"""Ops whose value is that of an argument, and whose derivative is what the formula prescribes."""

from collections.abc import Sequence

import numpy as np

from ... import ir
from ...errors import FormulaError
from ..declare import elementwise, register
from ..node import F, Node, Op

elementwise(
    "StopGradient",
    "f, as if it were constant: its derivative is 0.",
    value=np.positive,
    derivative=lambda f: (None,),
    lower=lambda f: f,
    domain=(-2, 2),
    prescribed=True,
)

# Neither x nor d is computed for the value alone: nothing that is stored depends on them.
elementwise(
    "Slope",
    "f, with d added to its derivative for x, coordinate by coordinate.",
    arity=3,
    value=lambda f, x, d: f + np.zeros_like(x + d),
    derivative=lambda f, x, d: (1.0, d, None),
    lower=lambda f, x, d: f,
    domain=(-2, 2),
    prescribed=True,
)


def _slopes_dim(f: int, x: int, jacobian: int) -> int:
    if jacobian != f * x:
        raise FormulaError(
            f"Slopes(f, x, J) takes J of {f} rows and {x} columns, {f * x} numbers, for f of "
            f"dimension {f} and x of dimension {x}; got {jacobian}."
        )
    return f


def _slopes_vjp(g: Node, f: Node, x: Node, jacobian: Node) -> Sequence[Node | None]:
    return g, F.TensorDot(g, jacobian, (f.dim,), (f.dim, x.dim), (0,), (0,)), None


def _slopes_jvp(tangents: Sequence[Node | None], f: Node, x: Node, jacobian: Node) -> Node | None:
    moved, along, _ = tangents
    if along is None:
        return moved
    product = F.TensorDot(jacobian, along, (f.dim, x.dim), (x.dim,), (1,), (0,))
    return product if moved is None else moved + product


register(
    Op(
        name="Slopes",
        doc="f, with J, a matrix in rows, added to its derivative for x.",
        arity=3,
        value=lambda f, x, J: f + 0.0 * (x[..., :1] + J[..., :1]),
        domain=(-2, 2),
        samples=(((2, 3, 6), ()), ((1, 3, 3), ()), ((2, 1, 2), ()), ((1, 1, 1), ())),
        dim=_slopes_dim,
        vjp=_slopes_vjp,
        jvp=_slopes_jvp,
        lower=lambda f, x, J: ir.Vector(ir.parts(f)),
        prescribed=True,
    )
)
