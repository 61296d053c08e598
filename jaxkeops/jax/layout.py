"""Which axis of a mesh splits which rows: the sharding of a call, as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax.sharding import PartitionSpec

from ..formula import Formula
from .ranges import ARRAYS

Shape = tuple[Any, ...]
Factors = tuple[str, ...]  # what each axis of an array counts

WHOLE = "w"  # begins the factors that no mesh axis splits: coordinates, ranges, extents of 1
# A ring takes no more memory than the columns that a device holds, and a launch for each device. Up
# to so many bytes of gathered columns, one launch is worth the memory.
RING_BYTES = 1 << 28


@dataclass(frozen=True)
class Layout:
    """The factors of each array of a call: "b0", "b1", ... of the batch, "i", "j", or one's own."""

    operands: tuple[Factors, ...]
    results: tuple[Factors, ...]

    def named(self) -> tuple[str, ...]:
        """All factors, in the order in which they appear."""
        every = (name for names in (*self.operands, *self.results) for name in names)
        return tuple(dict.fromkeys(every))


@dataclass(frozen=True)
class Assignment:
    """The mesh axes that split each factor.

    ring: those of "j" along which blocks of columns go round, as they split the rows as well;
    the others of "j" hold parts of one result.
    """

    axes: Mapping[str, tuple[str, ...]]
    ring: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(axis for axis in self.axes.get("j", ()) if axis not in self.ring)

    def spec(self, names: Factors) -> PartitionSpec:
        return PartitionSpec(*(self.axes.get(name) or None for name in names))


def layout(formula: Formula, ranges: bool, shapes: Sequence[Shape]) -> Layout:
    """That of operands of these shapes, ranges included, and of the results."""
    count = 0

    def own() -> str:
        nonlocal count
        count += 1
        return f"{WHOLE}{count}"

    inputs = formula.inputs
    depth = min(len(s) - (given.axis != "p") - 1 for given, s in zip(inputs, shapes, strict=False))
    operands = []
    for given, shape in zip(inputs, shapes, strict=False):
        names = [f"b{k}" if shape[k] != 1 else own() for k in range(depth)]
        operands.append((*names, *([given.axis] if given.axis != "p" else []), own()))
    if ranges:
        blocks = shapes[len(inputs) :]
        assert len(blocks) == ARRAYS, blocks
        operands += [tuple(own() for _ in shape) for shape in blocks]
    known = {name for names in operands for name in names}
    results = []
    for result in formula.results:
        batch = [f"b{k}" if f"b{k}" in known else own() for k in range(depth)]
        rows = ["i" if "i" in known else own()] if result.axis != "p" else []
        results.append((*batch, *rows, own()))
    return Layout(tuple(operands), tuple(results))


def rule(of: Layout) -> tuple[str, dict[str, tuple[str, ...]]]:
    """The layout as Shardy reads it; it wants factors listed in the order in which they appear."""
    sides = (", ".join(map(" ".join, side)) for side in (of.operands, of.results))
    kept = {name for names in of.results for name in names}
    options = {
        "reduction_factors": tuple(n for n in of.named() if n in ("i", "j") and n not in kept),
        "need_replication_factors": tuple(n for n in of.named() if n.startswith(WHOLE)),
    }
    return " -> ".join(sides), options


def assign(
    of: Layout,
    operand_specs: Sequence[PartitionSpec],
    result_specs: Sequence[PartitionSpec],
    operand_bytes: Sequence[int],
    result_bytes: Sequence[int],
    sizes: Mapping[str, int],
) -> Assignment:
    """One factor for each mesh axis that is asked for: that for which least has to move.

    specs: where operands are, and where results are wanted. bytes: of whole arrays. sizes: of the
    mesh axes. What an operand has along an axis that another factor takes is gathered; parts of
    a result are added up, which moves the result twice.
    """
    wanted: dict[str, list[str]] = {}  # mesh axis -> factors, in the order in which they ask
    for names, spec in [
        *zip(of.results, result_specs, strict=True),
        *zip(of.operands, operand_specs, strict=True),
    ]:
        for name, axes in placed(names, spec):
            for axis in axes:
                asking = wanted.setdefault(axis, [])
                if name not in asking and not name.startswith(WHOLE):
                    asking.append(name)
    taken: dict[str, str] = {}
    for axis, asking in wanted.items():
        if asking and sizes[axis] > 1:
            costs = {
                name: _moved(of, axis, name, operand_specs, operand_bytes, result_bytes)
                for name in asking
            }
            taken[axis] = min(asking, key=lambda name: (costs[name], name == "j"))
    axes: dict[str, tuple[str, ...]] = {}
    for name in of.named():
        axes[name] = tuple(axis for axis in wanted if taken.get(axis) == name)
    contested = _ring(of, axes, wanted, operand_specs, operand_bytes)
    ring = in_order(contested, sizes)
    return Assignment(axes | {"j": (*axes.get("j", ()), *ring)}, ring)


def typed(of: Layout, operand_specs: Sequence[PartitionSpec]) -> list[PartitionSpec]:
    """Where results are, as a type tells: as the operands' rows i and batches, first come first."""
    axes: dict[str, tuple[str, ...]] = {}
    used: set[str] = set()
    for names, spec in zip(of.operands, operand_specs, strict=True):
        for name, given in placed(names, spec):
            if name not in axes and name != "j" and not name.startswith(WHOLE):
                axes[name] = tuple(axis for axis in given if axis not in used)
                used.update(axes[name])
    made = Assignment(axes, ())
    return [made.spec(names) for names in of.results]


def placed(names: Factors, spec: PartitionSpec) -> list[tuple[str, tuple[str, ...]]]:
    """The factors of an array that are split, and the mesh axes that do it."""
    found = []
    for name, entry in zip(names, spec, strict=False):
        if isinstance(entry, str | tuple):
            found.append((name, (entry,) if isinstance(entry, str) else tuple(entry)))
    return found


def _moved(
    of: Layout,
    axis: str,
    name: str,
    operand_specs: Sequence[PartitionSpec],
    operand_bytes: Sequence[int],
    result_bytes: Sequence[int],
) -> int:
    """The bytes that a device receives if `name` is what the mesh axis splits."""
    gathered = sum(
        size
        for names, spec, size in zip(of.operands, operand_specs, operand_bytes, strict=True)
        if any(axis in axes and other != name for other, axes in placed(names, spec))
    )
    added = sum(
        2 * size for names, size in zip(of.results, result_bytes, strict=True) if name not in names
    )
    return gathered + added


def _ring(
    of: Layout,
    axes: Mapping[str, tuple[str, ...]],
    wanted: Mapping[str, Sequence[str]],
    operand_specs: Sequence[PartitionSpec],
    operand_bytes: Sequence[int],
) -> tuple[str, ...]:
    """The mesh axes of rows that columns lie along too, if they are too many to be gathered."""
    contested = tuple(axis for axis in axes.get("i", ()) if "j" in wanted[axis])
    gathered = sum(
        size
        for names, spec, size in zip(of.operands, operand_specs, operand_bytes, strict=True)
        if any(name == "j" and set(given) & {*contested} for name, given in placed(names, spec))
    )
    return contested if gathered > RING_BYTES else ()


def in_order(axes: Sequence[str], mesh_axes: Iterable[str]) -> tuple[str, ...]:
    """The axes in the order of the mesh, in which alone `ppermute` takes several."""
    return tuple(axis for axis in mesh_axes if axis in axes)


def product(sizes: Mapping[str, int], axes: Sequence[str]) -> int:
    return math.prod(sizes[axis] for axis in axes)
