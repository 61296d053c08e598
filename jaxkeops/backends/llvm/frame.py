"""Where the values of a program live in a function: pointers, parameters, rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ... import ir
from ...ir import COMPONENT, Centre, Column, Const, Load, Program, Scalar
from .builder import Builder
from .evaluate import Component, Known, Source, evaluate, merged, with_components
from .spelling import item_bytes, vector
from .storage import after_load, element

FEW = 8  # numbers of a row that are loaded together

# Offsets of the fields of `struct Call`, csrc/core/kernel.h, in pointers.
N_FIELD, INPUTS_FIELD, OUTPUTS_FIELD, COLUMNS_FIELD = 1, 2, 3, 4
RANGES_FIELD, RANGE_COUNT_FIELD, WORKSPACE_FIELD, PARTIALS_FIELD, PARTS_FIELD = 5, 6, 7, 8, 9


class Frame:
    """The pointers and parameters of one call, loaded at the entry of a function.

    b: the vector view; scalar: the view of width 1.
    lanes_are_columns: what lanes are, where pairs are computed; else they are rows.
    parts: the mode of the call, see `struct Call`; writes: whether it writes outputs.
    parameters: names, in all lanes, of what depends on parameters alone.
    """

    def __init__(
        self,
        b: Builder,
        program: Program,
        roots: Sequence[Scalar],
        lanes_are_columns: bool = False,
    ) -> None:
        self.b = b
        self.lanes_are_columns = lanes_are_columns
        self.scalar = b.at(width=1)
        self.program = program
        inputs, self.outputs, self.columns, self.ranges = (
            b.load(b.address("%call", str(field), "ptr"), "ptr", 8)
            for field in (INPUTS_FIELD, OUTPUTS_FIELD, COLUMNS_FIELD, RANGES_FIELD)
        )
        self.N, self.range_count, self.parts = (
            b.load(b.address("%call", str(field), "i64"), "i64", 8)
            for field in (N_FIELD, RANGE_COUNT_FIELD, PARTS_FIELD)
        )
        self.writes = b.compare_int("sge", self.parts, "0", "i64")
        order = ir.topological(roots)
        used = {leaf.slot for leaf in order if isinstance(leaf, Load | Centre)}
        self.inputs = {
            slot: b.load(b.address(inputs, str(slot), "ptr"), "ptr", 8) for slot in sorted(used)
        }
        self.centre_rows = {
            slot: self._centre_rows(slot)
            for slot in dict.fromkeys(leaf.slot for leaf in order if isinstance(leaf, Centre))
        }
        self.parameters = self._parameters(order)

    def _parameters(self, order: Sequence[Scalar]) -> Known:
        single = Known()
        single.sources[ir.PARAMETER] = self._source(self.scalar, single, self._parameter)
        for leaf in order:
            if isinstance(leaf, Load | Centre) and leaf.rate == ir.PARAMETER:
                single[leaf] = self._parameter(leaf)
        fixed = [s for s in order if s.rate == ir.PARAMETER and not isinstance(s, Const | ir.Each)]
        evaluate(self.scalar, fixed, single)
        known = Known({s: self.b.splat(single[s]) for s in fixed})
        known.sources[ir.PARAMETER] = self._source(
            self.b,
            known,
            lambda leaf, c: self.b.splat(self._parameter(leaf, c)),
        )
        return known

    def _parameter(self, leaf: Scalar, c: str = "") -> str:
        """A leaf that is the same for all pairs."""
        assert isinstance(leaf, Load | Centre), leaf
        row = self.inputs[leaf.slot]
        if isinstance(leaf, Load):
            return self._number(row, leaf, c)
        scalar, total = self.scalar, ""
        for place in self.centre_rows[leaf.slot]:
            number = self._number(place, leaf, c)
            total = scalar.add(total, number) if total else number
        return scalar.mul(total, scalar.const(0.25))

    def _centre_rows(self, slot: int) -> list[str]:
        """The four rows of an input whose mean is its centre."""
        scalar = self.scalar
        numbers = [scalar.op("mul", self.N, str(n), "i64") for n in range(1, 4)]
        later = [self.input_row(slot, scalar.op("udiv", n, "4", "i64")) for n in numbers]
        return [self.inputs[slot], *later]

    def input_row(self, slot: int, j: str) -> str:
        """Row `j` of an input."""
        index = self.scalar.op("mul", j, str(self.program.inputs[slot].dim), "i64")
        return self.scalar.address(self.inputs[slot], index, element(self.program.stored))

    @staticmethod
    def _source(b: Builder, known: Known, leaf: Source) -> Source:
        """Expressions of one rate at components, each computed once for each component."""
        names: dict[tuple[Scalar, str], str] = {}
        return lambda scalar, c: with_components(b, [scalar], known, names, c, leaf)[0]

    def _number(self, row: str, leaf: Load | Centre, c: str = "", after: int = 0) -> str:
        """The number of a leaf `after` rows after one of its input, as the program computes it."""
        scalar, stored = self.scalar, self.program.stored
        type = element(stored)
        k = leaf.k + after * self.program.inputs[leaf.slot].dim
        place = self._place(row, k, leaf.stride, c, type)
        return after_load(scalar, scalar.load(place, type, item_bytes(type)), stored)

    def _place(self, row: str, k: int, stride: int, c: str, type: str | None = None) -> str:
        """The address of number k + stride c of a row."""
        scalar = self.scalar
        if isinstance(c, Component):
            k, c = k + stride * c.offset, c.base
        if stride:
            row = scalar.address(row, scalar.op("mul", c, str(stride), "i64"), type)
        return scalar.address(row, str(k), type)

    def partials(self) -> str:
        """Where the sums over rows go: one double for each column of all of them."""
        return self.b.load(self.b.address("%call", str(PARTIALS_FIELD), "ptr"), "ptr", 8)

    def workspace(self, offset: int = 0) -> str:
        """Memory that this call has for itself, from byte `offset` on."""
        base = self.b.load(self.b.address("%call", str(WORKSPACE_FIELD), "ptr"), "ptr", 8)
        return self.b.address(base, str(offset), "i8") if offset else base

    def at_one(self, leaves: Iterable[Scalar], j: str, rate: int) -> Known:
        """What is known of row, or of column, `j`: the same in all lanes."""
        return self.at_next(leaves, j, 1, rate)[0]

    def at_next(self, leaves: Iterable[Scalar], j: str, count: int, rate: int) -> list[Known]:
        """What is known of each of `count` rows, or columns, from `j` on: the same in all lanes.

        Their addresses are one register and constants.
        """
        rows: dict[int, str] = {}

        def row(slot: int) -> str:
            if slot not in rows and slot < 0:
                index = self.scalar.op("mul", j, str(self.program.column_width), "i64")
                rows[slot] = self.scalar.address(self.columns, index)
            elif slot not in rows:
                rows[slot] = self.input_row(slot, j)
            return rows[slot]

        def number(after: int, leaf: Scalar, c: str = "") -> str:
            match leaf:
                case Load(slot=slot):
                    name = self._number(row(slot), leaf, c, after)
                case Column(k=k, stride=stride):
                    k += after * self.program.column_width
                    name = self.scalar.load(self._place(row(-1), k, stride, c))
                case _:
                    raise AssertionError(leaf)
            return self.b.splat(name)

        leaves = list(leaves)
        for leaf in leaves:
            # Here and not inside of a loop, where they may first be asked for.
            row(leaf.slot if isinstance(leaf, Load) else -1)
        return [self.with_leaves(leaves, rate, partial(number, after)) for after in range(count)]

    def at_neighbours(self, leaves: Iterable[Scalar], first: str, rate: int) -> Known:
        """What is known of a row, or of a column, for each lane, from `first` on: all are there.

        Those of few numbers are loaded whole and taken apart, which is quicker than gathering.
        """
        b, wholes = self.b, {}
        rows = lane_rows(b, first)
        every = "splat (i1 true)"

        def number(leaf: Scalar, c: str = "") -> str:
            slot = leaf.slot if isinstance(leaf, Load) else -1
            width = self.program.column_width if slot < 0 else self.program.inputs[slot].dim
            if width > FEW or leaf.rate & COMPONENT:
                return self.at_lane(leaf, c, rows, every)
            dtype = self.program.dtype if slot < 0 else self.program.stored
            type = vector(element(dtype), b.width * width)
            if slot not in wholes:
                pointer = self.columns if slot < 0 else self.inputs[slot]
                start = b.op("mul", first, str(width), "i64")
                place = b.address(pointer, start, element(dtype))
                wholes[slot] = b.load(place, type, item_bytes(element(dtype)))
            lanes = [leaf.k + width * lane for lane in range(b.width)]
            return after_load(b, b.shuffle(wholes[slot], "poison", lanes, type), dtype)

        return self.with_leaves(leaves, rate, number)

    def at_lanes(self, leaves: Iterable[Scalar], rows: str, mask: str, rate: int) -> Known:
        """What is known at each lane's own row of `rows`, i64s, of leaves of one rate.

        Rows where the mask is not set are not read: those lanes are zero.
        """

        return self.with_leaves(leaves, rate, lambda leaf, c="": self.at_lane(leaf, c, rows, mask))

    def at_lane(self, leaf: Scalar, c: str, rows: str, mask: str) -> str:
        """The number of a leaf at each lane's own row of `rows`, and zero where the mask is not."""
        b = self.b
        match leaf:
            case Load(slot=slot, k=k, stride=stride):
                pointer, width = self.inputs[slot], self.program.inputs[slot].dim
                dtype = self.program.stored
            case Column(k=k, stride=stride):
                pointer, width = self.columns, self.program.column_width
                dtype = self.program.dtype
            case _:
                raise AssertionError(leaf)
        type = element(dtype)
        where = b.addresses(pointer, cells(b, rows, width, k, stride, c), type)
        return after_load(b, b.gather(where, mask, type), dtype)

    def with_leaves(self, leaves: Iterable[Scalar], rate: int, number: Callable[..., str]) -> Known:
        """What parameters know, and the numbers of leaves of one rate."""
        known = merged(self.parameters)
        for leaf in leaves:
            if not leaf.rate & COMPONENT:
                known[leaf] = number(leaf)
        known.sources[rate] = self._source(self.b, known, number)
        return known


