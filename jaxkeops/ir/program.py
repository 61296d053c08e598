"""The program: what a backend is given, and all that it is given."""

from __future__ import annotations

from dataclasses import dataclass

from .machine import ITEM_BYTES
from .scalar import Scalar, width


@dataclass(frozen=True)
class Input:
    """An array of rows of `dim` numbers; `axis` says which loop walks it.

    "i": the kept rows; "j": the reduced ones; "p": a parameter, one row for all pairs.
    A dim of 0 carries an extent and no data.
    """

    axis: str
    dim: int


@dataclass(frozen=True)
class Output:
    """Columns of a result at row rate, an expression for each or for several, as in `Each`.

    dtype: a float dtype, or an integer one if the values are `Index` leaves.
    empty: what fills it where there is no column to reduce, in all of its columns or in each.
    over_rows: whether it is summed over the rows as well, and so has none.
    """

    values: tuple[Scalar, ...]
    dtype: str
    empty: float | tuple[float, ...]
    over_rows: bool = False

    @property
    def width(self) -> int:
        return sum(map(width, self.values))


@dataclass(frozen=True)
class ListOutput:
    """All that a `Lowest` accumulator holds, in its order: a column for each entry.

    indices: the columns of the pairs instead of the values; dtype is then an integer one.
    """

    width: int
    indices: bool
    dtype: str
    empty: float


@dataclass(frozen=True)
class Total:
    """State k: the sum over columns of number k of the values, `Each` being several."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class ShiftedExp:
    """Sums of exponentials that cannot overflow, kept as references and scaled sums.

    For exponent number e, with W weights, `Each` being several, and first = e (1 + W):
    State first: a reference m, within a few units of the greatest exponents[e].
    State first + 1 + k: the sum over columns of 2 ** (exponents[e] - m) * weights[k].
    exact: m is the greatest exponent itself, which costs one more operation a pair.
    """

    exponents: tuple[Scalar, ...]  # in units of log 2
    weights: tuple[Scalar, ...]
    exact: bool = False


@dataclass(frozen=True)
class Extremum:
    """State k: the least or greatest of values[k]; Index k: the first column that has it.

    A value that is not strictly better than the best is passed over: so is NaN.
    Where none is better than the start, +inf or -inf, that is State k, and Index k is 0.
    """

    values: tuple[Scalar, ...]
    sense: str  # "min" or "max"


@dataclass(frozen=True)
class Lowest:
    """The `count` least of each of values, ascending, with their columns; ties in their order.

    Entry n * len(values) + k of the list: the n-th least of values[k]. NaN and +inf are passed
    over; where there are fewer than `count` values, the rest are +inf with column 0.
    """

    values: tuple[Scalar, ...]
    count: int


Accumulator = Total | ShiftedExp | Extremum | Lowest


@dataclass(frozen=True)
class Distance:
    """The distance of a row and a column that the one value of a program is.

    A backend may find out by other numbers which pairs cannot be among the least.

    rows, columns: the coordinates of both, about zero: an `Each`, or one by one.
    metric: "squared", the sum of the squares of their differences, "euclidean", its root, or
            "manhattan", the sum of their sizes.
    """

    rows: tuple[Scalar, ...]
    columns: tuple[Scalar, ...]
    metric: str

    @property
    def count(self) -> int:
        """How many coordinates there are."""
        return sum(map(width, self.rows))

    @property
    def record_bytes(self) -> int:
        """What a column takes in fixed point: words of two coordinates, and one for its norm."""
        return 4 * (-(-self.count // 2) + 1)


def roots(accumulator: Accumulator) -> tuple[Scalar, ...]:
    """The expressions that the accumulator takes in at each pair."""
    match accumulator:
        case Total(values) | Extremum(values, _) | Lowest(values, _):
            return values
        case ShiftedExp(exponents, weights):
            return (*exponents, *weights)


def with_roots(accumulator: Accumulator, roots: tuple[Scalar, ...]) -> Accumulator:
    """The same kind of accumulator, of other expressions."""
    match accumulator:
        case Total():
            return Total(roots)
        case Extremum(sense=sense):
            return Extremum(roots, sense)
        case Lowest(count=count):
            return Lowest(roots, count)
        case ShiftedExp(exponents, _, exact):
            return ShiftedExp(roots[: len(exponents)], roots[len(exponents) :], exact)


@dataclass(frozen=True)
class Schedule:
    """How loops are cut, as data. A backend reads it, and decides nothing.

    row_vectors: registers of rows that one pass over the columns serves.
    tile:        columns that are summed in the dtype of the data before the total takes them.
    columns:     columns that one loop over components serves.
    few_rows:    up to so many rows, lanes are columns, and rows are taken one by one.
    panel:       columns that a cache holds while many rows go over them.
    components:  sums, of those too many for registers, that one loop over a tile serves.
    sample:      columns of which lists get their first bounds; 0: they start without.
    masked:      whether columns that fill no block are one all the same, with masks; else there
                 is code for one column.
    chunk:       columns that are gone over in fixed point before any is computed; 0: none are.
    group:       columns of a chunk that are computed, or passed over, together.
    """

    row_vectors: int
    tile: int
    columns: int = 1
    components: int = 1
    few_rows: int = 0
    panel: int = 0
    sample: int = 0
    masked: bool = False
    chunk: int = 0
    group: int = 0


@dataclass(frozen=True)
class Program:
    """For each row: the accumulator takes in every column, then the outputs are written.

    columns: values computed once for each column, before the rows, `Each` being several; leaves
             `Column(k)` read them, by the place of their numbers.
    dtype: what everything is computed in; stored: the dtype of the inputs, as they lie there.
    distance: what the value of the accumulator is, if a backend may pass over pairs by it.
    """

    dtype: str
    stored: str
    inputs: tuple[Input, ...]
    columns: tuple[Scalar, ...]
    accumulator: Accumulator
    outputs: tuple[Output | ListOutput, ...]
    schedule: Schedule
    distance: Distance | None = None

    @property
    def column_width(self) -> int:
        """How many numbers are kept of each column: its values, then its record."""
        record = self.distance.record_bytes if self.distance else 0
        return self.record_place + -(-record // ITEM_BYTES[self.dtype])

    @property
    def record_place(self) -> int:
        """The number of a column that its record in fixed point starts at."""
        return sum(map(width, self.columns))

    @property
    def given(self) -> tuple[Scalar, ...]:
        """The expressions of all outputs."""
        return tuple(
            value
            for output in self.outputs
            if isinstance(output, Output)
            for value in output.values
        )
