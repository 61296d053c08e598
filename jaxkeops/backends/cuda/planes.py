"""Which numbers of a pair are computed for a whole tile at once: planes, one number for each pair.

A sum over many components reads all components of its row and of its column. A block does it for
a tile of rows and columns, staging some components at a time in shared memory, and leaves the sum
of each pair there, in a plane. Where a pair gives many sums that differ by their component alone,
a plane also takes what all of them share, and the block goes over the tile once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ... import ir
from ...ir import (
    COLUMN,
    COMPONENT,
    PAIR,
    PARAMETER,
    ROW,
    Apply,
    Const,
    Each,
    Fold,
    Guard,
    Load,
    Scalar,
)
from .body import factors

MOST = 4  # planes of a tile: more do not fit into shared memory
# Components up to which shared memory holds what is common: 8 KiB of float32. Beyond, it is made
# where it is needed.
MOST_COMMON = 2048


class NotByTilesError(Exception):
    """The program has a form that these kernels do not take."""


@dataclass(frozen=True)
class Sources:
    """What bodies of loops over components are made of: at most of a row, and of a column.

    kept: what rows have once, and components of them are made of.
    common: what components are made of that is the same for all pairs, and no number of an input.
    """

    rows: tuple[Scalar, ...]
    columns: tuple[Scalar, ...]
    kept: tuple[Scalar, ...]
    common: tuple[Scalar, ...]


@dataclass(frozen=True)
class Sweep:
    """Folds of the same length, whose sums go to planes from number `plane` on."""

    folds: tuple[Fold, ...]
    sources: Sources
    plane: int

    @property
    def count(self) -> int:
        return self.folds[0].count

    @property
    def is_product(self) -> bool:
        """Whether its terms are products of a row's number with a column's."""
        return len(self.folds) == 1 and _is_product(self.folds[0])


@dataclass(frozen=True)
class Check:
    """A guard: its plane holds the one sum that `fast` takes, then the guard itself."""

    guard: Guard
    plane: int
    exact: Sweep

    def given(self, rate: int) -> list[Scalar]:
        """What the check takes that changes with the row, or with the column, alone."""
        found: dict[Scalar, None] = {}
        stack: list[Scalar] = [self.guard.bound, self.guard.fast]
        while stack:
            scalar = stack.pop()
            if scalar.rate == rate:
                found[scalar] = None
            elif scalar.rate == PAIR and isinstance(scalar, Apply):
                stack.extend(scalar.inside)
        return list(found)


@dataclass(frozen=True)
class Part:
    """An `Each` among the roots: what pairs give it lies in planes, the first ones.

    first: its first state.
    """

    root: Each
    sources: Sources
    first: int


@dataclass(frozen=True)
class Planes:
    """leaves: the plane of each sum, and of each guard, that pairs are computed from.

    shared: what the parts take from pairs; scalars: the other roots, with their states.
    """

    sweeps: tuple[Sweep, ...] = ()
    checks: tuple[Check, ...] = ()
    leaves: dict[Scalar, int] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    shared: tuple[Scalar, ...] = ()
    scalars: tuple[tuple[Scalar, int], ...] = ()

    @property
    def count(self) -> int:
        sums = sum(len(sweep.folds) for sweep in self.sweeps)
        return max(sums, len(self.shared))

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """What a thread computes at a pair of its own row."""
        return (*self.shared, *(root for root, _ in self.scalars))

    @property
    def tests(self) -> tuple[Scalar, ...]:
        """The same of guards."""
        return tuple(end for check in self.checks for end in (check.guard.fast, check.guard.bound))

    @property
    def swept(self) -> tuple[Sweep, ...]:
        """All walks over components; the last are for checks."""
        return (*self.sweeps, *(check.exact for check in self.checks))

    @property
    def loops(self) -> tuple[tuple[Sources, int], ...]:
        """All loops over components, and how many these are."""
        sweeps = [(sweep.sources, sweep.count) for sweep in self.swept]
        return (*sweeps, *((part.sources, part.root.count) for part in self.parts))

    @property
    def kept(self) -> tuple[Scalar, ...]:
        """What blocks share of rows."""
        of_loops = [s for sources, _ in self.loops for s in sources.kept]
        of_checks = [s for check in self.checks for s in check.given(ROW)]
        return tuple(dict.fromkeys(of_loops + of_checks))

    @property
    def common(self) -> int:
        """How many numbers a block has once that are the same for all pairs."""
        return sum(len(sources.common) * count for sources, count in self.loops)

    def common_before(self, sources: Sources) -> int:
        """How many of them are of loops before that of `sources`."""
        before = 0
        for other, count in self.loops:
            if other is sources:
                break
            before += len(other.common) * count
        return before


def planes_of(program: ir.Program) -> Planes:
    """The planes of a program. Raises `NotByTilesError` if its loops are none of these."""
    parts, shared, scalars = _roots(program)
    ends = (*shared, *(root for root, _ in scalars))
    folds, guards = _loops(ends)
    within = {guard: _loops([guard.fast, guard.bound])[0] for guard in guards}
    if any(len(inner) != 1 or inner[0] in folds for inner in within.values()):
        raise NotByTilesError("a guard is of one sum that nothing else takes")
    if any(not isinstance(guard.exact, Fold) for guard in guards):
        raise NotByTilesError("the exact way of a guard is a sum")
    all_folds = [*folds, *dict.fromkeys(inner[0] for inner in within.values())]
    if len(all_folds) != len(folds) + len(guards):
        raise NotByTilesError("guards do not share sums")
    sweeps, leaves = [], {}
    for same in _together(all_folds):
        sources = _sources([fold.body for fold in same], same[0].count)
        sweeps.append(Sweep(same, sources, len(leaves)))
        leaves |= {fold: len(leaves) + k for k, fold in enumerate(same)}
    checks = []
    for guard, (inner,) in within.items():
        assert isinstance(guard.exact, Fold)
        sources = _sources([guard.exact.body], guard.exact.count)
        exact = Sweep((guard.exact,), sources, leaves[inner])
        checks.append(Check(guard, leaves[inner], exact))
        leaves[guard] = leaves[inner]
    found = Planes(tuple(sweeps), tuple(checks), leaves, parts, shared, scalars)
    if found.count > MOST:
        raise NotByTilesError(f"{found.count} planes")
    if any(
        isinstance(output, ir.Output) and output.over_rows and isinstance(value, Each)
        for output in program.outputs
        for value in getattr(output, "values", ())
    ):
        raise NotByTilesError("sums over rows are few")
    return found


def _roots(
    program: ir.Program,
) -> tuple[tuple[Part, ...], tuple[Scalar, ...], tuple[tuple[Scalar, int], ...]]:
    """Parts, what they share, and the other roots with their states."""
    accumulator = program.accumulator
    taken, state = ir.roots(accumulator), 0
    wide = [root for root in taken if isinstance(root, Each)]
    shared: list[Scalar] = []
    if isinstance(accumulator, ir.ShiftedExp) and wide:
        if len(accumulator.exponents) != 1 or accumulator.exponents[0] in wide:
            raise NotByTilesError("many sums of powers have one exponent")
        # The first plane takes the powers, the state before the sums is their reference.
        shared, taken, state = [accumulator.exponents[0]], accumulator.weights, 1
    elif wide and not isinstance(accumulator, ir.Total):
        raise NotByTilesError("only sums are many")
    parts, scalars = [], []
    for root in taken:
        if isinstance(root, Each):
            parts.append(Part(root, _sources([root.body], root.count, shared), state))
        else:
            scalars.append((root, state))
        state += ir.width(root)
    return tuple(parts), tuple(dict.fromkeys(shared)), tuple(scalars)


def _loops(ends: Iterable[Scalar]) -> tuple[list[Fold], list[Guard]]:
    """The sums over components, and the guards, that pairs take, but for those inside of guards."""
    found: dict[Scalar, None] = {}
    stack = list(ends)
    while stack:
        scalar = stack.pop()
        if scalar in found or scalar.rate & PAIR != PAIR:
            continue
        found[scalar] = None
        if isinstance(scalar, Apply):
            stack.extend(scalar.inside)
    return (
        [scalar for scalar in found if isinstance(scalar, Fold)],
        [scalar for scalar in found if isinstance(scalar, Guard)],
    )


def _together(folds: Iterable[Fold]) -> list[tuple[Fold, ...]]:
    """Folds of one length share a sweep, but for products: each is one of matrices."""
    groups: dict[object, list[Fold]] = {}
    for fold in folds:
        groups.setdefault(fold if _is_product(fold) else fold.count, []).append(fold)
    return [tuple(group) for group in groups.values()]


def _is_product(fold: Fold) -> bool:
    ends = factors(fold.body) or ()
    return sorted(end.rate & PAIR for end in ends) == [ROW, COLUMN]


def _sources(
    bodies: Iterable[Scalar], count: int, inside_of_pairs: list[Scalar] | None = None
) -> Sources:
    """inside_of_pairs: takes what the bodies need that changes from pair to pair only."""
    rows: dict[Scalar, None] = {}
    columns: dict[Scalar, None] = {}
    stack = list(bodies)
    while stack:
        scalar = stack.pop()
        rate = scalar.rate & PAIR
        if isinstance(scalar, Const) or scalar.rate == PARAMETER:
            continue
        if inside_of_pairs is not None and not scalar.rate & COMPONENT:
            inside_of_pairs.append(scalar)
        elif rate == PAIR:
            if not isinstance(scalar, Apply) or not scalar.rate & COMPONENT:
                raise NotByTilesError("a sum over components takes no other one of its pair")
            stack.extend(scalar.inside)
        elif rate == COLUMN:
            columns[scalar] = None
        else:
            rows[scalar] = None
    kept: dict[Scalar, None] = {}
    common: dict[Scalar, None] = {}
    stack = list(rows)
    while stack:
        scalar = stack.pop()
        if scalar.rate == COMPONENT and not isinstance(scalar, Load):
            common[scalar] = None
        elif scalar.rate == ROW and isinstance(scalar, Apply | Fold):
            kept[scalar] = None
        elif scalar.rate & COMPONENT:
            stack.extend(scalar.inside)
    return Sources(
        tuple(rows), tuple(columns), tuple(kept), tuple(common) if count <= MOST_COMMON else ()
    )
