"""Where the values of a program live in a function: which name each expression has, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ... import ir
from ...ir import Apply, Column, Const, Load, Program, Scalar
from .builder import Builder
from .math import SPELLING
from .spelling import item_bytes
from .storage import after_load, element

Known = dict[Scalar, str]

# Offsets of the fields of `struct Call`, csrc/core/kernel.h, in pointers.
N_FIELD, INPUTS_FIELD, OUTPUTS_FIELD, COLUMNS_FIELD = 1, 2, 3, 4
RANGES_FIELD, RANGE_COUNT_FIELD, WORKSPACE_FIELD, PARTIALS_FIELD = 5, 6, 7, 8


class Frame:
    """The pointers and parameters of one call, loaded at the entry of a function.

    b: the vector view; scalar: the view of width 1.
    parameters: names, in all lanes, of what depends on parameters alone.
    """

    def __init__(self, b: Builder, program: Program, roots: Sequence[Scalar]) -> None:
        self.b = b
        self.scalar = b.at(width=1)
        self.program = program
        inputs, self.outputs, self.columns, self.ranges = (
            b.load(b.address("%call", str(field), "ptr"), "ptr", 8)
            for field in (INPUTS_FIELD, OUTPUTS_FIELD, COLUMNS_FIELD, RANGES_FIELD)
        )
        self.N, self.range_count = (
            b.load(b.address("%call", str(field), "i64"), "i64", 8)
            for field in (N_FIELD, RANGE_COUNT_FIELD)
        )
        order = ir.topological(roots)
        used = {leaf.slot for leaf in order if isinstance(leaf, Load)}
        self.inputs = {
            slot: b.load(b.address(inputs, str(slot), "ptr"), "ptr", 8) for slot in sorted(used)
        }
        self.parameters = self._parameters(order)

    def _parameters(self, order: Sequence[Scalar]) -> Known:
        names: Known = {}
        for leaf in order:
            if isinstance(leaf, Load) and leaf.rate == ir.PARAMETER:
                names[leaf] = self._number(self.inputs[leaf.slot], leaf.k)
        fixed = [s for s in order if s.rate == ir.PARAMETER and not isinstance(s, Const)]
        evaluate(self.scalar, fixed, names)
        return {s: self.b.splat(names[s]) for s in fixed}

    def _number(self, row: str, k: int) -> str:
        """Number `k` of a row of an input, as the program computes with it."""
        scalar, stored = self.scalar, self.program.stored
        type = element(stored)
        loaded = scalar.load(scalar.address(row, str(k), type), type, item_bytes(type))
        return after_load(scalar, loaded, stored)

    def partials(self) -> str:
        """Where the sums over rows go: one double for each column of all of them."""
        return self.b.load(self.b.address("%call", str(PARTIALS_FIELD), "ptr"), "ptr", 8)

    def workspace(self) -> str:
        """Memory that this call has for itself."""
        return self.b.load(self.b.address("%call", str(WORKSPACE_FIELD), "ptr"), "ptr", 8)

    def at_columns(self, leaves: Iterable[Scalar], j: str) -> Known:
        """The leaves that change with the column, at column `j`, the same in all lanes."""
        scalar, names = self.scalar, {}
        rows: dict[int, str] = {}
        for leaf in leaves:
            match leaf:
                case Load(slot=slot, k=k):
                    dim = self.program.inputs[slot].dim
                    if slot not in rows:
                        index = scalar.op("mul", j, str(dim), "i64")
                        type = element(self.program.stored)
                        rows[slot] = scalar.address(self.inputs[slot], index, type)
                    names[leaf] = self._number(rows[slot], k)
                case Column(k=k):
                    if -1 not in rows:
                        index = scalar.op("mul", j, str(len(self.program.columns)), "i64")
                        rows[-1] = scalar.address(self.columns, index)
                    names[leaf] = scalar.load(scalar.address(rows[-1], str(k)))
        return {leaf: self.b.splat(name) for leaf, name in names.items()}

    def at_lanes(self, leaves: Iterable[Scalar], rows: str, mask: str) -> Known:
        """The leaves that change with the row, each lane at its own row of `rows`, i64s.

        Rows where the mask is not set are not read: those lanes are zero.
        """
        b, names = self.b, {}
        for leaf in leaves:
            match leaf:
                case Load(slot=slot, k=k):
                    pointer, width = self.inputs[slot], self.program.inputs[slot].dim
                    dtype = self.program.stored
                case Column(k=k):
                    pointer, width = self.columns, len(self.program.columns)
                    dtype = self.program.dtype
                case _:
                    raise AssertionError(leaf)
            type = element(dtype)
            where = b.addresses(pointer, cells(b, rows, width, k), type)
            names[leaf] = after_load(b, b.gather(where, mask, type), dtype)
        return names


def evaluate(b: Builder, roots: Iterable[Scalar], known: Known) -> list[str]:
    """The names of `roots` in view `b`; `known` gives leaves, and takes what is computed."""
    roots = list(roots)
    for scalar in ir.topological(roots):
        if scalar in known:
            continue
        match scalar:
            case Const(value=value):
                known[scalar] = b.const(value)
            case Apply(instr=instr, operands=operands):
                known[scalar] = SPELLING[instr.name](b, *(known[o] for o in operands))
            case _:
                raise AssertionError(scalar)
    return [known[root] for root in roots]


def leaves_at(rate: int, roots: Iterable[Scalar]) -> list[Scalar]:
    """The loads and columns among `roots` that change at `rate`."""
    return [
        leaf
        for leaf in ir.topological(roots)
        if isinstance(leaf, Load | Column) and leaf.rate == rate
    ]


def lane_rows(b: Builder, first: str) -> str:
    """first, first + 1, ...: one i64 for each lane."""
    type = f"<{b.width} x i64>"
    return b.let(f"add {type} {b.splat(first, 'i64')}, {b.lane_numbers()}")


def below(b: Builder, rows: str, end: str) -> str:
    """The mask of the lanes whose row is below `end`."""
    return b.compare_int("slt", rows, b.splat(end, "i64"), f"<{b.width} x i64>")


def cells(b: Builder, rows: str, width: int, k: int) -> str:
    """Positions of coordinate `k` in rows of `width` elements."""
    type = f"<{b.width} x i64>"
    index = rows if width == 1 else b.let(f"mul {type} {rows}, splat (i64 {width})")
    return index if k == 0 else b.let(f"add {type} {index}, splat (i64 {k})")


def merged(*parts: Mapping[Scalar, str]) -> Known:
    """Names from several places, as one table that may grow by itself."""
    known: Known = {}
    for part in parts:
        known.update(part)
    return known
