"""The mesh that shardings speak of, found from which device holds what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

Digits = tuple[int, ...]


def common_mesh(
    devices: Sequence[jax.Device], arrays: Sequence[Any]
) -> tuple[Mesh, list[PartitionSpec]]:
    """A mesh of all devices, in their order, whose axes say where all of `arrays` are, and how.

    arrays: with a shape and a sharding, or None for one that each device has. When XLA
    partitions a program, shardings say which device has which part, and name no axes: programs may
    have several meshes. The axes are prime numbers of devices, in the one order of the primes in
    which every part is a matter of digits. Where there is none (no mesh gives such shardings),
    arrays are taken as ones that each device has.
    """
    count = len(devices)
    places = [_places(devices, each) for each in arrays]
    for sizes in _factorizations(count):
        found = [[_axes(place, sizes) for place in of_array] for of_array in places]
        if all(axes is not None for of_array in found for axes in of_array):
            specs = [PartitionSpec(*(axes or None for axes in each)) for each in found]
            return _mesh(devices, sizes), specs
    return _mesh(devices, (count,)), [PartitionSpec() for _ in arrays]


def _mesh(devices: Sequence[jax.Device], sizes: Digits) -> Mesh:
    names = tuple(_name(k) for k in range(len(sizes)))
    return Mesh(np.array(devices, dtype=object).reshape(sizes), names)


def _name(axis: int) -> str:
    return f"d{axis}"


def _places(devices: Sequence[jax.Device], array: Any) -> list[np.ndarray]:
    """For each axis of the array, the number of the part that each device has."""
    if array.sharding is None:
        return []
    count = len(devices)
    # Of an array that any number of parts divides: shardings refuse others.
    held = array.sharding.devices_indices_map((count,) * len(array.shape))
    return [
        _ranks(np.array([held[device][axis].start or 0 for device in devices]))
        for axis in range(len(array.shape))
    ]


def _ranks(starts: np.ndarray) -> np.ndarray:
    return np.unique(starts, return_inverse=True)[1].reshape(-1)


def _axes(place: np.ndarray, sizes: Digits) -> tuple[str, ...] | None:
    """The axes of a mesh of these sizes that split as `place` says, if there are some."""
    digits = np.unravel_index(np.arange(len(place)), sizes)
    strides = [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
    weights = [int(place[stride] - place[0]) for stride in strides]
    if not np.array_equal(sum(w * d for w, d in zip(weights, digits, strict=True)), place):
        return None
    order = sorted((w, k) for k, w in enumerate(weights) if w)
    if [w for w, _ in order] != [
        math.prod(sizes[k] for _, k in order[:place_of]) for place_of in range(len(order))
    ]:
        return None
    return tuple(_name(k) for _, k in reversed(order))


def _factorizations(count: int) -> Iterator[Digits]:
    """The products of primes that are `count`, in every order."""
    if count == 1:
        yield ()
    for prime in _primes(count):
        for rest in _factorizations(count // prime):
            yield (prime, *rest)


def _primes(count: int) -> list[int]:
    found, candidate = [], 2
    while count > 1:
        if count % candidate:
            candidate += 1
            continue
        found.append(candidate)
        count //= candidate
    return list(dict.fromkeys(found))
