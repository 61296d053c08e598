"""A reduction of an expression: found among those made before, called with the arrays it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError
from ...formula import SWAPPED, Node, Var, make_formula, swap_axes
from ...formula.node import rebuild
from ...ir import Input
from ..arrays import Arrays
from ..genred import FLAGS, Declared, GenredBase
from .frame import Frame, frame_of_all, inputs_of, spelled_kind


@lru_cache(maxsize=4096)
def reducer(
    genred: type[GenredBase],
    reduction: str,
    node: Node,
    weight: Node | None,
    kinds: tuple[str, ...],
    axis: int,
    count: int | None = None,
    options: tuple[tuple[str, Any], ...] = (),
) -> GenredBase:
    """The reduction over `axis` of a formula whose inputs are of these kinds."""
    inputs: Sequence[Input] = inputs_of(kinds)
    if axis == 0:
        node = swap_axes(node)
        weight = None if weight is None else swap_axes(weight)
        inputs = [Input(SWAPPED[given.axis], given.dim) for given in inputs]
    formula = make_formula(reduction, node, inputs, weight, count)
    names = tuple(f"input {k}, {spelled_kind(kind)}" for k, kind in enumerate(kinds))
    return genred.of(Declared(formula, names), axis, dict(options))


def with_a_row(arrays: Arrays, frame: Frame, *nodes: Node | None) -> tuple[Any, ...]:
    """The frame and formulas with one parameter as a row i, for parameters in batches alone.

    Only beside rows is it plain which axes of a parameter are batch axes.
    """
    slot = next(k for k, leaf in enumerate(frame.leaves) if leaf.batch)
    leaves = list(frame.leaves)
    leaf = leaves[slot]
    data = arrays.reshape(leaf.data, (*leaf.batch, 1, leaf.dim))
    leaves[slot] = leaf.with_data(data, "i", leaf.batch, 1)
    return frame_of_all(leaves), *(None if node is None else _as_row(node, slot) for node in nodes)


@lru_cache(maxsize=4096)
def _as_row(node: Node, slot: int) -> Node:
    row = {slot: "i"}
    return rebuild(
        node,
        lambda leaf: (
            Var(leaf.dim, leaf.slot, row.get(leaf.slot, leaf.axis))
            if isinstance(leaf, Var)
            else None
        ),
    )


def split_options(
    genred: type[GenredBase], options: dict[str, Any]
) -> tuple[tuple[tuple[str, Any], ...], dict[str, Any]]:
    """Those that say how to compute, then those of a call. Raises `ArgumentTypeError`."""
    if not options:
        return (), options
    of_calls = genred.call_options
    for name in options:
        if name not in FLAGS and name not in of_calls:
            raise ArgumentTypeError(
                f"There is no option {name!r}: a reduction takes axis or dim, call, "
                f"{', '.join((*of_calls, *FLAGS))}."
            )
    flags = tuple((name, options[name]) for name in FLAGS if name in options)
    return flags, {name: options[name] for name in of_calls if name in options}


class Reduced:
    """A reduction that was not called yet: what `call=False` gives, and expressions of arguments.

    reduced(*arrays, **options) gives it one array for each argument of the expression, in the
    order of their indices: (..., rows, D), or (..., D) for a parameter. All options of a call are
    accepted.
    """

    def __init__(
        self,
        arrays: Arrays,
        function: GenredBase,
        frame: Frame,
        options: Mapping[str, Any],
        of_complex: bool,
    ) -> None:
        self._arrays = arrays
        self._function = function
        self._frame = frame
        self._options = dict(options)
        self.is_complex = of_complex

    def __call__(self, *args: Any, **options: Any) -> Any:
        flags, options = split_options(self._arrays.genred, options)
        if flags:
            raise ArgumentTypeError(f"{flags[0][0]} is an option of the reduction, not of a call.")
        given = {**self._options, **options}
        return evaluate(self._arrays, self._function, self._frame, args, given, self.is_complex)

    @property
    def formula(self) -> str:
        """The formula as text, one op a line, in normal form: reduced over j."""
        return self._function.formula

    @property
    def reduction_op(self) -> str:
        return self._function.reduction_op

    @property
    def axis(self) -> int:
        return self._function.axis

    @property
    def symbolic_variables(self) -> tuple[tuple[int, int, int], ...]:
        """(index, dim, axis) of each argument that a call must give."""
        return tuple(
            (leaf.index or 0, leaf.dim, "ijp".index(leaf.axis)) for leaf in self._frame.arguments()
        )

    def __repr__(self) -> str:
        takes = ", ".join(spelled_kind(leaf.kind) for leaf in self._frame.arguments())
        text = self.formula.replace("\n", "\n    ")
        return f"Reduction over axis {self.axis} of ({takes})\n    {text}"


def evaluate(
    arrays: Arrays,
    function: GenredBase,
    frame: Frame,
    args: Sequence[Any],
    options: Mapping[str, Any],
    of_complex: bool,
) -> Any:
    """The results of `function` for the arrays of `frame`, and for `args` where it has none."""
    data = data_of(arrays, frame, args)
    batch = frame.batch
    padded = bool(batch) and not frame.symbolic and frame.data_rank() < len(batch)
    if padded:
        _pad(frame, data)
    results = function(*data, **options)
    if not (padded or of_complex):
        return results
    single = not isinstance(results, tuple)
    shaped = []
    for each in (results,) if single else results:
        if padded and options.get("out") is None:
            rows = (frame.M, frame.N)[1 - function.axis]
            tail = each.shape[-1:] if function._plain else function._formula.results[0].tail
            each = each.reshape((*batch, 1 if rows is None else rows, *tail))
        shaped.append(arrays.complex_view(each) if of_complex else each)
    return shaped[0] if single else tuple(shaped)


def data_of(arrays: Arrays, frame: Frame, args: Sequence[Any]) -> list[Any]:
    """An array for each leaf: its own, one of `args`, or one of its numbers."""
    data: list[Any] = [leaf.data for leaf in frame.leaves]
    dtype = frame.dtype
    if args or frame.symbolic:
        given = _arguments(arrays, frame, args)
        for slot, leaf in enumerate(frame.leaves):
            if leaf.index is not None:
                data[slot] = given[leaf.index]
                dtype = dtype or arrays.dtype(data[slot])
    like = None
    for slot, leaf in enumerate(frame.leaves):
        if leaf.dtype is None and leaf.index is None:
            if like is None:
                like = first_array(frame, data)
                dtype = dtype or arrays.default_dtype()
            if isinstance(leaf.data, float | list):
                data[slot] = arrays.argument(leaf.data, dtype, like)
            elif arrays.dtype(leaf.data) != dtype:
                data[slot] = arrays.cast(leaf.data, dtype)
    return data


def _arguments(arrays: Arrays, frame: Frame, args: Sequence[Any]) -> dict[int, Any]:
    """What a call gives, by index. Raises `ArgumentError` for another number of arrays."""
    wanted = {leaf.index: leaf.kind for leaf in frame.arguments()}
    if len(args) != len(wanted):
        listed = ", ".join(f"{index}: {spelled_kind(kind)}" for index, kind in wanted.items())
        raise ArgumentError(
            f"The expression takes {len(wanted)} arrays"
            + (f" ({listed})" if wanted else "")
            + f", got {len(args)}."
        )
    for (index, kind), arg in zip(wanted.items(), args, strict=True):
        if not arrays.is_array(arg) and not isinstance(arg, float | int):
            raise ArgumentTypeError(
                f"Argument {index}, {spelled_kind(kind)}, must be a {arrays.library}, got "
                f"{type(arg).__name__}."
            )
    return dict(zip(wanted, args, strict=True))


def first_array(frame: Frame, data: Sequence[Any]) -> Any:
    """One that says where the others are; None if there is none."""
    known = [
        x
        for x, leaf in zip(data, frame.leaves, strict=True)
        if leaf.dtype is not None or leaf.index is not None
    ]
    weak = [leaf.data for leaf in frame.leaves if hasattr(leaf.data, "shape")]
    return next(iter([*known, *weak]), None)


def _pad(frame: Frame, data: list[Any]) -> None:
    """Gives one array of rows all batch axes, where only parameters have them."""
    for slot, leaf in enumerate(frame.leaves):
        if leaf.axis != "p":
            missing = len(frame.batch) - len(leaf.batch)
            data[slot] = data[slot].reshape((1,) * missing + tuple(data[slot].shape))
            return
