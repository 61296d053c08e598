"""Parameters that are one row, and parameters without rows: one shape in each door."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxkeops import numpy as numpy_door
from jaxkeops.errors import ArgumentError
from jaxkeops.frontend.shapes import align
from jaxkeops.ir import Input

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
jax_door = pytest.importorskip("jaxkeops.jax")
torch_door = pytest.importorskip("jaxkeops.torch")

BESIDE = "p * x * y", ["p = Pm(3)", "x = Vi(3)", "y = Vj(3)"]
ALONE = "p * q", ["p = Pm(3)", "q = Pm(3)"]
CALLS = 3  # a door may take a quicker way from its second call on


def by_all_ways(arrays, formula, aliases):
    """The result of each door and way; of one that has no data, NaNs of its shape."""
    of_numpy, of_jax, of_torch = (
        door.Genred(formula, aliases, axis=1) for door in (numpy_door, jax_door, torch_door)
    )
    tensors = [torch.from_numpy(array) for array in arrays]
    found = {f"numpy, call {k}": of_numpy(*arrays) for k in range(CALLS)}
    found |= {f"torch, call {k}": of_torch(*tensors).numpy() for k in range(CALLS)}
    found |= {"jax": of_jax(*arrays), "xla": of_jax(*arrays, backend="XLA")}
    found["jit"] = jax.jit(of_jax)(*arrays)
    found["meta"] = np.full(of_torch(*[each.to("meta") for each in tensors]).shape, np.nan)
    return found


@pytest.mark.parametrize(
    ("shapes", "meant", "expected"),
    [
        # p, x, y                      p as it is meant
        (((3,), (4, 3), (5, 3)), (3,), (4, 3)),
        (((1, 3), (4, 3), (5, 3)), (3,), (4, 3)),
        (((1, 1, 3), (4, 3), (5, 3)), (1, 3), (1, 4, 3)),
        (((2, 3), (4, 3), (5, 3)), (2, 3), (2, 4, 3)),
        (((2, 1, 3), (4, 3), (5, 3)), (2, 3), (2, 4, 3)),
        (((1, 3), (1, 4, 3), (5, 3)), (1, 3), (1, 4, 3)),
        (((1, 1, 3), (1, 4, 3), (5, 3)), (1, 3), (1, 4, 3)),
        # p, q
        (((3,), (3,)), (3,), (1, 3)),
        (((1, 3), (3,)), (3,), (1, 3)),
        (((1, 3), (1, 3)), (3,), (1, 3)),
        (((1, 1, 3), (1, 1, 3)), (1, 3), (1, 1, 3)),
        (((2, 1, 3), (2, 1, 3)), (2, 3), (2, 1, 3)),
        (((2, 3), (2, 3)), (2, 3), (2, 1, 3)),
        (((1, 2, 3), (3,)), (1, 2, 3), (1, 2, 1, 3)),
    ],
)
def test_every_door_gives_one_shape(shapes, meant, expected, rng):
    arrays = [rng.uniform(0.5, 1, shape) for shape in shapes]
    p = arrays[0].reshape(meant)[..., None, :]
    if len(arrays) == 3:
        right = p * arrays[1] * arrays[2].sum(-2, keepdims=True)
    else:
        q = arrays[1].reshape(meant if arrays[1].size == p.size else (3,))
        right = p * q[..., None, :]
    with jax.enable_x64(True):
        found = by_all_ways(arrays, *(BESIDE if len(arrays) == 3 else ALONE))
    assert {way: each.shape for way, each in found.items()} == dict.fromkeys(found, expected)
    for way in found.keys() - {"meta"}:
        assert_allclose(found[way], right.reshape(expected), rtol=4 * np.finfo(float).eps)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
def test_maps_of_any_length_add_one_axis(count, axes, rng):
    for shapes in (((3,), (3,)), ((1, 3), (3,)), ((1, 2, 3), (3,))):
        arrays = [
            rng.uniform(0.5, 1, shape if axis is None else (count, *shape))
            for shape, axis in zip(shapes, axes, strict=True)
        ]
        of_torch = torch_door.Genred(*ALONE, axis=1)
        tensors = [torch.from_numpy(array) for array in arrays]
        mapped = torch.func.vmap(of_torch, in_dims=axes)(*tensors)
        one_by_one = [
            of_torch(*(t if axis is None else t[k] for t, axis in zip(tensors, axes, strict=True)))
            for k in range(count)
        ]
        torch.testing.assert_close(mapped, torch.stack(one_by_one), rtol=0, atol=0)


def test_what_is_complete_stays_so():
    parameters = [Input("p", 3), Input("p", 3)]
    assert align(parameters, [(1, 3), (1, 3)], "pq").result(3) == (1, 1, 3)
    assert align(parameters, [(2, 1, 3), (1, 1, 3)], "pq").result(3) == (2, 1, 1, 3)
    with pytest.raises(ArgumentError, match=r"q, a parameter, .* got one of shape \(1, 2\)"):
        align(parameters, [(1, 3), (1, 2)], "pq")
