"""An expression: a formula, the inputs that it is of, and how new ones are made of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError, FormulaError, TruthWarning
from ...formula import SWAPPED, Node, Number, Var, read, swap_axes, write
from ...formula.node import rebuild
from ..arrays import Arrays
from ..ranges import check_ranges
from ..shapes import Shape
from .construct import argument, leaf_of, leaf_of_rows
from .frame import EMPTY, Frame, frame_of, frame_of_all, inputs_of
from .leaf import Leaf

Literals = tuple[Any, ...]


class Expression:
    """A vector for each pair (i, j), computed when a reduction asks for it.

    _node and _frame never change, so expressions share them. `ranges` and `backend` may be set:
    they are what the reductions of this expression, and of those made of it, are called with.
    """

    __slots__ = ("__weakref__", "_frame", "_node", "backend", "ranges")

    _arrays: ClassVar[Arrays]
    _real: ClassVar[type[Expression]]
    _complex: ClassVar[type[Expression]]
    is_complex: ClassVar[bool] = False

    _node: Node
    _frame: Frame
    ranges: tuple[Any, ...] | None
    backend: str | None

    def __new__(cls, x: Any = None, axis: int | None = None, is_complex: bool = False) -> Any:
        """What `construct.leaf_of` makes of `x`; an expression is given back."""
        if isinstance(x, Expression):
            return cls._operand(x)
        if isinstance(x, int | np.integer) and not isinstance(x, bool):
            constant = _number(cls._real, int(x))
            return constant._of(constant._node, EMPTY)
        leaf, of_complex = leaf_of(cls._arrays, x, axis)
        made = _variable_node(leaf.kind)
        if not (of_complex or is_complex or cls.is_complex):
            return cls._real._of(made, frame_of(leaf))
        if leaf.index is None and not of_complex:
            return cls._real._of(made, frame_of(leaf)).real2complex()
        if leaf.dim % 2:
            raise ArgumentError(f"Complex numbers are pairs of coordinates, got dim {leaf.dim}.")
        return cls._complex._of(made, frame_of(leaf))

    @classmethod
    def _of(cls, node: Node, frame: Frame, ranges: Any = None, backend: str | None = None) -> Self:
        self = object.__new__(cls)
        self._node = node
        self._frame = frame
        self.ranges = ranges
        self.backend = backend
        return self

    @classmethod
    def _rows(cls, array: Any, axis: str) -> Any:
        """An array (*batch, rows, D) of this door, whatever its number of rows."""
        leaf, of_complex = leaf_of_rows(cls._arrays, array, axis)
        kind = cls._complex if of_complex else cls._real
        return kind._of(_variable_node(leaf.kind), frame_of(leaf))

    @classmethod
    def _argument(cls, index: int, dim: int, axis: int) -> Any:
        """The variable that argument number `index` of a call stands for."""
        leaf = argument(index, dim, axis)
        return cls._real._of(_variable_node(leaf.kind), frame_of(leaf))

    @classmethod
    def _operand(cls, x: Any) -> Expression:
        """`x` as an expression of this door. Raises as `leaf_of` does."""
        if isinstance(x, Expression):
            if x._arrays is not cls._arrays:
                raise ArgumentTypeError(
                    f"LazyTensors of two doors do not mix: one is of {cls._arrays.library}, the "
                    f"other of {x._arrays.library}."
                )
            return x
        if isinstance(x, int | np.integer) and not isinstance(x, bool):
            return _number(cls._real, int(x))
        return cls._real(x)

    def _apply(
        self,
        what: str,
        build: Callable[..., Node],
        operands: tuple[Expression, ...],
        literals: Literals = (),
        kind: type[Expression] | None = None,
    ) -> Any:
        """build(*the formulas of operands, *literals), as an expression of their inputs.

        what: the method or operator, for messages.
        """
        kind = kind or self._real
        frame, ranges, backend = operands[0]._frame, operands[0].ranges, operands[0].backend
        maps: tuple[tuple[int, ...] | None, ...] = (None,)
        try:
            for each in operands[1:]:
                theirs = each._frame
                if theirs is frame or theirs is EMPTY:
                    maps += (None,)
                elif frame is EMPTY:
                    frame = theirs
                    maps += (None,)
                else:
                    frame, slots = frame.joined(theirs)
                    maps += (slots,)
                if each.ranges is not ranges:
                    ranges = _agreed("ranges", ranges, each.ranges)
                if each.backend is not backend:
                    backend = _agreed("backend", backend, each.backend)
            node = _built(build, tuple([each._node for each in operands]), maps, literals)
        except (ArgumentError, FormulaError) as error:
            raise _explained(what, error, operands) from None
        return kind._of(node, frame, ranges, backend)

    # What users ask of it.

    @property
    def _shape(self) -> Shape:
        """(*batch, M, N, D): always with D, and 1 for rows that there are not."""
        return self._frame.shape(self._dim)

    @property
    def shape(self) -> Shape:
        """(*batch, M, N, D), without D where it is 1."""
        shape = self._shape
        return shape[:-1] if shape[-1] == 1 else shape

    @property
    def _dim(self) -> int:
        return self._node.dim

    @property
    def ndim(self) -> int:
        """The number of coordinates D, as in PyKeOps; `dim()` is the number of axes."""
        return self._node.dim

    def dim(self) -> int:
        """The number of axes of `_shape`."""
        return len(self._frame.batch) + 3

    @property
    def dtype(self) -> str | None:
        """The name of the dtype of results; None as long as no array says."""
        return self._frame.dtype

    @property
    def ni(self) -> int | None:
        """The number of rows i; None where no array says."""
        return self._frame.M

    @property
    def nj(self) -> int | None:
        """The number of rows j; None where no array says."""
        return self._frame.N

    @property
    def batchdims(self) -> Shape | None:
        """The common batch shape; None if there is none."""
        return self._frame.batch or None

    @property
    def nbatchdims(self) -> int:
        """The number of batch axes."""
        return len(self._frame.batch)

    @property
    def axis(self) -> int | None:
        """Of a variable, 0 (rows i), 1 (rows j) or 2 (parameter); None of anything else."""
        return "ijp".index(self._node.axis) if isinstance(self._node, Var) else None

    @property
    def variables(self) -> tuple[Any, ...]:
        """The arrays and numbers that it is of, in the order of its inputs."""
        return tuple(leaf.data for leaf in self._frame.leaves if leaf.index is None)

    @property
    def symbolic_variables(self) -> tuple[tuple[int, int, int], ...]:
        """(index, dim, axis) of each argument that a call must give."""
        return tuple(
            (leaf.index or 0, leaf.dim, "ijp".index(leaf.axis)) for leaf in self._frame.arguments()
        )

    def new_variable_index(self) -> int:
        """The first index that no argument has."""
        return 1 + max((index for index, _, _ in self.symbolic_variables), default=-1)

    @property
    def formula(self) -> str:
        """The formula as text, one op a line."""
        return write("Sum", [self._node], inputs_of(self._frame.kinds)).split("\n", 2)[2]

    @property
    def T(self) -> Self:
        """The same with i and j exchanged."""
        leaves = [
            leaf
            if leaf.axis == "p"
            else Leaf(
                SWAPPED[leaf.axis],
                leaf.dim,
                leaf.data,
                leaf.dtype,
                leaf.batch,
                leaf.rows,
                leaf.index,
                leaf.source,
            )
            for leaf in self._frame.leaves
        ]
        kinds = tuple(leaf.kind for leaf in leaves)
        old = self._frame
        frame = Frame(tuple(leaves), kinds, old.N, old.M, old.batch, old.dtype, old.symbolic)
        ranges = None if self.ranges is None else check_ranges(self.ranges)
        ranges = ranges and (*ranges[3:], *ranges[:3])
        return self._of(_transposed(self._node), frame, ranges, self.backend)

    def t(self) -> Self:
        """The same with i and j exchanged."""
        return self.T

    def __repr__(self) -> str:
        dtype = self._frame.dtype or "of no dtype yet"
        arguments = "".join(
            f"\n    argument {index}: {'ijp'[axis]}, dim {dim}"
            for index, dim, axis in self.symbolic_variables
        )
        text = "\n    ".join(self.formula.split("\n"))
        return f"{type(self).__name__} of shape {self.shape}, {dtype}{arguments}\n    {text}"

    def __bool__(self) -> bool:
        # Programs written for PyKeOps, whose lazy tensors are true without a word, rely on it.
        warnings.warn(
            "A LazyTensor has a value for each pair, and counts as true whatever they are. Reduce "
            "it first, as in K.max(1); to ask whether there is one, write K is not None.",
            TruthWarning,
            stacklevel=2,
        )
        return True

    __iter__ = None  # or Python would take coordinates until one is refused
    __hash__ = None  # == compares values, so it says nothing about objects

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise ArgumentTypeError(
            f"object of class {type(self).__name__} cannot be made into an array: that would form "
            "all its pairs. If you want them, call its method dense()."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        kinds = self._frame.kinds
        text = write("Sum", [self._node], inputs_of(kinds))
        leaves = [
            (leaf.axis, leaf.dim, leaf.data, leaf.dtype, leaf.batch, leaf.rows, leaf.index)
            for leaf in self._frame.leaves
        ]
        return _unpickled, (type(self), text, leaves, self.ranges, self.backend)


def _unpickled(
    cls: type[Expression], text: str, leaves: list[Any], ranges: Any, backend: str | None
) -> Expression:
    _, node, *_ = read(text)
    return cls._of(node, frame_of_all([Leaf(*each) for each in leaves]), ranges, backend)


@lru_cache(maxsize=4096)
def _number(cls: type[Expression], value: int) -> Expression:
    """A number that is part of the formula."""
    try:
        return cls._of(Number(1, float(value)), EMPTY)
    except OverflowError:
        raise ArgumentError(f"The number {value} is out of range.") from None


@lru_cache(maxsize=4096)
def _variable_node(kind: str) -> Var:
    return Var(int(kind[1:]), 0, kind[0])


@lru_cache(maxsize=4096)
def _transposed(node: Node) -> Node:
    return swap_axes(node)


# An expression that was made before is looked up, not made again: its formula is one object
# wherever it is made of the same parts, so the reductions that were compiled for it are found.
@lru_cache(maxsize=1 << 15)
def _built(
    build: Callable[..., Node],
    nodes: tuple[Node, ...],
    maps: tuple[tuple[int, ...] | None, ...],
    literals: Literals,
) -> Node:
    return build(*map(renumbered, nodes, maps), *literals)


def renumbered(node: Node, slots: tuple[int, ...] | None) -> Node:
    """The formula with slots[k] for slot k."""
    if slots is None or slots == tuple(range(len(slots))):
        return node
    return rebuild(
        node,
        lambda leaf: Var(leaf.dim, slots[leaf.slot], leaf.axis) if isinstance(leaf, Var) else None,
    )


def _agreed(attribute: str, one: Any, other: Any) -> Any:
    """The one of both that is not None. Raises `ArgumentError` if they are two."""
    if one is None or other is None:
        return other if one is None else one
    if attribute == "ranges" or one != other:
        raise ArgumentError(
            f"its operands have each their own {attribute}. Set it on one of them, or on what is "
            "made of them."
        )
    return one


def _explained(what: str, error: Exception, operands: tuple[Expression, ...]) -> Exception:
    """The error, with what was asked for and the shapes of its operands."""
    shapes = " and ".join(str(each._shape) for each in operands)
    return type(error)(f"{what}: {error}\n    Shapes (..., M, N, D): {shapes}.")


def variable(cls: type[Expression], x: Any, dim: int | None, axis: int) -> Any:
    """What Vi, Vj and Pm give: `x` on that axis, or argument `x` of a call, of `dim`."""
    if dim is not None:
        return cls._argument(x, dim, axis)
    if isinstance(x, tuple) and len(x) == 2:
        return cls._argument(*x, axis)
    return cls(x, axis=axis)
