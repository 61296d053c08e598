"""Kernels for GPUs from Python, on a driver that is fake: calls, copies, failures, absence."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import fake_gpu
import pytest

from jaxkeops.errors import NoBackendError
from jaxkeops.runtime import native

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("g++") is None, reason="builds a fake driver with g++"
)

START = """
import sys
sys.path[:0] = [{folder!r}]
import numpy as np
from fake_gpu import *
from jaxkeops import errors
gpu = Gpu({library!r})
"""


@pytest.fixture
def with_gpus(in_new_process: Callable[..., str]) -> Callable[..., str]:
    """Runs text where the driver is the fake one: the real one, or its absence, stays elsewhere."""
    start = START.format(folder=str(Path(__file__).parents[1]), library=fake_gpu.library())

    def run(text: str, **environment: str) -> str:
        return in_new_process(start + text.replace("\n    ", "\n"), **environment)

    return run


def test_devices_are_listed_and_no_context_is_made(with_gpus):
    printed = with_gpus("""
    import jaxkeops.numpy
    print(gpu.counts().contexts, native.cuda_devices(), gpu.counts().contexts)
    """)
    assert printed.strip() == "0 (('Fake H200', 90, 132), ('Fake A100', 80, 108)) 0"


def test_tensors_are_reduced_on_a_stream_of_their_device(with_gpus):
    with_gpus("""
    kernel = make_kernel()
    for device, multiprocessors in ((0, 132), (1, 108), (0, 132)):
        stream = gpu.driver.fake_stream(device)
        for M, N, batch in ((1, 1, ()), (20, 500, ()), (9, 40, (3,)), (5, 0, (2,)), (0, 3, ())):
            *given, out = arrays(M, N, batch)
            size = kernel.workspace_bytes([array.shape for array in given], multiprocessors)
            workspace = Tensor(np.empty(size, "uint8"))
            args = tuple(map(Tensor, given))
            kernel.call_tensors(args, (Tensor(out),), workspace, device, stream)
            assert is_right(*given, out), (M, N, batch)
    counts = gpu.counts()
    assert (counts.loads, counts.allocations, counts.synchronizations) == (2, 0, 0)
    """)


def test_few_rows_are_split(with_gpus):
    with_gpus("""
    kernel = make_kernel()
    *given, out = arrays(8, 16 * 20)
    size = kernel.workspace_bytes([array.shape for array in given], 132)
    workspace = Tensor(np.empty(size, "uint8"))
    kernel.call_tensors(tuple(map(Tensor, given)), (Tensor(out),), workspace, 0, 0)
    assert gpu.calls == [("part", (1, 10)), ("combine", (1, 1))], gpu.calls
    """)


def test_arrays_of_the_host_are_copied(with_gpus):
    with_gpus("""
    kernel = make_kernel()
    for device in (0, 1):
        for M, N, batch in ((20, 500, ()), (9, 40, (3, 2)), (5, 0, (2,))):
            *given, out = arrays(M, N, batch)
            kernel.call_buffers(tuple(given), (out,), device)
            assert is_right(*given, out)
    assert gpu.counts().live_bytes == 0
    """)


def test_wrong_calls_are_refused(with_gpus):
    with_gpus("""
    import pytest
    kernel = make_kernel()
    x, y, p, out = arrays(5, 7)
    blocks = np.array([[0, 5]]), np.array([1]), np.array([[0, 7]])
    def refused(kind, words, *args):
        with pytest.raises(kind, match=words):
            kernel.call_buffers(*args)
    refused(ValueError, "expected 3 inputs, got 2", (x, y), (out,), 0)
    refused(ValueError, "input 1: its dtype is not", (x, y.astype("float64"), p), (out,), 0)
    refused(ValueError, "output 0: expected shape", (x, y, p), (out[1:],), 0)
    refused(ValueError, "is for calls without ranges", (x, y, p), (out,), 0, blocks)
    refused(errors.NoBackendError, "There is no CUDA device 2: this process has 2", (x, y, p),
            (out,), 2)
    tensors = tuple(map(Tensor, (x, y, p)))
    with pytest.raises(ValueError, match="the workspace has 0 bytes, and must have 256"):
        kernel.call_tensors(tensors, (Tensor(out),), None, 0, 0)
    assert gpu.counts().launches == 0
    """)


def test_what_the_driver_says_is_told(with_gpus):
    with_gpus("""
    import pytest
    kernel = make_kernel()
    x, y, p, out = arrays(5, 7)
    def told(kind, words):
        with pytest.raises(kind, match=words):
            kernel.call_buffers((x, y, p), (out,), 0)
    gpu.fail("cuModuleLoadDataEx", 200)
    told(errors.DeviceError, r"cuModuleLoadDataEx: CUDA_ERROR_INVALID_IMAGE .200., the fake")
    gpu.fail("cuLaunchKernel", 700)
    told(RuntimeError, "Launching part on Fake H200: cuLaunchKernel: CUDA_ERROR_ILLEGAL_ADDRESS")
    gpu.fail("cuMemAllocAsync", 2)
    told(MemoryError, "the GPU has no 1280 bytes left")
    kernel.call_buffers((x, y, p), (out,), 0)
    assert is_right(x, y, p, out)
    wrong = make_kernel(images={75: b"fake sm_75"})
    with pytest.raises(errors.DeviceError, match="compiled for sm_75, and Fake H200 is sm_90"):
        wrong.load(0)
    """)


def test_a_kernel_is_found_by_its_key(with_gpus):
    with_gpus("""
    kernel = make_kernel()
    assert type(native.publish("a key", kernel)) is native.CudaKernel
    found = native.find("a key")
    assert found.inputs == kernel.inputs and not found.has_ranges
    native.set_compile_hook(lambda key, text: make_kernel(dtype="float64"))
    assert native.find_or_compile("another", "text").dtype == "float64"
    """)


def test_threads_share_kernels_and_devices(with_gpus):
    with_gpus("""
    from concurrent.futures import ThreadPoolExecutor
    kernel = make_kernel()
    def call(k):
        *given, out = arrays(5 + k, 40)
        kernel.call_buffers(tuple(given), (out,), k % 2)
        return is_right(*given, out)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(call, range(64)))
    assert gpu.counts().loads == 2 and gpu.counts().live_bytes == 0
    """)


def test_a_forked_process_is_told_to_be_spawned(with_gpus):
    printed = with_gpus("""
    import os
    kernel = make_kernel()
    x, y, p, out = arrays(5, 7)
    kernel.call_buffers((x, y, p), (out,), 0)
    child = os.fork()
    if child == 0:
        try:
            kernel.call_buffers((x, y, p), (out,), 0)
        except errors.DeviceError as error:
            print(error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    kernel.call_buffers((x, y, p), (out,), 0)
    assert is_right(x, y, p, out)
    """)
    assert printed.startswith("cuCtxGetCurrent: CUDA_ERROR_NOT_INITIALIZED (3), the fake driver")
    assert "forked from one that used a GPU cannot use one: start it by 'spawn'" in printed


def test_a_driver_without_a_device_is_told(with_gpus):
    printed = with_gpus(
        """
    try:
        make_kernel().load(0)
    except errors.NoBackendError as error:
        print(error)
    """,
        FAKE_CUDA_DEVICES="0",
        CUDA_VISIBLE_DEVICES="5",
    )
    assert "libcuda.so.1, which is there, but does not start: cuInit" in printed
    assert "CUDA_VISIBLE_DEVICES is '5'" in printed


def test_cubins_are_compiled_and_loaded_beside_the_driver(with_gpus):
    with_gpus("""
    from jaxkeops.backends.cuda import build
    text = 'extern "C" __global__ void part(float *x) { *x += 1; }'
    try:
        images = {a: build.compile_code(text, a, ()) for a in (80, 90)}
    except errors.NoBackendError:  # NVRTC is not installed
        sys.exit()
    kernel = make_kernel(images=images)
    for device in (0, 1):
        kernel.load(device)
    assert gpu.counts().loads == 2
    """)


def test_a_driver_that_is_too_old_for_any_compiler_is_told(with_gpus):
    """The libraries are whatever is installed."""
    printed = with_gpus(
        """
    from jaxkeops.backends.cuda import build
    try:
        native.find_nvrtc(build.libraries())
    except errors.NoBackendError as error:
        print(error)
    """,
        FAKE_CUDA_VERSION="11080",
    )
    assert (
        "looked for NVRTC, the library libnvrtc, of version 12. The driver is of CUDA 11:"
        in printed
    )
    assert "pip install" not in printed


def test_a_kernel_without_code_can_be_planned_alone(with_gpus):
    with_gpus("""
    import pytest
    kernel = make_kernel(images={})
    assert kernel.workspace_bytes([(8, 1), (320, 1), (1,)], 132) == 512
    with pytest.raises(errors.DeviceError, match="compiled for no GPU, and Fake H200 is sm_90"):
        kernel.load(0)
    """)


def test_descriptions_that_make_no_sense_are_refused():
    step = fake_gpu.Step("part", "tiles", 32)
    for launch, words in (
        (fake_gpu.Launch((step,), 0, 16), "tile_rows and tile_columns must be at least 1"),
        (fake_gpu.Launch((fake_gpu.Step("part", "cells", 32),), 8, 16), "grid: .* 'cells'"),
        (fake_gpu.Launch((fake_gpu.Step("part", "rows", 32, 0, "never"),), 8, 16), "when: .*never"),
        (fake_gpu.Launch((fake_gpu.Step("part", "rows", 0),), 8, 16), "expected 1 to 1024"),
    ):
        with pytest.raises(ValueError, match=words):
            fake_gpu.make_kernel(launch=launch)
    kernel = fake_gpu.make_kernel()
    assert kernel.inputs == (("i", 1), ("j", 1), ("p", 1))
    assert kernel.outputs == ((1, "float32", -1.5, "i"),)


def test_without_a_gpu_a_sentence_names_what_was_looked_for(in_new_process):
    printed = in_new_process("""
        import sys
        from jaxkeops.errors import NoBackendError
        from jaxkeops.runtime import native
        try:
            print(native.cuda_devices())
        except NoBackendError as error:
            print(error)
    """)
    try:
        assert str(native.cuda_devices()) == printed.strip()
    except NoBackendError:
        assert printed.startswith("No CUDA GPU can be used: looked for the CUDA driver, libcuda.so")
