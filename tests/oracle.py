"""The dense oracle: formulas on all pairs at once, in float64, by the values of their ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxkeops.formula.node import Call, Node, Number, Var, topological, variables


def evaluate(
    node: Node,
    arrays: Mapping[int, np.ndarray],
    declared: Sequence[Var] | None = None,
    move: Callable[[Call, np.ndarray], np.ndarray] = lambda part, value: value,
) -> np.ndarray:
    """The values of `node` at all pairs, of shape (..., M, N, dim).

    arrays: by slot; (..., M, D) on axis i, (..., N, D) on axis j, (..., D) for a parameter.
    Batch dimensions broadcast. M and N are read from all variables in `declared`, by default
    those that occur; where there is none on an axis, its extent is 1.
    move: what becomes of the value of each op before others take it, to try what roundings do.
    """
    if declared is None:
        declared = list(variables(node).values())
    on_pairs = {var.slot: _on_pairs(np.asarray(arrays[var.slot], float), var) for var in declared}
    values: dict[Node, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for part in topological([node]):
            match part:
                case Var(slot=slot):
                    values[part] = on_pairs[slot]
                case Number(dim, value):
                    values[part] = np.full((1, 1, dim), value)
                case Call(op=op, args=args, params=params):
                    value = np.asarray(op.value(*(values[arg] for arg in args), *params))
                    values[part] = move(part, value)
    rows = np.broadcast_shapes((1, 1), *(array.shape[:-1] for array in on_pairs.values()))
    return np.broadcast_to(values[node], (*rows, node.dim))


def _on_pairs(array: np.ndarray, var: Var) -> np.ndarray:
    assert array.shape[-1] == var.dim, (array.shape, var)
    match var.axis:
        case "i":
            return array[..., :, None, :]
        case "j":
            return array[..., None, :, :]
    return array[..., None, None, :]
