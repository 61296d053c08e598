"""Linear systems of lazy tensors: K.solve(b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError
from ...formula import Var
from ..arrays import Arrays
from ..genred import FLAGS, GenredBase
from ..kernel_solve import OPTIONS, ComplexProduct, Product, solve
from .construct import COMPLEX, leaf_of_rows
from .expression import Expression
from .frame import Frame, frame_of
from .leaf import Leaf
from .reduced import data_of, reducer

CALL_OPTIONS = (*OPTIONS, "backend", "device_id", "ranges")
OTHER_AXIS = {"i": "j", "j": "i"}


class Solves(Expression):
    """A positive definite lazy tensor, symmetric or Hermitian, is the matrix of a linear system."""

    __slots__ = ()

    def solve(self, b: Any, var: Any = None, call: bool = True, **options: Any) -> Any:
        """a with (alpha + K) a = b, an array (*batch, M, E), by conjugate gradients.

        K a is the sum over rows of this times a; or, with `var`, an argument that this is linear
        in, of this with a for `var`. b: an array (*batch, M, E), or a variable, data or argument.
        Either may be complex: K is Hermitian then.
        Options: alpha=1e-10, eps=1e-6, rtol, maxiter, preconditioner, report, backend, device_id,
        ranges, and those of `Genred` that say how to compute. With call=False, and where b or
        anything else is an argument of a call still to come, a function of these arguments.
        Warns if it does not converge. Differentiable, to any order, in the doors that are.
        """
        flags = tuple((name, options.pop(name)) for name in FLAGS if name in options)
        for name in options:
            if name not in CALL_OPTIONS:
                raise ArgumentTypeError(
                    f"There is no option {name!r}: solve takes "
                    f"{', '.join((*CALL_OPTIONS, *FLAGS))}."
                )
        given, of_complex = self._right_side(b)
        if var is None:
            index = max(self.new_variable_index(), (given.index or 0) + 1)
            axis = "ij".index(OTHER_AXIS[given.axis])
            var = self._real((index, given.dim, axis), is_complex=self.is_complex)
            system = self * var
        else:
            system = self
        unknown = var._frame.leaves[0] if isinstance(var, Expression) else None
        if unknown is None or not isinstance(var._node, Var) or unknown.index is None:
            raise ArgumentTypeError(
                "var is an argument, such as Vj(1, dim), that this is linear in."
            )
        if unknown.key not in system._frame.keys:
            raise ArgumentError("var does not occur in this expression.")
        if system._dim != given.dim:
            raise ArgumentError(
                f"solve: K a has {system._dim} coordinates, and b {given.dim}: shapes "
                f"{self._shape} and (..., {given.rows}, {given.dim})."
            )
        frame = system._frame
        try:
            together, _ = frame.joined(frame_of(given))
        except ArgumentError as error:
            raise ArgumentError(f"solve: K and b, {error}") from None
        if None not in (together.M, together.N) and together.M != together.N:
            raise ArgumentError(
                f"solve: a linear system has as many rows i as rows j, got {together.M} and "
                f"{together.N}."
            )
        over = 1 if unknown.axis == "j" else 0
        function = reducer(
            self._arrays.genred, "Sum", system._node, None, frame.kinds, over, None, flags
        )
        if self.ranges is not None:
            options.setdefault("ranges", self.ranges)
        if self.backend is not None:
            options.setdefault("backend", self.backend)
        later = LaterSolve(self._arrays, function, frame, unknown, given, options, of_complex)
        return later() if call and not later.arguments() else later

    def _right_side(self, b: Any) -> tuple[Leaf, bool]:
        """The leaf of b, on the axis of the rows that the sums are on; and if it is complex."""
        if isinstance(b, Expression):
            if not isinstance(b._node, Var) or b._node.axis == "p":
                raise ArgumentTypeError("b is rows of numbers: an array, or Vi or Vj of one.")
            if self.is_complex and not b.is_complex:
                raise ArgumentTypeError("K is complex, and b is real. Give a complex b.")
            return b._frame.leaves[0], b.is_complex
        if not self._arrays.is_array(b):
            raise ArgumentTypeError(f"b is rows of numbers: an array, got {type(b).__name__}.")
        if len(b.shape) < 2:
            raise ArgumentError(
                f"b has a row for each row of K, (..., M, E), got {tuple(b.shape)}."
            )
        if self.is_complex and self._arrays.dtype(b) not in COMPLEX:
            b = b * (1 + 0j)
        return leaf_of_rows(self._arrays, b, "i")


class LaterSolve:
    """A linear system, solved by a call: with an array for each argument, in their order."""

    def __init__(
        self,
        arrays: Arrays,
        function: GenredBase,
        frame: Frame,
        unknown: Leaf,
        b: Leaf,
        options: Mapping[str, Any],
        of_complex: bool,
    ) -> None:
        self._of_complex = of_complex
        self._arrays = arrays
        self._function = function
        self._frame = frame
        self._slot = frame.keys.index(unknown.key)
        self._unknown = unknown
        self._b = b
        self._options = dict(options)

    def arguments(self) -> list[Leaf]:
        """Those that a call gives; the unknown is none of them."""
        leaves = self._frame.joined(frame_of(self._b))[0].arguments()
        return [leaf for leaf in leaves if leaf.key != self._unknown.key]

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The solution for these arguments. Options are those of `solve`."""
        wanted = self.arguments()
        if len(args) != len(wanted):
            raise ArgumentError(f"The system takes {len(wanted)} arrays, got {len(args)}.")
        known = {leaf.key: array for leaf, array in zip(wanted, args, strict=True)}
        b = self._b.data if self._b.index is None else known[self._b.key]
        known[self._unknown.key] = b
        in_order = [known[leaf.key] for leaf in self._frame.arguments()]
        data = data_of(self._arrays, self._frame, in_order)
        given = {**self._options, **options}
        call = {
            name: given.pop(name) for name in ("backend", "device_id", "ranges") if name in given
        }
        slot, arrays = self._slot, self._arrays
        matrix = Product(self._function, slot, tuple(call.items()))
        others = (*data[:slot], *data[slot + 1 :])
        if not self._of_complex:
            return solve(arrays, matrix, others, b, **given)
        matrix = ComplexProduct(arrays, matrix)
        return solve(arrays, matrix, others, arrays.complex_view(b), **given)
