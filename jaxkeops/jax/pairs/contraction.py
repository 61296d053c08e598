"""Products of small tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...formula import F, Node
from ...formula.methods import joined
from .graph import Equation
from .layout import picked
from .rule import Inside, rule


@rule("dot_general")
def _dot_general(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Node:
    """Contracted axes are summed; along batch axes, one product after the other."""
    (cont_f, cont_g), (batch_f, batch_g) = equation.params["dimension_numbers"]
    shape_f, shape_g = (value.shape for value in equation.inputs)
    f, g = nodes
    if not batch_f:
        return contracted(f, g, shape_f, shape_g, cont_f, cont_g)
    each_f, inner_f, inner_cont_f = _batches(shape_f, batch_f, cont_f)
    each_g, inner_g, inner_cont_g = _batches(shape_g, batch_g, cont_g)
    return joined(
        *(
            contracted(
                picked([f], places_f),
                picked([g], places_g),
                inner_f,
                inner_g,
                inner_cont_f,
                inner_cont_g,
            )
            for places_f, places_g in zip(each_f, each_g, strict=True)
        )
    )


def _batches(
    shape: Sequence[int], batch: Sequence[int], contracted_axes: Sequence[int]
) -> tuple[np.ndarray, list[int], list[int]]:
    """The places of each batch element; its shape, and the contracted axes within it."""
    inner = [axis for axis in range(len(shape)) if axis not in batch]
    places = np.arange(int(np.prod(shape))).reshape(shape).transpose([*batch, *inner])
    count = int(np.prod([shape[axis] for axis in batch]))
    inner_shape = [shape[axis] for axis in inner]
    within = [inner.index(axis) for axis in contracted_axes]
    return places.reshape(count, -1), inner_shape, within


def contracted(
    f: Node,
    g: Node,
    shape_f: Sequence[int],
    shape_g: Sequence[int],
    cont_f: Sequence[int],
    cont_g: Sequence[int],
) -> Node:
    """The product of two tensors, summed along pairs of axes: kept axes of f first, then of g."""
    everything = list(range(len(shape_f)))
    if list(cont_f) == list(cont_g) == everything and len(shape_g) == len(shape_f):
        return f | g
    tensors = [tuple(map(int, each)) for each in (shape_f, shape_g, cont_f, cont_g)]
    return F.TensorDot(f, g, *tensors)
