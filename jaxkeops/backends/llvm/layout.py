"""How the workspace of a call is cut: what each part holds, and from which byte on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ... import ir
from ...ir import COMPONENT, PAIR, ROW, Each, Load, Program, Scalar
from ...ir.machine import ITEM_BYTES, Machine
from .transpose import PIECE_BYTES

INDEX = "i32"  # the type of columns in lists: `MOST_COLUMNS` of them
INDEX_BYTES = 4
WORD_BYTES = 4  # two coordinates in fixed point
MOST_COLUMNS = 2**32
MOST_GATHERED = 8  # numbers of a row: more of them are turned by shuffles


class Layout:
    """The workspace of `rows`: in vectors, one for each vector of rows side by side.

    turned: for each input whose rows loops over components take, or most numbers of whose rows
            are taken one by one, where its numbers lie, vector by vector of rows: rows of the
            inputs lie the other way.
    packed: for each other expression of rows that such a loop takes at pairs, where its values
            lie, component by component.
    totals: where the sums of all states are, if some are too many for registers.
    kept:   the expressions of pairs that the loops of such sums take, and `pairs` where they lie,
            column by column of a tile.
    lists:  where the lists of a `Lowest` are, of `list_length` entries each: whole vectors.
    sorted: where short lists are while they grow, entry by entry.
    words:  where rows are in fixed point, word by word.
    carried: where what is carried from tile to tile is kept, if the columns are split.
    bytes:  of all.
    """

    def __init__(self, program: Program, machine: Machine) -> None:
        lanes = machine.lanes(program.dtype)
        vectors = program.schedule.row_vectors
        vector_bytes = vectors * lanes * ITEM_BYTES[program.dtype]
        taken = ir.roots(program.accumulator)
        counts = ir.loop_counts(taken)
        self.bytes = 0
        self.turned: dict[int, int] = {}
        dims = [given.dim for given in program.inputs]
        for slot in _inputs_of_rows((*taken, *program.given), dims):
            # Shorter rows are gathered: they do not fill the pieces that are turned.
            if program.inputs[slot].dim >= PIECE_BYTES // ITEM_BYTES[program.dtype]:
                self.turned[slot] = self._take(program.inputs[slot].dim * vector_bytes)
        self.packed: dict[Scalar, int] = {}
        for scalar in _of_rows(taken):
            if isinstance(scalar, Load) and scalar.slot in self.turned:
                continue
            self.packed[scalar] = self._take(counts[scalar] * vector_bytes)
        wide = [root for root in taken if isinstance(root, Each)]
        self.kept = _of_pairs(wide)
        # One more for the powers of a `ShiftedExp`.
        kept = len(self.kept) + isinstance(program.accumulator, ir.ShiftedExp)
        states = sum(map(ir.width, taken)) + 1 if wide else 0
        self.totals = self._take(
            states
            * vectors
            * lanes
            * 2
            * ITEM_BYTES["float64"]
            // (1 if program.dtype == "float64" else 2)
        )
        self.pairs = self._take(program.schedule.tile * kept * vector_bytes if wide else 0)
        count = program.accumulator.count if isinstance(program.accumulator, ir.Lowest) else 0
        self.list_length = -(-count // lanes) * lanes
        entries = len(taken) * self.list_length * vectors * lanes
        self.lists = self._take(entries * (ITEM_BYTES[program.dtype] + INDEX_BYTES))
        short = count * len(taken) * vectors * lanes if program.schedule.sample else 0
        self.sorted = self._take(short * (ITEM_BYTES[program.dtype] + INDEX_BYTES))
        distance = program.distance
        words = distance.record_bytes // WORD_BYTES - 1 if distance else 0
        self.words = self._take(words * vectors * lanes * WORD_BYTES)
        # At most a value and an i64 or a wider total for each root, and for each exponent two more.
        self.carried = self._take(4 * (len(taken) + 1) * vector_bytes)

    def _take(self, bytes: int) -> int:
        start = self.bytes
        self.bytes += -(-bytes // 64) * 64
        return start


def _inputs_of_rows(roots: tuple[Scalar, ...], dims: Sequence[int]) -> list[int]:
    """The inputs of which loops over components take rows, or of which most numbers are taken."""
    loads = [s for s in ir.topological(roots) if isinstance(s, Load) and s.rate & ~COMPONENT == ROW]
    looped = dict.fromkeys(load.slot for load in loads if load.stride)
    apart = Counter(load.slot for load in loads if not load.stride)
    most = [slot for slot, count in apart.items() if count > max(MOST_GATHERED, dims[slot] // 2)]
    return list(looped | dict.fromkeys(most))


def _of_rows(taken: tuple[Scalar, ...]) -> list[Scalar]:
    """The greatest expressions of rows at components, inside of those of pairs."""
    found: dict[Scalar, None] = {}
    for scalar in ir.topological(taken):
        if scalar.rate & PAIR == PAIR or isinstance(scalar, Each):
            found.update(dict.fromkeys(p for p in scalar.inside if p.rate == ROW | COMPONENT))
    return list(found)


def _of_pairs(wide: list[Each]) -> list[Scalar]:
    """The greatest expressions of pairs without a component, inside of what has one."""
    found: dict[Scalar, None] = {}
    for scalar in ir.topological(root.body for root in wide):
        if scalar.rate & COMPONENT:
            found.update(dict.fromkeys(p for p in scalar.inside if p.rate == PAIR))
    for root in wide:
        if root.body.rate == PAIR:
            found[root.body] = None
    return list(found)
