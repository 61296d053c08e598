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

    accumulator: what it takes in is fused already: coordinates are then rounded where pairs round
    them, and nowhere else. most_listed: of the least values, up to how many.
    """
    match accumulator:
        case ir.Extremum((value,), "min"):
            pass
        case ir.Lowest((value,), count) if count <= most_listed:
            pass
        case _:
            return None
    metric, ends = "squared", _ends(value, _squared, rewriter)
    if is_named(value, "sqrt"):
        metric, ends = "euclidean", _ends(value.inside[0], _squared, rewriter)
    elif ends is None:
        metric, ends = "manhattan", _ends(value, _sized, rewriter)
    if ends is None or not FEWEST <= sum(ir.width(x) for x, _ in ends) <= MOST:
        return None
    rows, columns = zip(*ends, strict=True)
    return ir.Distance(rows, _side_by_side(columns, rewriter), metric)


# What a difference is in that a term is made of, and the terms that are fused with it.
Pattern = Callable[[Scalar], tuple[Scalar, tuple[Scalar, ...]] | None]


def _squared(term: Scalar) -> tuple[Scalar, tuple[Scalar, ...]] | None:
    product = is_named(term, "mul") or is_named(term, "fma")
    if not product or term.inside[0] is not term.inside[1]:
        return None
    return term.inside[0], term.inside[2:]


def _sized(term: Scalar) -> tuple[Scalar, tuple[Scalar, ...]] | None:
    return (term.inside[0], ()) if is_named(term, "abs") else None


def _ends(
    value: Scalar, pattern: Pattern, rewriter: Rewriter
) -> list[tuple[Scalar, Scalar]] | None:
    """What is of a row and what of a column, in pairs, if `value` sums terms of a pattern.

    One pair of `Each`, whose columns lie side by side as they were given, or of numbers.
    """
    if isinstance(value, Fold):
        found = pattern(value.body)
        ends = _coordinates(found[0], rewriter) if found and not found[1] else None
        if ends is None or not _is_side_by_side(ends[1]):
            return None
        x, y = (Each(end.rate & PAIR, end, value.count) for end in ends)
        return [(x, y)]
    terms, stack = [], [value]
    while stack:
        part = stack.pop()
        if is_named(part, "add"):
            stack.extend(reversed(part.inside))
            continue
        found = pattern(part)
        ends = _coordinates(found[0], rewriter) if found else None
        if ends is None or any(isinstance(s, Fold) for s in ir.topological(ends)):
            return None
        assert found is not None
        stack += found[1]
        terms.append(ends)
    return sorted(terms, key=lambda ends: _place(ends[1]))


def _coordinates(difference: Scalar, rewriter: Rewriter) -> tuple[Scalar, Scalar] | None:
    """(row, column), both less the centre of the columns, of which this is the difference.

    A product that is fused with the subtraction of pairs has no rounding of its own: it has none
    here.
    """
    ends: list[tuple[Scalar, ...]]
    if is_named(difference, "sub"):
        ends = [(end,) for end in difference.inside]
    elif is_named(difference, "fma"):
        *product, other = difference.inside
        ends = [tuple(product), (rewriter.apply("neg", other),)]
    else:
        return None
    wholes = [end[0] if len(end) == 1 else ir.mul(*end) for end in ends]
    place = int(wholes[0].rate & PAIR == ROW)
    loop = difference.rate & COMPONENT
    if (wholes[1 - place].rate, wholes[place].rate) != (ROW | loop, COLUMN | loop):
        return None
    (centre,) = rewriter.rewrite([at_centre(wholes[place])])
    x, y = (
        rewriter.apply("sub", *end, centre)
        if len(end) == 1
        else rewriter.apply("fma", *end, rewriter.apply("neg", centre))
        for end in (ends[1 - place], ends[place])
    )
    return x, y


def squared_difference(square: Scalar) -> tuple[Scalar, Scalar] | None:
    """(row, column) if it is the square of their difference, of components or not."""
    if not is_named(square, "mul") or square.inside[0] is not square.inside[1]:
        return None
    difference = square.inside[0]
    if not is_named(difference, "sub"):
        return None
    x, y = sorted(difference.inside, key=lambda end: end.rate & PAIR)
    loop = square.rate & COMPONENT
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


def _place(column: Scalar) -> tuple[int, int]:
    """Where a coordinate of columns is loaded from, if it is: sums have them in any order."""
    load = column.inside[0]
    return (load.slot, load.k) if isinstance(load, Load) else (-1, 0)


def _is_side_by_side(column: Scalar) -> bool:
    """Whether an expression takes neighbouring numbers of the column, and what columns share."""
    return all(
        part.stride == 1 if part.rate & COMPONENT else part.rate == PARAMETER
        for part in ir.topological([column])
        if isinstance(part, Load) or not part.rate & COMPONENT
    )
