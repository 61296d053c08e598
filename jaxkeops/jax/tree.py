"""Lazy tensors as pytrees: their arrays are the leaves, the formula is structure."""

from __future__ import annotations

from typing import Any

from ..frontend.lazy import Expression, Leaf, Product
from ..frontend.lazy.frame import Frame, frame_of_all

Structure = tuple[Any, ...]
NO_ARRAY = ""  # the dtype of what stands in the place of an array, so that it is none of numbers


def flatten(tensor: Expression) -> tuple[tuple[Any, ...], Structure]:
    """The arrays and numbers, then the ranges; and all else, to compare and to hash."""
    children = []
    leaves = []
    for leaf in tensor._frame.leaves:
        known = leaf.index is None and not isinstance(leaf.data, list)
        if known:
            children.append(leaf.data)
        numbers = tuple(leaf.data) if isinstance(leaf.data, list) else None
        leaves.append((leaf.axis, leaf.dim, leaf.dtype is None, leaf.index, numbers))
    ranges = tensor.ranges
    structure = (tensor._node, tuple(leaves), tensor.backend)
    return (tuple(children), ranges), structure


def unflatten(cls: type[Expression], structure: Structure, children: tuple[Any, ...]) -> Any:
    """A lazy tensor of what JAX puts in the place of the arrays: others, tracers, or anything."""
    node, leaves, backend = structure
    given = iter(children[0])
    made = tuple([_leaf(*each, given) for each in leaves])
    if any(leaf.dtype == NO_ARRAY for leaf in made):  # a tree of masks, or a part of one
        kinds = tuple([leaf.kind for leaf in made])
        frame = Frame(made, kinds, None, None, (), None, False)
    else:
        frame = frame_of_all(made)
    return cls._of(node, frame, children[1], backend)


def factors(product: Product) -> tuple[tuple[Any, Any], None]:
    """The two factors of a product."""
    return (product.left, product.right), None


def product_of(_: None, given: tuple[Any, Any]) -> Product:
    """A product of what JAX puts in the place of the factors, matrices or not."""
    made = object.__new__(Product)
    made.left, made.right = given
    return made


def _leaf(axis: str, dim: int, weak: bool, index: int | None, numbers: Any, given: Any) -> Leaf:
    if index is not None:
        return Leaf(axis, dim, None, None, index=index)
    if numbers is not None:
        return Leaf(axis, dim, list(numbers), None)
    data = next(given)
    shape = getattr(data, "shape", None)
    core = 1 if axis == "p" else 2
    if weak:
        return Leaf(axis, dim, data, None)
    dtype = getattr(getattr(data, "dtype", None), "name", None)
    if shape is None or dtype is None or len(shape) < core:
        return Leaf(axis, dim, data, NO_ARRAY)
    rows = shape[-2] if axis != "p" else None
    return Leaf(axis, dim, data, dtype, tuple(shape[:-core]), rows)
