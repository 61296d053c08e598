"""Which sums over components units that multiply matrices take, and where factors' pieces lie."""

from __future__ import annotations

from dataclasses import dataclass

from ... import ir
from ...ir import Apply, Column, Load, Program, Scalar
from .body import factors
from .cut import Cut
from .planes import Planes, Sweep

STEP = 16  # components of a product of matrices
STEPS = 4  # at most, at a time: of its rows a thread has them in registers
STEPS_OF_MANY = 3  # where rows pass by in chunks
STEPS_BESIDE_PARTS = 2  # where sums of parts are in registers as well
ROW_WORDS = 8  # of a thread, of each step and piece
ALIGNED = 4  # numbers, of what is copied at a time
SHARED_BYTES = 32 * 1024  # for pieces of rows


@dataclass(frozen=True)
class Split:
    """A sum of products of which both factors are in pieces: see texts/pieces.cuh.

    number: of such sums before this one.
    exact_halves: whether the factors are numbers of 16 bits, which one piece holds.
    bounded: whether a check compares the sum with the squares of its factors: then what is small
        beside the greatest component may lose its digits.
    keeps_rows: whether the pieces of a thread's rows stay in registers.
    row_words: of a thread, if they are in shared memory instead, else 0: then they are made anew
        for each tile.
    row_place: where these are.
    inverse, pieces: where a column's are in the scratch.
    steps, chunks: of components; the pieces of a chunk are staged at a time.
    """

    number: int
    exact_halves: bool
    bounded: bool
    keeps_rows: bool
    row_words: int
    row_place: int
    inverse: int
    pieces: int
    steps: int
    chunks: int

    @property
    def words(self) -> int:
        """Of the pieces of a column, in a chunk."""
        return self.steps * STEP // (1 + self.exact_halves)

    @property
    def constants(self) -> dict[str, int]:
        """What the type of the sweep says of it."""
        return {
            "NUMBER": self.number,
            "EXACT_HALVES": int(self.exact_halves),
            "BOUNDED": int(self.bounded),
            "KEEPS_ROWS": int(self.keeps_rows),
            "ROW_WORDS": self.row_words,
            "ROW_PLACE": self.row_place,
            "INVERSE": self.inverse,
            "PIECES": self.pieces,
            "STEPS": self.steps,
            "CHUNKS": self.chunks,
        }


@dataclass(frozen=True)
class Splits:
    """of: those of the sweeps that have one. width: numbers of a column in the scratch.

    row_words: of a thread, in shared memory.
    """

    of: dict[Sweep, Split]
    width: int
    row_words: int

    @property
    def columns(self) -> tuple[Scalar, ...]:
        """The factors of columns."""
        return tuple(sweep.sources.columns[0] for sweep in self.of)


def splits_of(program: Program, planes: Planes, cut: Cut) -> Splits:
    """The splits of all sweeps that matrix units take, if `cut` wants them."""
    taken = [sweep for sweep in planes.sweeps if cut.matrix_units and sweep.is_product]
    width = program.column_width
    if not taken:
        return Splits({}, width, 0)
    crowded = bool(planes.parts)
    guarded = {check.plane for check in planes.checks}
    place, row_place = _aligned(width + len(taken)), 0
    splits: dict[Sweep, Split] = {}
    for number, sweep in enumerate(taken):
        chunks, steps = _chunks(-(-sweep.count // STEP), crowded)
        exact_halves = all(_is_stored(program, source) for source in _ends(sweep))
        keeps_rows = len(taken) == chunks == 1 and not crowded
        row_words = 0 if keeps_rows else chunks * steps * ROW_WORDS * (2 - exact_halves)
        if 4 * cut.threads * (row_place + row_words) > SHARED_BYTES:
            row_words = 0
        splits[sweep] = Split(
            number=number,
            exact_halves=exact_halves,
            bounded=sweep.plane in guarded and _is_difference(sweep),
            keeps_rows=keeps_rows,
            row_words=row_words,
            row_place=row_place,
            inverse=width + number,
            pieces=place,
            steps=steps,
            chunks=chunks,
        )
        place += chunks * splits[sweep].words
        row_place += row_words
    return Splits(splits, place, row_place)


def weights_of(program: Program, planes: Planes) -> tuple[int, ...]:
    """Of each part, which of what pairs share is multiplied with a column's number; or nothing, if
    any part is another kind of sum."""
    powers = isinstance(program.accumulator, ir.ShiftedExp)
    found = []
    for part in planes.parts:
        columns, body = part.sources.columns, part.root.body
        ends = (planes.shared[0], body) if powers else factors(body) or ()
        weights = [end for end in ends if end in planes.shared]
        if part.sources.rows or len(columns) != 1 or {*ends} != {*weights, *columns}:
            return ()
        found.append(planes.shared.index(weights[0]))
    return tuple(found)


def _chunks(steps: int, crowded: bool) -> tuple[int, int]:
    """How many chunks these are, and how many steps of one."""
    most = STEPS_BESIDE_PARTS if crowded else STEPS if steps <= STEPS else STEPS_OF_MANY
    chunks = -(-steps // most)
    return chunks, -(-steps // chunks)


def _ends(sweep: Sweep) -> tuple[Scalar, Scalar]:
    return sweep.sources.rows[0], sweep.sources.columns[0]


def _is_stored(program: Program, source: Scalar) -> bool:
    """A number of 16 bits as memory holds it."""
    if isinstance(source, Column):
        (source,) = [
            root.body if isinstance(root, ir.Each) else root
            for place, root in zip(_places(program), program.columns, strict=True)
            if place == source.k
        ] or [source]
    return isinstance(source, Load) and program.stored in ("float16", "bfloat16")


def _places(program: Program) -> list[int]:
    places = [0]
    for root in program.columns:
        places.append(places[-1] + ir.width(root))
    return places[:-1]


def _is_difference(sweep: Sweep) -> bool:
    """No weight stands beside the row, so that the check knows the size of both factors."""
    row = sweep.sources.rows[0]
    return isinstance(row, Apply) and row.instr.name == "sub"


def _aligned(count: int) -> int:
    return -(-count // ALIGNED) * ALIGNED
