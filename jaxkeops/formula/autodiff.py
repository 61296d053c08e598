"""Differentiation of formulas: a formula in, a formula out, in both modes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .node import Call, F, Node, Var, spread, topological


def gradient(formula: Node, slots: Collection[int], g: Node) -> dict[int, Node | None]:
    """The gradients of <g, formula> for the inputs in `slots`; None where it is zero.

    Reverse mode: one walk from the formula to its variables serves all slots. Each result has
    the dim of its input.
    """
    order = topological([formula])
    active: set[Node] = set()  # what depends on one of the slots
    for node in order:
        match node:
            case Var(slot=slot) if slot in slots:
                active.add(node)
            case Call(args=args) if any(arg in active for arg in args):
                active.add(node)
    cotangents: dict[Node, Node] = {formula: spread(g, formula.dim)}
    result: dict[int, Node | None] = dict.fromkeys(slots)
    for node in reversed(order):
        if node not in active or node not in cotangents:
            continue
        cotangent = cotangents.pop(node)
        if isinstance(node, Var):
            earlier = result[node.slot]
            result[node.slot] = cotangent if earlier is None else F.Add(earlier, cotangent)
        elif isinstance(node, Call):
            assert node.op.vjp is not None, node.op.name
            contributions = node.op.vjp(cotangent, *node.args, *node.params)
            for arg, contribution in zip(node.args, contributions, strict=True):
                if arg in active and contribution is not None:
                    known = cotangents.get(arg)
                    cotangents[arg] = contribution if known is None else F.Add(known, contribution)
    return result


def differential(formula: Node, tangents: Mapping[int, Node]) -> Node | None:
    """The derivative of `formula` along `tangents`, by slot; None where it is zero.

    Forward mode: linear in all tangents at once. The result has the dim of the formula.
    """
    known: dict[Node, Node | None] = {}
    for node in topological([formula]):
        match node:
            case Var(slot=slot):
                known[node] = tangents.get(slot)
            case Call(op=op, args=args, params=params):
                moving = [known[arg] for arg in args]
                assert op.jvp is not None, op.name
                known[node] = (
                    None if all(t is None for t in moving) else op.jvp(moving, *args, *params)
                )
            case _:
                known[node] = None
    tangent = known[formula]
    return None if tangent is None else spread(tangent, formula.dim)
