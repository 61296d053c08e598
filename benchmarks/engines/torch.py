"""PyTorch: the dense form in chunks, eager and compiled, and its own attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from .. import library
from ..blocks import regrouped
from ..chunks import Cut, cut
from ..library import Library
from ..workload import Arrays, Workload
from . import Call, Engine

# Above these, a fused sum has more to keep than registers, or spills its matrix to memory.
FUSED_DIM, FUSED_WIDTH = 16, 4
FUSED_LIMIT = 500_000_000  # entries of the matrix: 2 GB, if it is not fused after all


def _squared(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    norms = (x * x).sum(-1)[..., :, None] + (y * y).sum(-1)[..., None, :]
    if x.dim() == 2:
        return torch.addmm(norms, x, y.T, alpha=-2)
    return torch.baddbmm(norms, x, y.swapaxes(-1, -2), alpha=-2)


LIBRARY = Library(
    xp=torch,
    squared=_squared,
    manhattan=lambda x, y: torch.cdist(x, y, p=1),
    chebyshev=lambda x, y: torch.cdist(x, y, p=float("inf")),
    dot=library.dot,
    total=library.weighted_sum,
    logsumexp=lambda s: torch.logsumexp(s, -1, keepdim=True),
    softmax=lambda s: torch.softmax(s, -1),
    smallest=lambda s, count: torch.topk(s, count, largest=False)[1],
)
FUSED = replace(
    LIBRARY,
    squared=library.direct_squared,
    manhattan=library.direct_manhattan,
    chebyshev=lambda x, y: torch.amax(abs(library.differences(x, y)), -1),
    dot=lambda x, y: (x[..., :, None, :] * y[..., None, :, :]).sum(-1),
    total=library.fused_sum,
)

Dense = Callable[..., torch.Tensor]


def _dense(workload: Workload, given: Library) -> Dense:
    return lambda *arrays: workload.compute(given, *arrays)


def _in_pieces(workload: Workload, dense: Dense, pieces: Cut, arrays: Arrays) -> Call:
    """Eagerly, piece by piece."""
    tensors = [torch.from_numpy(array) for array in arrays]

    def call() -> torch.Tensor:
        given = regrouped(workload, tensors) if workload.blocks is not None else tensors
        sliced, shared = pieces.split(given)
        with torch.no_grad():
            made = [
                dense(*pieces.join(piece, shared))
                for piece in zip(*(a.split(pieces.length) for a in sliced), strict=True)
            ]
        result = torch.cat(made)
        return result.flatten(0, 1) if workload.blocks is not None else result

    return call


def _with_gradients(dense: Dense, pieces: Cut, arrays: Arrays) -> Call:
    """The result and all gradients, piece by piece: gradients of what all pieces see add up."""
    tensors = [torch.from_numpy(array) for array in arrays]

    def one(given: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        leaves = [tensor.detach().requires_grad_() for tensor in given[:-1]]
        result = dense(*leaves, given[-1])
        return result.detach(), *torch.autograd.grad(result, leaves, given[-1])

    def call() -> tuple[torch.Tensor, ...]:
        sliced, shared = pieces.split(tensors)
        made = [
            one(pieces.join(piece, shared))
            for piece in zip(*(a.split(pieces.length) for a in sliced), strict=True)
        ]
        by_result = list(zip(*made, strict=True))
        joined = [torch.cat(by_result[0])]
        for cut_along, parts in zip(pieces.sliced, by_result[1:], strict=False):
            joined.append(torch.cat(parts) if cut_along else sum(parts))
        return tuple(joined)

    return call


def _eager(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    dense, pieces = _dense(workload, LIBRARY), cut(workload)
    if workload.gradients:
        return {"chunks": _with_gradients(dense, pieces, arrays)}
    return {"chunks": _in_pieces(workload, dense, pieces, arrays)}


def _compiled(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    def compile(given: Library) -> Dense:
        dense = _dense(workload, given)
        # Dynamo runs eagerly, without a word, what shares its code with eight that it has compiled.
        dense.__code__ = dense.__code__.replace(co_name=f"{workload.name}, {id(given)}")
        return torch.compile(dense, dynamic=False)

    pieces = cut(workload)
    if workload.gradients:
        return {"chunks": _with_gradients(compile(LIBRARY), pieces, arrays)}
    ways = {"chunks": _in_pieces(workload, compile(LIBRARY), pieces, arrays)}
    if _may_be_fused(workload):
        whole = Cut(pieces.sliced, pieces.length * pieces.count, 1)
        ways["fused"] = _in_pieces(workload, compile(FUSED), whole, arrays)
    return ways


def _may_be_fused(workload: Workload) -> bool:
    points = [each.dim for each in workload.arguments if each.axis == "i"]
    widths = [each.dim for each in workload.arguments if each.name == "b"]
    fits = max(points) <= FUSED_DIM and max(widths, default=1) <= FUSED_WIDTH
    M, N = workload.rows
    size = (workload.batch or 1) * M * N * workload.width
    return fits and size <= FUSED_LIMIT and workload.reduction != "ArgKMin"


def _attention(workload: Workload, arrays: Arrays) -> dict[str, Call]:
    if workload.reduction != "SumSoftMaxWeight" or workload.batch is not None:
        return {}
    q, k, v = (torch.from_numpy(array)[None, None] for array in arrays)

    def call() -> torch.Tensor:
        with torch.no_grad():
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=1.0)[0, 0]

    return {"SDPA": call}


ENGINES = (
    Engine(
        "torch",
        "torch",
        "The dense form in chunks of rows, eagerly, distances by a matrix product or "
        "`torch.cdist`. All workloads.",
        _eager,
    ),
    Engine(
        "torch.compile",
        "torch",
        "The same through `torch.compile`, and in small dimensions also the naive formula over all "
        "pairs, which Inductor fuses: the quicker of the two. All workloads.",
        _compiled,
    ),
    Engine(
        "torch SDPA",
        "torch",
        "`torch.nn.functional.scaled_dot_product_attention`. Attention.",
        _attention,
    ),
)
