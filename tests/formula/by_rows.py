"""Formulas of variables on axis i alone, row by row: by values, and as they are lowered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from oracle import evaluate

from jaxkeops import ir
from jaxkeops.formula import Call, Node, Number, Var, topological

ROWS = 5


def values(node: Node, arrays: dict[int, np.ndarray]) -> np.ndarray:
    """The values at each row, (ROWS, dim): all variables are on axis i."""
    return np.broadcast_to(evaluate(node, arrays)[:, 0, :], (ROWS, node.dim))


def lowered(node: Node, arrays: dict[int, np.ndarray]) -> np.ndarray:
    """The same by the lowering of each op, with the NumPy meaning of each instruction."""
    coords: dict[Node, Sequence[ir.Scalar]] = {}
    for part in topological([node]):
        match part:
            case Var(dim, slot, axis):
                coords[part] = [ir.load(slot, k, axis) for k in range(dim)]
            case Number(dim, value):
                coords[part] = [ir.const(value)] * dim
            case Call(op=op, args=args, params=params):
                assert op.lower is not None, op.name
                coords[part] = op.lower(*(coords[arg] for arg in args), *params)
        assert len(coords[part]) == part.dim, part
    numbers: dict[ir.Scalar, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for scalar in ir.topological(coords[node]):
            match scalar:
                case ir.Const(value=value):
                    numbers[scalar] = np.full(ROWS, value)
                case ir.Load(slot=slot, k=k):
                    numbers[scalar] = arrays[slot][:, k]
                case ir.Apply(instr=instr, operands=operands):
                    numbers[scalar] = instr.evaluate(*(numbers[operand] for operand in operands))
    return np.stack([numbers[scalar] for scalar in coords[node]], axis=-1)
