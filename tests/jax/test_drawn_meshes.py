"""Meshes, shardings, sizes and reductions that are drawn: the result is that of one device."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P

from jaxkeops.jax import Genred

ALIASES = ("x = Vi(2)", "y = Vj(2)", "b = Vj(2)", "a = Vi(1)", "p = Pm(1)")
# XLA of jaxlib 0.12 ends the process when it moves some arrays between shardings of six devices.
MESHES = ((4, 2), (2, 2, 2), (2, 4), (8,))
REDUCTIONS = (
    ("Sum", "Exp(-p * SqDist(x, y)) * b * a", None, None),
    ("LogSumExp", "p * SqDist(x, y) + a", "b", None),
    ("SumSoftMaxWeight", "p * (x | y) * a", "b", None),
    ("ArgKMin", "p * SqDist(x, y) + a * Elem(b, 0)", None, 4),
    ("Max", "Sin(x - y) * a + b * p", None, None),
)


def drawn_spec(rng, names, rank):
    """Each axis of the mesh for one axis of an array, the last excepted, or for none."""
    entries = [[] for _ in range(rank)]
    for name in rng.permutation(names):
        entries[rng.integers(rank)].append(str(name))
    return P(*(tuple(entry) or None for entry in entries[:-1]))


def drawn_arrays(rng, mesh):
    """Rows that every mesh divides, some in batches, anywhere."""
    count = mesh.size
    rows = {"Vi": count * rng.integers(1, 4), "Vj": count * rng.integers(1, 4)}
    arrays = []
    for alias in ALIASES:
        kind, dim = alias.split(" = ")[1][:2], int(alias[-2])
        batch = (count,) if rng.random() < 0.2 and kind != "Pm" else ()
        shape = (*batch, *([rows[kind]] if kind in rows else []), dim)
        sharding = NamedSharding(mesh, drawn_spec(rng, mesh.axis_names, len(shape)))
        arrays.append(jax.device_put(rng.uniform(0.2, 1, shape), sharding))
    return arrays


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("shape", MESHES, ids=str)
def test_what_is_drawn_is_right(shape, kind, monkeypatch):
    rng = np.random.default_rng([*shape, kind.value])
    devices = np.array(jax.devices()[: np.prod(shape)]).reshape(shape)
    mesh = Mesh(devices, tuple("rcs"[: len(shape)]), axis_types=(kind,) * len(shape))
    for reduction, formula, weight, count in REDUCTIONS:
        monkeypatch.setattr("jaxkeops.jax.layout.RING_BYTES", int(rng.choice([0, 1 << 28])))
        axis = int(rng.integers(2))
        genred = Genred(formula, ALIASES, reduction, axis=axis, formula2=weight, opt_arg=count)
        arrays = drawn_arrays(rng, mesh)
        fewer = int(rng.integers(3)) if kind == AxisType.Auto else 0  # then nothing divides them

        def call(x, y, b, a, p, genred=genred, fewer=fewer):
            x, y, b, a = (array[..., fewer:, :] for array in (x, y, b, a))
            return genred(x, y, b, a, p)

        found = np.asarray(jax.jit(call)(*arrays))
        expected = np.asarray(call(*map(np.asarray, arrays)))
        tolerance = 0 if "Arg" in reduction else 1e-12
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
