"""Finds distances of rows and columns: what they are made of, and where they are all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import ir
from ..ir import COLUMN, COMPONENT, PAIR, PARAMETER, ROW, Apply, Centre, Each, Fold, Load, Scalar
from .rewrite import Rewriter, rebuilt

# Coordinates: one costs less than what comes with a filter, and of more than this their integers
# keep too few digits.
FEWEST, MOST = 2, 2048


def distance_of(
    accumulator: ir.Accumulator, most_listed: int, rewriter: Rewriter
) -> ir.Distance | None:
    """The distance whose least values are sought, if there is one and nothing else.

    most_listed: of the least values, up to how many.
    """
    match accumulator:
        case ir.Extremum((value,), "min"):
            pass
        case ir.Lowest((value,), count) if count <= most_listed:
            pass
        case _:
            return None
    metric, ends = "squared", _ends(value, squared_difference)
    if is_named(value, "sqrt"):
        metric, ends = "euclidean", _ends(value.inside[0], squared_difference)
    elif ends is None:
        metric, ends = "manhattan", _ends(value, _size_of_difference)
    if ends is None or not FEWEST <= sum(ir.width(x) for x, _ in ends) <= MOST:
        return None
    centred = []
    for x, y in ends:
        bodies = [end.body if isinstance(end, Each) else end for end in (x, y)]
        (centre,) = rewriter.rewrite([at_centre(bodies[1])])
        moved = [rewriter.apply("sub", body, centre) for body in bodies]
        if isinstance(x, Each):
            moved = [rewriter.rebuilt(x, [body]) for body in moved]
        centred.append(moved)
    rows, columns = zip(*centred, strict=True)
    return ir.Distance(rows, _side_by_side(columns, rewriter), metric)


def _ends(
    value: Scalar, pattern: Callable[[Scalar], tuple[Scalar, Scalar] | None]
) -> list[tuple[Scalar, Scalar]] | None:
    """What is of a row and what of a column, in pairs, if `value` sums terms of a pattern.

    One pair of `Each`, whose columns lie side by side as they were given, or of numbers.
    """
    if isinstance(value, Fold):
        found = pattern(value.body)
        if found is None or not _is_side_by_side(found[1]):
            return None
        x, y = found
        return [(Each(ROW, x, value.count), Each(COLUMN, y, value.count))]
    terms, stack = [], [value]
    while stack:
        part = stack.pop()
        if is_named(part, "add"):
            stack.extend(reversed(part.inside))
            continue
        found = pattern(part)
        if found is None or any(isinstance(s, Fold) for s in ir.topological(found)):
            return None
        terms.append(found)
    return terms


def squared_difference(square: Scalar) -> tuple[Scalar, Scalar] | None:
    """(row, column) if it is the square of their difference, of components or not."""
    if not is_named(square, "mul") or square.inside[0] is not square.inside[1]:
        return None
    return _ends_of(square.inside[0])


def _size_of_difference(size: Scalar) -> tuple[Scalar, Scalar] | None:
    return _ends_of(size.inside[0]) if is_named(size, "abs") else None


def _ends_of(difference: Scalar) -> tuple[Scalar, Scalar] | None:
    if not is_named(difference, "sub"):
        return None
    x, y = sorted(difference.inside, key=lambda end: end.rate & PAIR)
    loop = difference.rate & COMPONENT
    return (x, y) if (x.rate, y.rate) == (ROW | loop, COLUMN | loop) else None


def at_centre(column: Scalar) -> Scalar:
    """An expression of columns where their inputs are at their centres."""
    new: dict[Scalar, Scalar] = {}
    for scalar in ir.topological([column]):
        if isinstance(scalar, Load) and scalar.rate & COLUMN:
            rate = scalar.rate & ~COLUMN
            new[scalar] = Centre(rate, scalar.slot, scalar.k, scalar.stride)
        else:
            new[scalar] = rebuilt(scalar, [new[part] for part in scalar.inside])
    return new[column]


def is_named(scalar: Scalar, name: str) -> bool:
    return isinstance(scalar, Apply) and scalar.instr.name == name


def _side_by_side(columns: Sequence[Scalar], rewriter: Rewriter) -> tuple[Scalar, ...]:
    """Numbers of a column as one `Each`, if that is what they are."""
    first = columns[0].inside[0] if is_named(columns[0], "sub") else None
    if not isinstance(first, Load):
        return tuple(columns)
    loads = [Load(first.rate | COMPONENT, first.slot, first.k, 1)]
    body = rewriter.apply("sub", *rewriter.rewrite([*loads, at_centre(loads[0])]))
    each = rewriter.rebuilt(Each(COLUMN, body, len(columns)), [body])
    same = rewriter.rewrite(ir.unrolled(each))
    return (each,) if same == tuple(columns) else tuple(columns)


def _is_side_by_side(column: Scalar) -> bool:
    """Whether an expression takes neighbouring numbers of the column, and what columns share."""
    return all(
        part.stride == 1 if part.rate & COMPONENT else part.rate == PARAMETER
        for part in ir.topological([column])
        if isinstance(part, Load) or not part.rate & COMPONENT
    )
