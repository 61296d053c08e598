"""Writes the instructions of expressions: which name each has, and the loops over components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product, zip_longest

from ...ir import COMPONENT, PAIR, Apply, Const, Fold, Guard, Scalar
from .builder import Builder
from .math import SPELLING

# An expression of one rate inside of a loop, and the component that the loop is at: its name.
Source = Callable[[Scalar, str], str]


# Instructions after which a block is cut: LLVM takes time with the square of the length of a block.
BLOCK = 500
PART = 64  # components: longer sums are made of parts where there is time


class Component(str):
    """The name of a component that is `offset` after another one, `base`.

    Addresses made of the two need one register for many components.
    """

    base: str
    offset: int

    def __new__(cls, name: str, base: str, offset: int) -> Component:
        made = super().__new__(cls, name)
        made.base, made.offset = base, offset
        return made


class Known(dict[Scalar, str]):
    """The names that expressions have at one pair, row or column.

    sources: for each rate, what gives expressions of that rate at a component.
    mask: the lanes that are pairs, if not all are: the others repeat one.
    """

    def __init__(
        self, names: Mapping[Scalar, str] = {}, sources: Mapping[int, Source] = {}
    ) -> None:
        super().__init__(names)
        self.sources = dict(sources)
        self.mask = ""


def merged(*parts: Known) -> Known:
    """Names from several places, as one table that may grow by itself."""
    known = Known()
    for part in parts:
        known.update(part)
        known.sources.update(part.sources)
        known.mask = known.mask or part.mask
    return known


def at_pairs(b: Builder, name: str, neutral: float, known: Known) -> str:
    """A value in the lanes that are pairs, and in others what changes nothing."""
    return b.select(known.mask, name, b.const(neutral)) if known.mask else name


def evaluate(b: Builder, roots: Iterable[Scalar], known: Known) -> list[str]:
    """The names of `roots` in view `b`; `known` gives leaves, and takes what is computed."""
    roots = list(roots)
    run_loops(b, roots, [known])
    return _straight(b, roots, known)


def run_loops(
    b: Builder, roots: Iterable[Scalar], places: Sequence[Known], rare: bool = False
) -> None:
    """Computes the sums over components in `roots` at all places, in as few loops as there can be.

    What such a sum is made of may itself need others; sums that do not share one loop.
    rare: whether it is better to write little than to be quick.
    """
    waiting = [
        scalar for scalar in _outside_of_loops(roots, places[0]) if isinstance(scalar, Fold | Guard)
    ]
    while waiting:
        needs = {scalar: _needs(scalar, places[0]) for scalar in waiting}
        ready = [s for s in waiting if not any(n is not s and n in needs for n in needs[s])]
        folds = [scalar for scalar in ready if isinstance(scalar, Fold)]
        if folds:
            count = folds[0].count
            ready = [fold for fold in folds if fold.count == count]
            _fold(b, ready, places, rare)
        else:
            ready = ready[:1]
            assert isinstance(ready[0], Guard)
            _guard(b, ready[0], places)
        waiting = [scalar for scalar in waiting if scalar not in ready]


def _needs(scalar: Scalar, known: Known) -> list[Scalar]:
    inside = scalar.inside[::2] if isinstance(scalar, Guard) else scalar.inside
    return _outside_of_loops(inside, known)


def _outside_of_loops(roots: Iterable[Scalar], known: Known) -> list[Scalar]:
    """What is to be computed for `roots`, operands first, but for what has a component.

    The exact side of a guard is not: it may never be needed.
    """
    order: dict[Scalar, None] = {}
    stack = [(root, False) for root in roots]
    while stack:
        scalar, done = stack.pop()
        if scalar in order or scalar in known:
            continue
        if done or not scalar.inside:
            order[scalar] = None
            continue
        stack.append((scalar, True))
        inside = scalar.inside[::2] if isinstance(scalar, Guard) else scalar.inside
        stack.extend((part, False) for part in reversed(inside))
    return [scalar for scalar in order if not scalar.rate & COMPONENT]


def evaluate_by_turns(b: Builder, roots: Sequence[Scalar], places: Sequence[Known]) -> None:
    """Computes what `roots` need at several places, two at a time, operation by operation.

    A machine looks ahead by some 60 vector operations: where all of them wait for each other, it
    does not see enough that could be done meanwhile. Roots that are products are left, for what
    takes them in may fuse them.
    """
    taken: list[Scalar] = []
    for root in roots:
        product = isinstance(root, Apply) and root.instr.name == "mul"
        taken += root.inside if product else (root,)
    for first in range(0, len(places) - 1, 2):
        for scalar in _outside_of_loops(taken, places[first]):
            for known in places[first : first + 2]:
                if scalar not in known:
                    known[scalar] = _written(b, scalar, known)


def _straight(b: Builder, roots: Sequence[Scalar], known: Known) -> list[str]:
    """Instructions without loops: the sums in `roots` are known."""
    for number, scalar in enumerate(_outside_of_loops(roots, known), 1):
        if number % BLOCK == 0:
            label = b.label()
            b.jump(label)
            b.place(label)
        known[scalar] = _written(b, scalar, known)
    return [known[root] for root in roots]


def _written(b: Builder, scalar: Scalar, known: Known) -> str:
    """The name of an expression whose operands are known."""
    match scalar:
        case Const(value=value):
            return b.const(value)
        case Apply(instr=instr, operands=operands):
            return SPELLING[instr.name](b, *[known[operand] for operand in operands])
    raise AssertionError(scalar)


def _fold(b: Builder, folds: Sequence[Fold], places: Sequence[Known], rare: bool) -> None:
    for known in places:
        prepare(b, [fold.body for fold in folds], known)
    cells = [(fold.body, known) for fold in folds for known in places]
    sums = (_in_parts if rare else _by_ways)(b, cells, folds[0].count)
    for name, (fold, known) in zip(sums, product(folds, places), strict=True):
        known[fold] = name


def _by_ways(b: Builder, cells: Sequence[tuple[Scalar, Known]], count: int) -> list[str]:
    """The sums of expressions at places over `count` components."""
    # However many places there are: whoever computes a pair again expects the same bits.
    ways = b.machine.ways(count)
    whole = count - count % ways
    carry = [(b.type, b.const(0.0))] * (ways * len(cells))
    with b.loop("0", str(whole), str(ways), carry=carry, nonempty=True) as turns:
        turns.next = []
        for way in range(ways):
            c = Component(_offset(b, turns.index, way), turns.index, way) if way else turns.index
            held = turns.values[way * len(cells) : (way + 1) * len(cells)]
            turns.next += _with_component(b, held, cells, c)
    sums = [
        b.add(first, second) if second else first
        for first, second in zip_longest(
            turns.values[: len(cells)], turns.values[len(cells) :], fillvalue=""
        )
    ]
    return _add_components(b, sums, cells, str(whole), str(count)) if whole < count else sums


def _in_parts(b: Builder, cells: Sequence[tuple[Scalar, Known]], count: int) -> list[str]:
    """The same in less code, which takes longer: long sums are made of parts, one by one."""
    zeros = [b.const(0.0)] * len(cells)
    if count <= PART:
        return _add_components(b, zeros, cells, "0", str(count))
    carry = [(b.type, zero) for zero in zeros]
    with b.loop("0", str(count), str(PART), carry=carry, nonempty=True) as parts:
        end = b.op("add", parts.index, str(PART), "i64")
        if count % PART:
            inside = b.compare_int("slt", end, str(count), "i64")
            end = b.let(f"select i1 {inside}, i64 {end}, i64 {count}")
        sums = _add_components(b, zeros, cells, parts.index, end)
        parts.next = [b.add(held, name) for held, name in zip(parts.values, sums, strict=True)]
    return parts.values


def _add_components(
    b: Builder, sums: Sequence[str], cells: Sequence[tuple[Scalar, Known]], first: str, end: str
) -> list[str]:
    carry = [(b.type, name) for name in sums]
    with b.loop(first, end, carry=carry, nonempty=True) as turns:
        turns.next = _with_component(b, turns.values, cells, turns.index)
    return turns.values


def _with_component(
    b: Builder, sums: Sequence[str], cells: Sequence[tuple[Scalar, Known]], c: str
) -> list[str]:
    return [
        add_component(b, held, body, known, c)
        for held, (body, known) in zip(sums, cells, strict=True)
    ]


def _offset(b: Builder, c: str, offset: int) -> str:
    return b.op("add", c, str(offset), "i64")


def prepare(b: Builder, bodies: Sequence[Scalar], known: Known) -> None:
    """Computes what a loop with these bodies takes from outside of it."""
    needed = [s for s in _outside_of_loops(bodies, known) if not isinstance(s, Const)]
    evaluate(b, needed, known)


def _guard(b: Builder, guard: Guard, places: Sequence[Known]) -> None:
    """The exact way is gone for all places if it is needed at one: their loops are shared."""
    fast, doubtful = [], ""
    for known in places:
        name, bound = _straight(b, [guard.fast, guard.bound], known)
        fast.append(name)
        # Unordered, so that NaN is in doubt as well.
        low = b.compare("ult", name, bound)
        doubtful = b.either(doubtful, low) if doubtful else low
    carry = [(b.type, name) for name in fast]
    with b.when(b.any(doubtful), carry=carry, rare=True) as arm:
        inside = [merged(known) for known in places]
        run_loops(b, [guard.exact], inside, rare=True)
        for place, known in enumerate(inside):
            (exact,) = _straight(b, [guard.exact], known)
            low = b.compare("ult", fast[place], known[guard.bound])
            arm.next[place] = b.select(low, exact, fast[place])
    for known, name in zip(places, arm.values, strict=True):
        known[guard] = name


def add_component(b: Builder, total: str, body: Scalar, known: Known, c: str) -> str:
    """total + body at component `c`, in one instruction if the body is a product."""
    if isinstance(body, Apply) and body.instr.name == "mul" and body not in known:
        x, y = body.operands
        first = component(b, x, known, c)
        return b.fma(first, first if x is y else component(b, y, known, c), total)
    # Differences keep the adders busy; the multipliers would be idle.
    return b.fma(component(b, body, known, c), b.const(1.0), total)


def component(b: Builder, root: Scalar, known: Known, c: str) -> str:
    """The name of an expression at component `c` of the loop that is being written."""
    shared = known.sources.get(root.rate & PAIR)
    if root.rate & COMPONENT and shared is not None:
        return shared(root, c)
    return with_components(b, [root], known, {}, c)[0]


def with_components(
    b: Builder,
    roots: Sequence[Scalar],
    known: Known,
    names: dict[tuple[Scalar, str], str],
    c: str,
    leaf: Source | None = None,
) -> list[str]:
    """The names of `roots` at component `c`, made of what `known` has and of its sources.

    names: those of earlier calls, by expression and component; takes the new ones.
    leaf: what gives leaves of the rate of `roots`; expressions of other rates have sources.
    """
    rates = {root.rate & PAIR for root in roots}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        scalar, done = stack.pop()
        if (scalar, c) in names or scalar in known:
            continue
        if isinstance(scalar, Const):
            known[scalar] = b.const(scalar.value)
        elif scalar.rate & COMPONENT and scalar.rate & PAIR not in rates:
            names[scalar, c] = known.sources[scalar.rate & PAIR](scalar, c)
        elif isinstance(scalar, Apply) and done:
            operands = [names.get((o, c)) or known[o] for o in scalar.operands]
            names[scalar, c] = SPELLING[scalar.instr.name](b, *operands)
        elif isinstance(scalar, Apply):
            stack.append((scalar, True))
            stack.extend((operand, False) for operand in reversed(scalar.operands))
        else:
            assert leaf is not None, scalar
            names[scalar, c] = leaf(scalar, c)
    return [names.get((root, c)) or known[root] for root in roots]