def leaves_at(rate: int, roots: Iterable[Scalar]) -> list[Scalar]:
    """The loads and columns among `roots` that change at `rate`, in loops or not."""
    return [
        leaf
        for leaf in ir.topological(roots)
        if isinstance(leaf, Load | Column) and leaf.rate & ~COMPONENT == rate
    ]


def lane_rows(b: Builder, first: str) -> str:
    """first, first + 1, ...: one i64 for each lane."""
    type = f"<{b.width} x i64>"
    return b.let(f"add {type} {b.splat(first, 'i64')}, {b.lane_numbers()}")


def below(b: Builder, rows: str, end: str) -> str:
    """The mask of the lanes whose row is below `end`."""
    return b.compare_int("slt", rows, b.splat(end, "i64"), f"<{b.width} x i64>")


def cells(b: Builder, rows: str, width: int, k: int, stride: int = 0, c: str = "") -> str:
    """Positions of coordinate k + stride c in rows of `width` elements."""
    type = f"<{b.width} x i64>"
    index = rows if width == 1 else b.let(f"mul {type} {rows}, splat (i64 {width})")
    if stride:
        step = c if stride == 1 else b.op("mul", c, str(stride), "i64")
        index = b.let(f"add {type} {index}, {b.splat(step, 'i64')}")
    return index if k == 0 else b.let(f"add {type} {index}, splat (i64 {k})")
