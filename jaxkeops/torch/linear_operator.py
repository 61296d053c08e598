"""Lazy tensors as operators of GPyTorch's library `linear_operator`, which must be installed."""

from __future__ import annotations

from typing import Any

import torch
from linear_operator import LinearOperator

from ..errors import ArgumentError, ArgumentTypeError
from ..frontend.lazy.frame import frame_of_all
from ..frontend.lazy.leaf import Leaf
from .arrays import TorchArrays
from .lazy import LazyTensor

_ARRAYS = TorchArrays()
EVERYTHING = slice(None, None, None)


class LazyLinearOperator(LinearOperator):
    """The matrix of a lazy tensor, for solves, log-determinants and all else of LinearOperator.

    LazyLinearOperator(lazy=K), K: (*batch, M, N), is made of the tensors of K, and results have
    gradients for them. Products take time M * N; `to_dense` forms the values. Pairs that the
    ranges of K leave out are zeros; rows and columns of such a K cannot be picked.
    Raises `ArgumentError` or `ArgumentTypeError` for what is no matrix of real numbers.
    """

    def __init__(self, *tensors: torch.Tensor, lazy: LazyTensor) -> None:
        """tensors: by default those of `lazy`; others take their place, as the library asks for.

        Of each, the batch axes come first, as many as `lazy` has.
        """
        _check_matrix(lazy)
        given = tensors or _tensors(lazy)
        super().__init__(*given, lazy=lazy)
        self.lazy = _of(lazy, given)

    def _size(self) -> torch.Size:
        return torch.Size(self.lazy._shape[:-1])

    def _matmul(self, rhs: torch.Tensor) -> torch.Tensor:
        return self.lazy @ rhs

    def _transpose_nonbatch(self) -> LazyLinearOperator:
        return LazyLinearOperator(lazy=self.lazy.T)

    def _diagonal(self) -> torch.Tensor:
        return self.lazy.diagonal()

    def to_dense(self) -> torch.Tensor:
        """All values, (*batch, M, N)."""
        return self.lazy.dense()

    def _getitem(self, row_index: Any, col_index: Any, *batch_indices: Any) -> LinearOperator:
        moved = self.lazy
        if any(not _is_everything(index) for index in batch_indices):
            moved = _of(moved, self._indexed(batch_indices))
        if not _is_everything(row_index):
            moved = moved.rows(row_index)
        if not _is_everything(col_index):
            moved = moved.columns(col_index)
        return LazyLinearOperator(lazy=moved)

    def _get_indices(self, row_index: Any, col_index: Any, *batch_indices: Any) -> torch.Tensor:
        """The values at pairs: each is a batch element of one row and one column."""
        if self.lazy.ranges is not None:  # they count the rows of the whole matrix
            return self.to_dense()[(*batch_indices, row_index, col_index)]
        every = torch.broadcast_tensors(row_index, col_index, *batch_indices)
        rows, columns, *batch = (index.reshape(-1) for index in every)
        leaves = []
        for leaf, tensor in zip(_leaves(self.lazy), self._expanded(), strict=True):
            if leaf.axis == "p":
                leaves.append(tensor[tuple(batch)] if batch else tensor)
            else:
                picked = rows if leaf.axis == "i" else columns
                leaves.append(tensor[(*batch, picked)].unsqueeze(-2))
        return _of(self.lazy, leaves).dense().reshape(every[0].shape)

    def _expanded(self) -> list[torch.Tensor]:
        """The tensors with the full extents of the batch axes: views."""
        batch = self.batch_shape
        return [tensor.expand(*batch, *tensor.shape[len(batch) :]) for tensor in self._args]

    def _indexed(self, batch_indices: tuple[Any, ...]) -> list[torch.Tensor]:
        return [tensor[batch_indices] for tensor in self._expanded()]


def _check_matrix(lazy: Any) -> None:
    if not isinstance(lazy, LazyTensor):
        raise ArgumentTypeError(
            "A LazyLinearOperator is made of a real LazyTensor of PyTorch, got "
            f"{type(lazy).__name__}. For a product, multiply operators."
        )
    if lazy._shape[-1] != 1 or lazy.symbolic_variables:
        raise ArgumentError(
            f"A matrix has the shape (*batch, M, N), got {lazy.shape} with "
            f"{len(lazy.symbolic_variables)} arguments still to come. Sum over coordinates first, "
            "as in K.sum(-1), and give the arrays."
        )
    if not _leaves(lazy):
        raise ArgumentError("A matrix of numbers alone has no tensors: it needs one.")


def _leaves(lazy: LazyTensor) -> list[Leaf]:
    """Those that are tensors; numbers stay as they are."""
    return [leaf for leaf in lazy._frame.leaves if isinstance(leaf.data, torch.Tensor)]


def _tensors(lazy: LazyTensor) -> list[torch.Tensor]:
    """The tensors of a lazy tensor, of one dtype, each with all batch axes, of extent 1 or more."""
    rank = lazy.nbatchdims
    found = []
    for leaf in _leaves(lazy):
        tensor = leaf.data if leaf.dtype is not None else _of_one_number(lazy, leaf.data)
        core = 1 if leaf.axis == "p" else 2
        missing = rank + core - tensor.dim()
        found.append(tensor.reshape((1,) * missing + tuple(tensor.shape)))
    return found


def _of_one_number(lazy: LazyTensor, number: torch.Tensor) -> torch.Tensor:
    """A tensor of no axis as a parameter of the dtype of the others."""
    return _ARRAYS.cast(number, lazy.dtype or _ARRAYS.dtype(number)).reshape(1)


def _of(lazy: LazyTensor, tensors: Any) -> LazyTensor:
    """The lazy tensor of these tensors: (*batch, rows, D), or (*batch, D) of a parameter."""
    given = iter(tensors)
    made = []
    for leaf in lazy._frame.leaves:
        if not isinstance(leaf.data, torch.Tensor):
            made.append(leaf)
            continue
        tensor = next(given)
        core = 1 if leaf.axis == "p" else 2
        rows = None if leaf.axis == "p" else tensor.shape[-2]
        batch = tuple(tensor.shape[:-core])
        made.append(Leaf(leaf.axis, leaf.dim, tensor, _ARRAYS.dtype(tensor), batch, rows))
    return lazy._of(lazy._node, frame_of_all(made), lazy.ranges, lazy.backend)


def _is_everything(index: Any) -> bool:
    return isinstance(index, slice) and index == EVERYTHING
