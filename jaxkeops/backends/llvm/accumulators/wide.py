"""Sums of more components than there are registers: a tile of columns for a few of them at once.

A tile is gone through twice. First its pairs are computed, and what the sums take of them is kept;
then, for a few components after the other, all columns of the tile are added up in registers.
This is the update of a matrix by a product of two, with any expression in place of the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .... import ir
from ....ir import COLUMN, COMPONENT, Each, Scalar
from ..evaluate import Component, Known, add_component, component, merged, prepare
from ..frame import Frame, leaves_at
from ..layout import Layout
from .totals import Totals
from .walk import Tile


class Wide:
    """The sums of `wide`, whose states are in memory, for some vectors of rows.

    wide: roots, by the number of their first state.
    kept: the expressions of pairs that they take, in the order of the memory.
    """

    def __init__(
        self,
        frame: Frame,
        layout: Layout,
        wide: Mapping[int, Each],
        kept: Sequence[Scalar],
        vectors: int,
    ) -> None:
        self.frame = frame
        self.wide = wide
        self.kept = kept
        self.vectors = vectors
        self.totals = Totals(frame.b, vectors)
        self.offset = layout.totals
        self.memory = frame.workspace(layout.totals)
        self.pairs = frame.workspace(layout.pairs)

    def start(self) -> None:
        """Makes all sums zero."""
        for first, root in self.wide.items():
            with self.frame.b.loop("0", str(root.count), nonempty=True) as turns:
                zeros = [value for _, value in self.totals.start()]
                self._store(self._state(first, turns.index), zeros)

    def keep(self, tile_start: str, j: str, vector: int, names: Sequence[str]) -> None:
        """Keeps what `kept` is at column `j` for one vector of rows."""
        b = self.frame.b
        for k, name in enumerate(names):
            b.store(name, self._pair(tile_start, j, k, vector), b.type)

    def add_tile(self, rows: Sequence[Known], tile: Tile) -> None:
        """Adds the columns of a tile, whose pairs have been kept, to all sums."""
        for first, root in self.wide.items():
            each = self.frame.program.schedule.components
            whole = root.count // each * each
            if whole:
                with self.frame.b.loop("0", str(whole), str(each), nonempty=True) as blocks:
                    self._add_block(rows, tile, first, root, blocks.index, each)
            if whole < root.count:
                self._add_block(rows, tile, first, root, str(whole), root.count - whole)

    def _add_block(
        self, rows: Sequence[Known], tile: Tile, first: int, root: Each, base: str, count: int
    ) -> None:
        """Adds a tile to the sums of components base, ..., base + count - 1."""
        b = self.frame.b
        components = [Component(b.op("add", base, str(v), "i64"), base, v) for v in range(count)]
        leaves = leaves_at(COLUMN, [root.body])
        known = [merged(row) for row in rows]
        fixed = [
            part
            for part in ir.topological([root.body])
            if part.rate & COMPONENT and not part.rate & COLUMN
        ]
        for c in components:
            for place in known:
                for part in fixed:
                    component(b, part, place, c)
        zeros = [(b.type, b.const(0.0))] * (count * self.vectors)
        with b.loop(tile.start, tile.end, carry=zeros, nonempty=True) as columns:
            j = columns.index
            column = self.frame.at_one(leaves, j, ir.COLUMN)
            for r, row in enumerate(known):
                pair = merged(column, row)
                for k, scalar in enumerate(self.kept):
                    pair[scalar] = b.load(self._pair(tile.start, j, k, r), b.type)
                prepare(b, [root.body], pair)
                for v, c in enumerate(components):
                    cell = v * self.vectors + r
                    columns.next[cell] = add_component(b, columns.values[cell], root.body, pair, c)
        for v, c in enumerate(components):
            place = self._state(first, c)
            sums = columns.values[v * self.vectors : (v + 1) * self.vectors]
            self._store(place, self.totals.add(self._load(place), sums))

    def scale(self, factors: Sequence[str]) -> None:
        """Multiplies all sums by powers of two, one factor for each vector of rows."""
        for first, root in self.wide.items():
            with self.frame.b.loop("0", str(root.count), nonempty=True) as turns:
                place = self._state(first, turns.index)
                self._store(place, self.totals.scale(self._load(place), factors))

    def merge(self, workspace: str, factors: Sequence[tuple[str, str]] = ()) -> None:
        """Adds the sums of another run, in its workspace; both times factors of theirs, if any."""
        b = self.frame.b
        others = b.address(workspace, str(self.offset), "i8")
        for first, root in self.wide.items():
            with b.loop("0", str(root.count), nonempty=True) as turns:
                place = self._state(first, turns.index)
                held = self._load(place)
                other = self._load(self._state(first, turns.index, others))
                if factors:
                    held = self.totals.scale(held, [mine for mine, _ in factors])
                    other = self.totals.scale(other, [theirs for _, theirs in factors])
                self._store(place, self.totals.merge(held, other))

    def put(self, number: int, vector: int, name: str) -> None:
        """Makes `name` a state, for one vector of rows."""
        single = Totals(self.frame.b, 1)
        parts = single.add([zero for _, zero in single.start()], [name])
        view, place = self.totals.view, self._state(0, str(number))
        for k, part in enumerate(parts):
            offset = str(vector * self.totals.parts + k)
            view.store(part, view.address(place, offset, view.type), view.type)

    def state(self, number: str, vector: int) -> str:
        """A state by its number, for one vector of rows."""
        place = self._state(0, number)
        parts = self.totals.parts
        held = self._load(place)[vector * parts : (vector + 1) * parts]
        return self.totals.finish_one(held)

    def _state(self, first: int, c: str, memory: str = "") -> str:
        b, size = self.frame.b, len(self.totals.start())
        number = b.op("add", c, str(first), "i64") if first else c
        index = b.op("mul", number, str(size), "i64")
        return b.address(memory or self.memory, index, self.totals.view.type)

    def _load(self, place: str) -> list[str]:
        view = self.totals.view
        return [
            view.load(view.address(place, str(k), view.type), view.type)
            for k in range(len(self.totals.start()))
        ]

    def _store(self, place: str, names: Sequence[str]) -> None:
        view = self.totals.view
        for k, name in enumerate(names):
            view.store(name, view.address(place, str(k), view.type), view.type)

    def _pair(self, tile_start: str, j: str, k: int, vector: int) -> str:
        b = self.frame.b
        column = b.op("sub", j, tile_start, "i64")
        index = b.op("mul", column, str(len(self.kept) * self.vectors), "i64")
        index = b.op("add", index, str(k * self.vectors + vector), "i64")
        return b.address(self.pairs, index, b.type)
