"""Squared distances of many components by inner products, where that is as accurate.

|x - y|^2 = |x|^2 + |y|^2 - 2 x.y has one operation for each component where the difference has
two. It loses the digits by which the squares are greater than the distance. So rows and columns
are first moved to a common centre, which makes the squares as small as the data allow; and where
the distance is still much less than they are, the difference is taken after all.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..ir import COMPONENT, PAIR, Apply, Fold, Guard, Scalar
from .distances import at_centre, is_named, squared_difference
from .rewrite import Rewriter

# Components: below, the difference costs nothing beside the rest, and short distances are common.
FEWEST = 24
# The least part of the squares that a distance may be: of the bits of a sum, it costs two.
LEAST = 0.25


def with_inner_products(roots: Sequence[Scalar], rewriter: Rewriter) -> tuple[Scalar, ...]:
    """`roots` with each long sum of squared differences of a row and a column guarded.

    The squares may have parameters as weights.
    """
    new: dict[Scalar, Scalar] = {}
    for scalar in ir.topological(roots):
        if not scalar.inside:
            new[scalar] = scalar
            continue
        inside = [new[part] for part in scalar.inside]
        if isinstance(scalar, Apply):
            new[scalar] = rewriter.apply(scalar.instr.name, *inside)
        elif isinstance(scalar, Fold) and (ends := _ends(scalar)):
            new[scalar] = _guarded(scalar, *ends, rewriter)
        elif isinstance(scalar, Fold):
            new[scalar] = rewriter.fold(inside[0], scalar.count)
        else:
            new[scalar] = rewriter.rebuilt(scalar, inside)
    return tuple(new[root] for root in roots)


def _ends(fold: Fold) -> tuple[Scalar, Scalar, Scalar | None] | None:
    """(row, column, weight) if the body is the square of their difference, times a parameter."""
    if fold.count < FEWEST:
        return None
    found = squared_difference(fold.body)
    if found is not None:
        return *found, None
    if is_named(fold.body, "mul"):
        for weight, square in (fold.body.inside, fold.body.inside[::-1]):
            found = squared_difference(square) if weight.rate == COMPONENT else None
            if found is not None:
                return *found, weight
    return None


def _guarded(fold: Fold, x: Scalar, y: Scalar, weight: Scalar | None, rewriter: Rewriter) -> Scalar:
    apply, count = rewriter.apply, fold.count
    centre = rewriter.rewrite([at_centre(y)])[0]
    x, y = (apply("sub", end, centre) for end in (x, y))

    def squares(factor: Scalar | None) -> Scalar:
        terms = [apply("mul", end, end) for end in (x, y)]
        if factor is not None:
            terms = [apply("mul", factor, term) for term in terms]
        return apply("add", *(rewriter.fold(term, count) for term in terms))

    whole = squares(weight)
    # Weights may have any sign: what was lost is measured by their sizes.
    size = whole if weight is None else squares(apply("abs", weight))
    product = rewriter.fold(
        apply("mul", x if weight is None else apply("mul", weight, x), y), count
    )
    fast = apply("sub", whole, apply("mul", rewriter.const(2.0), product))
    bound = apply("mul", rewriter.const(LEAST), size)
    return rewriter.rebuilt(Guard(PAIR, fast, fold, bound), [fast, fold, bound])
