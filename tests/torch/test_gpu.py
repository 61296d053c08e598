"""Tensors on a GPU: the driver is fake and its memory the host's, so CPU tensors stand for them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import fake_gpu
import fresh
import pytest
import torch

import jaxkeops
from jaxkeops.errors import ArgumentError, NoBackendError
from jaxkeops.torch import Genred
from jaxkeops.torch.place import place_of

TESTS = Path(__file__).parents[1]
START = """
import sys
sys.path[:0] = [{tests!r}, {tests!r} + "/backends/cuda"]
import types
import torch
from emulated_gpu import EmulatedGpus
from jaxkeops.torch import Genred, op
ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)"]
reduction = Genred("Exp(-g * SqDist(x, y)) * b", ALIASES, "Sum", axis=1)
kinds = "few", "dense", "ranges"
wanted = [(reduction._formula, "float32", kind) for kind in kinds]
gpus = EmulatedGpus({library!r}, {folder!r}, wanted)
stream = gpus.stream(0)
torch.cuda.current_stream = lambda device: types.SimpleNamespace(cuda_stream=stream)
def tensors(M, N, *batch):
    draw = torch.Generator().manual_seed(0)
    shapes = (1,), (M, 3), (N, 3), (N, 2)
    batches = batch, batch, (1,) * len(batch), batch
    return [torch.rand(*b, *s, generator=draw) for b, s in zip(batches, shapes)]
def on_gpu(args, ranges=()):
    return op._run_on_cuda(reduction._formula.text, args, ranges)[0]
"""


@pytest.fixture
def with_gpus(tmp_path: Path) -> Callable[[str], None]:
    """Runs text in a process of its own, whose GPUs are emulated."""
    if sys.platform != "linux" or shutil.which("g++") is None:
        pytest.skip("builds a fake driver with g++")
    library, folder = fake_gpu.library(), str(tmp_path / "kernels")
    start = START.format(tests=str(TESTS), library=library, folder=folder)
    cache = str(tmp_path / "cache")
    return lambda text: fresh.run(start + text.replace("\n    ", "\n"), JAXKEOPS_CACHE_DIR=cache)


def test_tensors_are_reduced_on_the_current_stream(with_gpus):
    with_gpus("""
    for args in (tensors(7, 1300), tensors(600, 40), tensors(9, 30, 2, 3), tensors(5, 0)):
        torch.testing.assert_close(on_gpu(args), reduction(*args))
    strided = [each.mT.contiguous().mT if each.ndim > 1 else each for each in tensors(9, 30)]
    torch.testing.assert_close(on_gpu(strided), reduction(*strided))
    counts = gpus.counts()
    assert (counts.allocations, counts.synchronizations, counts.loads) == (0, 0, 2)
    """)


def test_ranges_are_read_on_the_device(with_gpus):
    with_gpus("""
    rows, ends = torch.tensor([[0, 5], [5, 9]]), torch.tensor([1, 2])
    columns = torch.tensor([[0, 10], [20, 30]])
    ranges = (rows, ends, columns, columns, ends, rows)
    args = tensors(12, 30)
    i, j = torch.int32, torch.int64
    for dtypes in ((i, i, i), (j, j, j), (i, j, i), (j, i, i)):
        got = on_gpu(args, [each.to(dtype) for each, dtype in zip(ranges, dtypes)])
        torch.testing.assert_close(got, reduction(*args, ranges=ranges))
    """)


def test_tensors_of_another_device_are_refused(with_gpus):
    with_gpus("""
    import pytest
    from jaxkeops.errors import ArgumentError
    args = tensors(12, 30)
    with pytest.raises(ArgumentError, match="argument 0 is on cpu, argument 3 on meta"):
        on_gpu([*args[:3], args[3].to("meta")])
    blocks = [torch.tensor([[0, 5]]), torch.tensor([1]), torch.tensor([[0, 9]], device="meta")]
    with pytest.raises(ArgumentError, match="argument 0 is on cpu, redranges_j on meta"):
        on_gpu(args, blocks)
    assert gpus.counts().launches == 0
    """)


def test_a_call_is_captured_and_replayed(with_gpus):
    with_gpus("""
    args = tensors(7, 1300)
    on_gpu(args)
    gpus.driver.fake_begin_capture(stream)
    kept = torch.empty
    made = []
    torch.empty = lambda *a, **k: made.append(kept(*a, **k)) or made[-1]  # as a pool keeps it
    result = on_gpu(args)
    assert gpus.driver.fake_end_capture() == 2
    args[1].add_(1)
    gpus.driver.fake_replay()
    torch.testing.assert_close(result, reduction(*args))
    """)


def test_tensors_stay_where_they_are_unless_a_backend_says_otherwise(monkeypatch):
    here, meta = torch.zeros(2), torch.zeros(2, device="meta")
    assert place_of([here], "auto", 3) is None
    assert place_of([here], "CPU", 3) is None
    assert place_of([meta], "CPU", -1) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert place_of([here], "GPU", -1) == torch.device("cuda", 0)
    with monkeypatch.context() as set_for_now:
        set_for_now.setattr(jaxkeops, "default_device_id", 1)
        assert place_of([here], "GPU", -1) == torch.device("cuda", 1)
        assert place_of([here], "GPU", 0) == torch.device("cuda", 0)
    assert place_of([here], "GPU_2D_host", 1) == torch.device("cuda", 1)
    with pytest.raises(NoBackendError, match="no GPU 2: this process has 2, counted from 0"):
        place_of([here], "GPU", 2)
    for wrong in (-2, "cuda:1", 1.0):
        with pytest.raises(ArgumentError, match=f"device_id must be .*, got {wrong!r}"):
            place_of([here], "GPU_1D", wrong)
    there = SimpleNamespace(is_cuda=True, device=torch.device("cuda", 1))
    monkeypatch.setattr(torch, "Tensor", SimpleNamespace)
    assert place_of([there], "GPU_1D", -1) is None
    assert place_of([there], "GPU", 1) is None
    for backend in ("GPU", "auto"):
        assert place_of([there], backend, 1) is None
        with pytest.raises(ArgumentError, match="device_id is 0, and the tensors are on cuda:1"):
            place_of([there], backend, 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_without_a_gpu_a_sentence_says_so():
    reduction = Genred("SqDist(x, y)", ["x = Vi(3)", "y = Vj(3)"], axis=1)
    x = torch.zeros(4, 3)
    with pytest.raises(NoBackendError, match=r"backend='GPU_1D' asks for a CUDA GPU, and PyTorch"):
        reduction(x, x, backend="GPU_1D")
