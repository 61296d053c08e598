"""Reductions as methods of lazy tensors: over rows i, over rows j, or within the coordinates."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError, ArgumentTypeError
from ...formula import whole_count
from ...formula.methods import reduced_coordinates
from .expression import Expression
from .frame import frame_of
from .leaf import Leaf
from .reduced import Reduced, evaluate, reducer, split_options, with_a_row


def _first(one: Any, other: Any) -> Any:
    return one


def _second(one: Any, other: Any) -> Any:
    return other


class Reductions(Expression):
    """Each takes `axis` or, in its place, `dim`: with B batch axes, B reduces over i and B + 1
    over j; -3 and -2 do, too. The result is an array (*batch, rows, D).

    call=False gives a `Reduced`, to be called later; so does an expression of arguments that are
    still to come. Other options: backend, device_id, ranges and out, of JAX arrays also ring, as in
    a call of `Genred`, and those of its constructor that say how to compute.
    """

    __slots__ = ()

    def _rows_axis(self, name: str, axis: Any, dim: Any) -> int:
        given = axis if dim is None else dim
        batch = len(self._frame.batch)
        if given is None:
            raise ArgumentTypeError(
                f"{name} needs an axis: {batch} reduces over rows i, {batch + 1} over rows j."
            )
        if given in (-3, -2) or given in (batch, batch + 1):
            return given + 3 if given < 0 else given - batch
        raise ArgumentError(
            f"{name} of a LazyTensor of shape {self._shape}: axis {batch} is rows i and axis "
            f"{batch + 1} rows j, got {given!r}."
        )

    def reduction(
        self,
        reduction_op: str,
        other: Any = None,
        opt_arg: int | None = None,
        axis: int | None = None,
        dim: int | None = None,
        call: bool = True,
        is_complex: bool | None = None,
        **options: Any,
    ) -> Any:
        """The reduction of this name of the formula language.

        other: the weights. opt_arg: the K of the K-min family. is_complex: of the result; by
        default, if one of the two is.
        """
        over = self._rows_axis(reduction_op, axis, dim)
        node, frame, ranges, backend, weight = (
            self._node,
            self._frame,
            self.ranges,
            self.backend,
            None,
        )
        of_complex = self.is_complex
        if other is not None:
            weights = self._operand(other)
            joined = self._apply(reduction_op, _first, (self, weights))
            frame, ranges, backend = joined._frame, joined.ranges, joined.backend
            weight = self._apply(reduction_op, _second, (self, weights))._node
            of_complex = of_complex or weights.is_complex
        if not frame.leaves:  # a formula of numbers alone still needs an input, to say the dtype
            frame = frame_of(Leaf("p", 1, 0.0, None))
        if frame.batch and not frame.has_rows():
            frame, node, weight = with_a_row(self._arrays, frame, node, weight)
        flags, given = split_options(self._arrays.genred, options)
        count = whole_count(opt_arg)
        function = reducer(
            self._arrays.genred, reduction_op, node, weight, frame.kinds, over, count, flags
        )
        if ranges is not None and given.get("ranges") is None:
            given["ranges"] = ranges
        if backend is not None and "backend" not in given:
            given["backend"] = backend
        of_complex = of_complex if is_complex is None else is_complex
        if call and not frame.symbolic:
            return evaluate(self._arrays, function, frame, (), given, of_complex)
        return Reduced(self._arrays, function, frame, given, of_complex)

    def _rows_or_coordinates(self, name: str, axis: Any, dim: Any, options: dict[str, Any]) -> Any:
        given = axis if dim is None else dim
        if given == -1 or given == self.dim() - 1:
            if options:
                raise ArgumentTypeError(
                    f"{name} over the coordinates, the last axis, takes no options, got "
                    f"{', '.join(options)}. To reduce over rows give axis or dim."
                )
            return self._apply(name.lower(), reduced_coordinates(name), (self,))
        return self.reduction(name, axis=axis, dim=dim, **options)

    def sum(self, axis: int = -1, dim: int | None = None, **options: Any) -> Any:
        """The sum over rows; by default over the coordinates, lazily."""
        return self._rows_or_coordinates("Sum", axis, dim, options)

    def sum_reduction(self, axis: int | None = None, dim: int | None = None, **options: Any) -> Any:
        """The sum over rows."""
        return self.reduction("Sum", axis=axis, dim=dim, **options)

    def min(self, axis: int = -1, dim: int | None = None, **options: Any) -> Any:
        """The least value over rows; by default over the coordinates, lazily."""
        return self._rows_or_coordinates("Min", axis, dim, options)

    def min_reduction(self, axis: int | None = None, dim: int | None = None, **options: Any) -> Any:
        """The least value over rows."""
        return self.reduction("Min", axis=axis, dim=dim, **options)

    def max(self, axis: int = -1, dim: int | None = None, **options: Any) -> Any:
        """The greatest value over rows; by default over the coordinates, lazily."""
        return self._rows_or_coordinates("Max", axis, dim, options)

    def max_reduction(self, axis: int | None = None, dim: int | None = None, **options: Any) -> Any:
        """The greatest value over rows."""
        return self.reduction("Max", axis=axis, dim=dim, **options)

    def argmin(self, axis: int = -1, dim: int | None = None, **options: Any) -> Any:
        """The row of the least value; by default its coordinate, lazily. Of equals the first."""
        return self._rows_or_coordinates("ArgMin", axis, dim, options)

    def argmin_reduction(
        self, axis: int | None = None, dim: int | None = None, **options: Any
    ) -> Any:
        """The row of the least value, of equals the first."""
        return self.reduction("ArgMin", axis=axis, dim=dim, **options)

    def argmax(self, axis: int = -1, dim: int | None = None, **options: Any) -> Any:
        """The row of the greatest value; by default its coordinate, lazily. Of equals the first."""
        return self._rows_or_coordinates("ArgMax", axis, dim, options)

    def argmax_reduction(
        self, axis: int | None = None, dim: int | None = None, **options: Any
    ) -> Any:
        """The row of the greatest value, of equals the first."""
        return self.reduction("ArgMax", axis=axis, dim=dim, **options)

    def min_argmin(self, axis: int | None = None, dim: int | None = None, **options: Any) -> Any:
        """The least value over rows, and its row: two arrays."""
        return self.reduction("Min_ArgMin", axis=axis, dim=dim, **options)

    min_argmin_reduction = min_argmin

    def max_argmax(self, axis: int | None = None, dim: int | None = None, **options: Any) -> Any:
        """The greatest value over rows, and its row: two arrays."""
        return self.reduction("Max_ArgMax", axis=axis, dim=dim, **options)

    max_argmax_reduction = max_argmax

    def Kmin(self, K: int, axis: int | None = None, dim: int | None = None, **options: Any) -> Any:
        """The K least values over rows, ascending."""
        return self.reduction("KMin", opt_arg=K, axis=axis, dim=dim, **options)

    Kmin_reduction = Kmin

    def argKmin(
        self, K: int, axis: int | None = None, dim: int | None = None, **options: Any
    ) -> Any:
        """The rows of the K least values."""
        return self.reduction("ArgKMin", opt_arg=K, axis=axis, dim=dim, **options)

    argKmin_reduction = argKmin

    def Kmin_argKmin(
        self, K: int, axis: int | None = None, dim: int | None = None, **options: Any
    ) -> Any:
        """The K least values over rows, and their rows: two arrays."""
        return self.reduction("KMin_ArgKMin", opt_arg=K, axis=axis, dim=dim, **options)

    Kmin_argKmin_reduction = Kmin_argKmin

    def logsumexp(
        self,
        axis: int | None = None,
        dim: int | None = None,
        weight: Any = None,
        **options: Any,
    ) -> Any:
        """log(sum(exp(self))) over rows; or log(sum(exp(self) weight)), also spelled `other`."""
        other = options.pop("other", None)
        weight = other if weight is None else weight
        return self.reduction("LogSumExp", other=weight, axis=axis, dim=dim, **options)

    logsumexp_reduction = logsumexp

    def sumsoftmaxweight(
        self, weight: Any, axis: int | None = None, dim: int | None = None, **options: Any
    ) -> Any:
        """The mean of `weight` over rows, weighted by the softmax of this."""
        return self.reduction("SumSoftMaxWeight", other=weight, axis=axis, dim=dim, **options)

    sumsoftmaxweight_reduction = sumsoftmaxweight

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise ArgumentError(
            "A LazyTensor is called after a reduction only, as in K.sum_reduction(axis=1)(x, y)."
        )
