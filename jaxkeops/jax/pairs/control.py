"""Loops whose length is known, written out; branches, all computed and one chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...formula import F, Node
from ...formula.methods import joined
from .graph import Equation, graph_of
from .layout import picked
from .rule import Inside, Unmapped, refuse, rule

# Equations that a loop may become.
MOST_EQUATIONS = 4096

refuse(
    {
        "while": "A loop that ends when its values say so has no formula. Give it a fixed count, "
        "as in jax.lax.fori_loop(0, 8, ...), or compute it before.",
        "pure_callback": "A formula cannot call Python. Call it before, on the rows.",
        "debug_callback": "A formula cannot print: print what goes in, or what comes out.",
        "io_callback": "A formula cannot call Python. Call it before, on the rows.",
        "top_k": "The greatest of many numbers have no formula: jnp.sort sorts 16 at most; over "
        "rows there is reduction='argkmin'.",
        "conv_general_dilated": "A convolution for each pair has no formula. Convolve before.",
        "random_bits": "A formula has no random numbers: draw them before.",
        "threefry2x32": "A formula has no random numbers: draw them before.",
    }
)


@rule("cond")
def _cond(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    """As under vmap, every branch is computed for every pair."""
    which, *operands = nodes
    first, *others = (
        inside.translate(graph_of(branch), operands) for branch in equation.params["branches"]
    )
    chosen = list(first)
    for k, branch in enumerate(others, 1):
        chosen = [
            F.IfLess(k - 0.5, which, new, old) for new, old in zip(branch, chosen, strict=True)
        ]
    return chosen


@rule("scan")
def _scan(equation: Equation, nodes: Sequence[Node], inside: Inside) -> Sequence[Node]:
    params = equation.params
    step, length = graph_of(params["jaxpr"]), params["length"]
    if length * len(step.equations) > MOST_EQUATIONS:
        raise Unmapped(
            "scan",
            f"Its {length} steps of {len(step.equations)} equations are too many to be written "
            f"out: at most {MOST_EQUATIONS} in all.",
        )
    fixed, carried = params["num_consts"], params["num_carry"]
    constants, carry = list(nodes[:fixed]), list(nodes[fixed : fixed + carried])
    arrays = nodes[fixed + carried :]
    order = range(length)
    made: list[list[Node]] = [[] for _ in step.outputs[carried:]]
    for k in reversed(order) if params["reverse"] else order:
        rows = [picked([array], np.arange(array.dim).reshape(length, -1)[k]) for array in arrays]
        results = inside.translate(step, [*constants, *carry, *rows])
        carry = results[:carried]
        for one, found in zip(made, results[carried:], strict=True):
            one.append(found)
    stacked = [joined(*(each[::-1] if params["reverse"] else each)) for each in made]
    return [*carry, *stacked]
