"""What `torch.compile` puts in its graphs; imported only then, as Dynamo takes seconds."""

from __future__ import annotations

import torch

from ..formula import formula_of
from .arguments import complete
from .derivatives import Tensors
from .function import reduce


@torch.compiler.allow_in_graph
def reduce_in_graph(
    text: str, names: tuple[str, ...], arrays: tuple[torch.Tensor, ...], ranges: Tensors
) -> Tensors:
    """The results of the formula of this text, as one node of Dynamo's graph.

    Dynamo does not trace autograd functions that have a `jvp`; the later stages trace through
    this node, and see the derivatives.
    """
    formula = formula_of(text)
    return reduce(formula, complete(formula, names, arrays), ranges)
