"""Scalar expressions on a tile: one array for all of its pairs, and for all components of a loop.

Every array here has three axes (components, columns, rows), and an extent of 1 along those on
which it does not depend. Rows come last: they are the lanes of a vector, and sums over columns or
components then need no sum across lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import jax
import jax.numpy as jnp
from jax import lax

from ...ir import (
    COLUMN,
    COMPONENT,
    PAIR,
    ROW,
    Apply,
    Centre,
    Column,
    Const,
    Each,
    Fold,
    Guard,
    Index,
    Load,
    Scalar,
    State,
    loop_counts,
    topological,
)
from .spelling import SPELLING

Array = jax.Array
Values = dict[Scalar, Array]

AT_ONCE = 8  # components of which an array of all pairs is made, where a sum has more


@dataclass(frozen=True)
class Leaves:
    """What the leaves of a program are, by number: arrays (numbers, columns or 1, rows or 1).

    loads, centres: by slot; None where the program reads no such number.
    first: the component at which all loops begin, where they are cut.
    """

    dtype: str
    loads: Sequence[Array | None]
    centres: Sequence[Array | None]
    columns: Array | None = None
    states: Array | None = None
    indices: Array | None = None
    first: Array | int = 0

    def with_columns(self, roots: Sequence[Scalar]) -> Leaves:
        """The same, with what is computed once for each column of this tile."""
        if not roots:
            return self
        return replace(self, columns=jnp.concatenate(evaluate(roots, self)))

    def of(self, leaf: Scalar, count: int) -> Array:
        """The numbers of a leaf at `count` components, from `first` on."""
        match leaf:
            case Const(value=value):
                return jnp.full((1, 1, 1), value, self.dtype)
            case Load(slot=slot, k=k, stride=stride):
                return self._numbers(self.loads[slot], k, stride, count)
            case Centre(slot=slot, k=k, stride=stride):
                return self._numbers(self.centres[slot], k, stride, count)
            case Column(k=k, stride=stride):
                return self._numbers(self.columns, k, stride, count)
            case State(k=k, stride=stride):
                return self._numbers(self.states, k, stride, count)
            case Index(k=k):
                return self._numbers(self.indices, k, 0, 1)
        raise AssertionError(leaf)

    def _numbers(self, array: Array | None, k: int, stride: int, count: int) -> Array:
        assert array is not None
        if not stride:
            return lax.slice_in_dim(array, k, k + 1)
        start = k + stride * self.first
        if not isinstance(start, int) and stride == 1:
            return lax.dynamic_slice_in_dim(array, start, count)
        if not isinstance(start, int):
            places = start + stride * jnp.arange(count, dtype=start.dtype)
            return array.at[places].get(mode="promise_in_bounds")
        last = start + stride * (count - 1)
        found = lax.slice_in_dim(array, min(start, last), max(start, last) + 1, abs(stride))
        return found if stride > 0 else lax.rev(found, (0,))


def evaluate(roots: Sequence[Scalar], leaves: Leaves) -> list[Array]:
    """The numbers of each root: (width of the root, columns or 1, rows or 1)."""
    values = _evaluate(roots, leaves, loop_counts(roots), {})
    found = []
    for root in roots:
        if isinstance(root, Each):
            body = values[root.body]
            shape = (root.count, *body.shape[1:])
            found.append(jnp.broadcast_to(body[: root.count], shape))
        else:
            found.append(values[root])
    return found


def pair_width(roots: Iterable[Scalar]) -> int:
    """The most components that an array of all pairs of a tile has."""
    roots = list(roots)
    counts = loop_counts(roots)
    return max(
        (counts.get(s, 1) for s in _order(roots) if s.rate & PAIR == PAIR),
        default=1,
    )


def _order(roots: Sequence[Scalar]) -> list[Scalar]:
    """What is computed on every tile for all components at once, operands first."""
    wanted: set[Scalar] = set()
    stack = list(roots)
    while stack:
        scalar = stack.pop()
        if scalar not in wanted:
            wanted.add(scalar)
            stack.extend(_needs(scalar))
    return [scalar for scalar in topological(roots) if scalar in wanted]


def _needs(scalar: Scalar) -> tuple[Scalar, ...]:
    match scalar:
        case Guard(fast=fast, bound=bound):
            return fast, bound
        case Fold(body=body):
            if _is_long(scalar):
                return tuple(s for s in topological([body]) if not s.rate & COMPONENT)
            return _factors(scalar) or (body,)
    return scalar.inside


def _evaluate(
    roots: Sequence[Scalar], leaves: Leaves, counts: dict[Scalar, int], known: Values
) -> Values:
    """The values of `roots` and of what they are made of; counts: of components, in loops."""
    values = dict(known)
    for scalar in _order(roots):
        if scalar in values:
            continue
        match scalar:
            case Apply(instr=instr, operands=operands):
                count = counts.get(scalar, 1)  # operands may serve longer loops as well
                given = (values[operand][:count] for operand in operands)
                values[scalar] = SPELLING[instr.name](*given)
            case Fold(body=body, count=count):
                if _is_long(scalar):
                    values[scalar] = _sum_by_parts(scalar, leaves, values)
                elif factors := _factors(scalar):
                    values[scalar] = _inner_product(*(values[each][:count] for each in factors))
                else:
                    values[scalar] = _sum(values[body][:count])
            case Guard(fast=fast, exact=exact, bound=bound):
                values[scalar] = _guarded(
                    values[fast],
                    values[bound],
                    lambda exact=exact: _evaluate([exact], leaves, counts, values)[exact],
                )
            case Each():
                pass  # its body is the value
            case _:
                values[scalar] = leaves.of(scalar, counts.get(scalar, 1))
    return values


def _factors(fold: Fold) -> tuple[Scalar, Scalar] | None:
    """(x, y) if it is a sum over components of products, x without columns and y without rows.

    Such a sum is a product of matrices, and no array of all components and pairs is made.
    """
    body = fold.body
    if isinstance(body, Apply) and body.instr.name == "mul":
        for x, y in (body.operands, body.operands[::-1]):
            if x.rate == ROW | COMPONENT and y.rate == COLUMN | COMPONENT:
                return x, y
    return None


def _is_long(fold: Fold) -> bool:
    """Whether components are taken some at a time: there are many, of all pairs."""
    pairs = fold.body.rate & PAIR == PAIR
    return pairs and fold.count > AT_ONCE and _factors(fold) is None


def _inner_product(x: Array, y: Array) -> Array:
    """x: (K, 1, rows), y: (K, columns, 1) -> (1, columns, rows)."""
    product = lax.dot_general(
        y[:, :, 0],
        x[:, 0, :],
        (((0,), (0,)), ((), ())),
        precision=lax.Precision.HIGHEST,  # else a TPU rounds float32 to bfloat16 first
        preferred_element_type=x.dtype,
    )
    return product[None]


def _sum(terms: Array) -> Array:
    """(K, columns, rows) -> (1, columns, rows)."""
    if terms.shape[0] > AT_ONCE:
        return terms.sum(0, keepdims=True)
    # On CPUs, XLA fuses a sum over the first axis into a loop that it does not vectorise.
    return reduce(jnp.add, [terms[k : k + 1] for k in range(terms.shape[0])])


def _sum_by_parts(fold: Fold, leaves: Leaves, values: Values) -> Array:
    known = {scalar: value for scalar, value in values.items() if not scalar.rate & COMPONENT}
    inside = [scalar for scalar in topological([fold.body]) if scalar.rate & COMPONENT]

    def part(first: Array | int, size: int) -> Array:
        counts = dict.fromkeys(inside, size)
        found = _evaluate([fold.body], replace(leaves, first=first), counts, known)
        return _sum(found[fold.body])

    whole, rest = divmod(fold.count, AT_ONCE)
    start = part(0, AT_ONCE)
    total = lax.fori_loop(1, whole, lambda n, held: held + part(n * AT_ONCE, AT_ONCE), start)
    return total + part(whole * AT_ONCE, rest) if rest else total


def _guarded(fast: Array, bound: Array, exact: Callable[[], Array]) -> Array:
    """`fast` where it is at least `bound`, which NaN never is; the exact way where it must be."""
    good = fast >= bound
    return lax.cond(good.all(), lambda: fast, lambda: jnp.where(good, fast, exact()))
