"""What only a real GPU shows: streams, graphs, loops, several devices, memory of many calls."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from jaxkeops.errors import ArgumentError

FORMULA = "Exp(-g * SqDist(x, y)) * b"
ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(3)"]
M, N = 5, 3000  # few rows: the columns are split, and a call has a workspace
CALLS = 10_000

pytestmark = pytest.mark.device


@pytest.fixture
def arrays(rng: np.random.Generator) -> list[np.ndarray]:
    shapes = (1,), (M, 3), (N, 3), (N, 3)
    return [rng.uniform(0.2, 1.2, shape).astype("float32") for shape in shapes]


def genred(door: str, formula: str = FORMULA) -> Any:
    ours = importlib.import_module(f"jaxkeops.{door}")
    return ours.Genred(formula, ALIASES, axis=1)


def on_cpu(arrays: list[np.ndarray]) -> np.ndarray:
    wide = [np.asarray(array, "float64") for array in arrays]
    return genred("numpy")(*wide, backend="CPU")


def close(found: Any, expected: np.ndarray) -> None:
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4)


@pytest.fixture
def torch() -> ModuleType:
    library = pytest.importorskip("torch")
    if not library.cuda.is_available():
        pytest.skip("PyTorch finds no GPU")
    return library


@pytest.fixture
def jax() -> ModuleType:
    library = pytest.importorskip("jax")
    if library.default_backend() != "gpu":
        pytest.skip("JAX finds no GPU")
    return library


def test_a_graph_replays_what_it_captured(torch, arrays):
    operation = genred("torch")
    tensors = [torch.from_numpy(array).cuda() for array in arrays]
    operation(*tensors)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = operation(*tensors)
    for shift in (0.0, 0.5):
        tensors[1].add_(shift)
        result.zero_()
        graph.replay()
        torch.testing.assert_close(result, operation(*tensors), rtol=0, atol=0)


def test_a_graph_may_capture_a_first_call(torch, arrays):
    """Of a formula that no other test has: it is compiled and loaded meanwhile."""
    operation = genred("torch", "Exp(-g * SqDist(x, y)) * b + g")
    tensors = [torch.from_numpy(array).cuda() for array in arrays]
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = operation(*tensors)
    graph.replay()
    torch.testing.assert_close(result, operation(*tensors), rtol=0, atol=0)


def test_a_call_waits_for_what_is_on_its_stream_before(torch, arrays):
    operation = genred("torch")
    tensors = [torch.from_numpy(array).cuda() for array in arrays]
    operation(*tensors)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)  # cycles
        tensors[1].add_(0.5)
        result = operation(*tensors)
        assert not stream.query()  # nothing was waited for
    stream.synchronize()
    close(result.cpu(), on_cpu([each.cpu().numpy() for each in tensors]))


def test_gradients_of_tensors_are_those_of_a_cpu(torch, arrays):
    operation = genred("torch")
    found = []
    for place in ("cpu", "cuda"):
        tensors = [torch.from_numpy(array).to(place).requires_grad_() for array in arrays]
        (operation(*tensors) ** 2).sum().backward()
        found.append([tensor.grad.cpu() for tensor in tensors])
    for right, gradient in zip(*found, strict=True):
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-3)


def test_each_device_is_served(torch, arrays):
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU")
    expected, before = on_cpu(arrays), torch.cuda.current_device()
    for number in range(torch.cuda.device_count()):
        tensors = [torch.from_numpy(array).cuda(number) for array in arrays]
        result = genred("torch")(*tensors)
        assert result.device.index == number
        assert torch.cuda.current_device() == before
        close(result.cpu(), expected)
        close(genred("numpy")(*arrays, backend="GPU", device_id=number), expected)


@pytest.mark.parametrize("door", ["numpy", "torch"])
def test_many_calls_leave_memory_flat(torch, arrays, door):
    operation = genred(door)
    if door == "torch":
        given, options, calls = [torch.from_numpy(each).cuda() for each in arrays], {}, CALLS
    else:
        given, options, calls = arrays, {"backend": "GPU"}, CALLS // 10

    def free_bytes() -> int:
        torch.cuda.synchronize()
        return torch.cuda.mem_get_info()[0]

    for _ in range(10):
        operation(*given, **options)
    before = free_bytes()
    for _ in range(calls):
        operation(*given, **options)
    assert free_bytes() >= before - 2**22  # what the allocators keep in pieces


def test_a_loop_that_xla_may_record(jax, arrays):
    """Run again, its command buffers see other arrays."""
    operation = genred("jax")
    g, x, y, b = map(jax.numpy.asarray, arrays)

    @jax.jit
    def steps(x: Any) -> Any:
        for _ in range(8):
            x = x + 1e-4 * operation(g, x, y, b)
        return x

    for shift in (0.0, 0.1, 0.2, 0.3):
        moved = np.asarray(x) + np.float32(shift)
        expected = moved.astype("float64")
        for _ in range(8):
            expected = expected + 1e-4 * on_cpu([arrays[0], expected, *arrays[2:]])
        close(steps(jax.numpy.asarray(moved)), expected)


def test_gradients_of_jax_arrays_are_those_of_a_cpu(jax, arrays):
    operation = genred("jax")
    gradient = jax.jit(jax.grad(lambda *a: (operation(*a) ** 2).sum(), argnums=(0, 1, 2, 3)))
    there = gradient(*arrays)
    here = gradient(*jax.device_put(arrays, jax.devices("cpu")[0]))
    for found, right in zip(there, here, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-3)


def test_a_backend_that_contradicts_an_array_is_refused(jax, arrays):
    operation = genred("jax")
    given = [jax.numpy.asarray(array) for array in arrays]
    close(operation(*given, backend="GPU_1D_device", device_id=0), on_cpu(arrays))
    with pytest.raises(ArgumentError, match="reduced where they are"):
        operation(*given, backend="CPU")
    with pytest.raises(ArgumentError, match="device_id is 7"):
        operation(*given, device_id=7)
