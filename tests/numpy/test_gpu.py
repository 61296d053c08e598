"""backend="GPU": the whole road, from a formula to kernels that an emulator runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import fake_gpu
import fresh
import pytest

from jaxkeops.errors import NoBackendError
from jaxkeops.numpy import Genred
from jaxkeops.runtime import native

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("g++") is None, reason="builds a fake driver with g++"
)

TESTS = Path(__file__).parents[1]
START = """
import sys
sys.path[:0] = [{tests!r}, {tests!r} + "/backends/cuda"]
import numpy as np
from emulated_gpu import EmulatedGpus
from jaxkeops.errors import ArgumentError
from jaxkeops.numpy import Genred
GAUSSIAN = "Exp(-g * SqDist(x, y)) * b"
ALIASES = ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)"]
def start(*wanted):
    return EmulatedGpus({library!r}, {folder!r}, [(g._formula, d, k) for g, d, k in wanted])
def arrays(M, N, dtype="float32", batch=((), (), (), ())):
    rng = np.random.default_rng(0)
    shapes = (1,), (M, 3), (N, 3), (N, 2)
    return [rng.uniform(0.2, 1.2, (*b, *s)).astype(dtype) for b, s in zip(batch, shapes)]
def check(reduction, args, **options):
    expected, got = reduction(*args), reduction(*args, backend="GPU", **options)
    for e, g in zip(*(r if isinstance(r, tuple) else (r,) for r in (expected, got))):
        assert e.shape == g.shape and e.dtype == g.dtype
        eps = np.finfo(args[0].dtype).eps if e.dtype.kind == "f" else 0
        np.testing.assert_allclose(g, e, rtol=32 * eps, atol=32 * eps)
"""


@pytest.fixture
def with_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs text in a process of its own, whose GPUs are emulated."""
    library, folder = fake_gpu.library(), str(tmp_path / "kernels")
    start = START.format(tests=str(TESTS), library=library, folder=folder)

    def run(text: str, devices: int = 1) -> None:
        fresh.run(
            start + text.replace("\n    ", "\n"),
            JAXKEOPS_CACHE_DIR=str(tmp_path / "cache"),
            FAKE_CUDA_DEVICES=str(devices),
        )

    return run


def test_reductions_agree_with_the_cpu(with_gpus):
    with_gpus("""
    dense = [
        Genred(GAUSSIAN, ALIASES, "Sum", axis=1),
        Genred(GAUSSIAN, ALIASES, "Sum", axis=0),
        Genred("-g * SqDist(x, y)", ALIASES[:3], "LogSumExp", axis=1),
        Genred("SqDist(x, y) + 0 * g", ALIASES[:3], "ArgKMin", axis=1, opt_arg=3),
        Genred("SqDist(x, y) * g", ALIASES[:3], "Min_ArgMin", axis=1),
        Genred("g * (x | y)", ALIASES, "SumSoftMaxWeight", axis=1, formula2="b"),
    ]
    kinds = [(d, k) for d in ("float32", "float64") for k in ("few", "dense")]
    gpus = start(*((g, d, k) for g in dense for d, k in kinds))
    for reduction in dense:
        for dtype in ("float32", "float64"):
            for M, N in ((1, 1), (7, 1300), (600, 40)):
                check(reduction, arrays(M, N, dtype)[:reduction.nargs])
    assert len(gpus.compiled) == 4 * len(dense)
    assert gpus.counts().live_bytes == 0
    """)


def test_many_components_and_many_sums(with_gpus):
    with_gpus("""
    many = ["g = Pm(1)", "x = Vi(40)", "y = Vj(40)", "b = Vj(70)"]
    made = [
        Genred(GAUSSIAN, many, "Sum", axis=1),
        Genred("SqDist(x, y) * g", many[:3], "Min_ArgMin", axis=1),
        Genred("g * (x | y) / 8", many, "SumSoftMaxWeight", axis=1, formula2="b"),
    ]
    gpus = start(*((g, "float32", kind) for g in made for kind in ("few", "dense", "ranges")))
    rng = np.random.default_rng(0)
    shapes = lambda M, N: ((2, 1, 1), (1, M, 40), (2, N, 40), (1, N, 70))
    ranges = [[0, 5], [5, 9]], [1, 3], [[0, 10], [3, 4], [20, 30]]
    ranges = tuple(map(np.array, ranges * 2))
    for reduction in made:
        for M, N in ((1, 1), (9, 300), (150, 70)):
            args = [rng.uniform(0.2, 1.2, shape).astype("float32") for shape in shapes(M, N)]
            args[0] = args[0][:, 0]
            check(reduction, args[:reduction.nargs])
        args = [rng.uniform(0.2, 1.2, shape).astype("float32") for shape in shapes(12, 30)]
        args = [a[0] for a in args[:reduction.nargs]]
        args[0] = args[0][0]
        expected = reduction(*args, ranges=ranges)
        got = reduction(*args, ranges=ranges, backend="GPU")
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-5)
    """)


def test_threads_compile_their_own_formulas_at_once(with_gpus):
    with_gpus("""
    from concurrent.futures import ThreadPoolExecutor
    formulas = [f"Exp(-g * SqDist(x, y)) * b * {k}" for k in range(2, 8)]
    reductions = [Genred(formula, ALIASES, "Sum", axis=1) for formula in formulas]
    gpus = start(*((each, "float32", "few") for each in reductions))
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda reduction: check(reduction, arrays(9, 30)), reductions))
    assert len(gpus.compiled) == 6
    """)


def test_batches_halves_and_empty_reductions(with_gpus):
    with_gpus("""
    reduction = Genred(GAUSSIAN, ALIASES, "Sum", axis=1)
    gpus = start((reduction, "float32", "few"), (reduction, "float16", "few"))
    check(reduction, arrays(9, 30, batch=((), (2, 1), (3,), (2, 3))))
    check(reduction, arrays(9, 30, batch=((2, 1, 1, 1, 2), (3, 1, 2, 1), (2, 1, 2), (3, 1, 1, 2))))
    check(reduction, arrays(9, 0))
    check(reduction, arrays(0, 9))
    check(reduction, arrays(70, 90, "float16"))
    out = np.empty((9, 2), "float32")
    assert reduction(*arrays(9, 30), backend="GPU_2D_host", device_id=0, out=out) is out
    np.testing.assert_allclose(out, reduction(*arrays(9, 30)), rtol=1e-5)
    """)


def test_a_gpu_is_chosen_by_its_number(with_gpus):
    text = """
    import pytest
    from jaxkeops.errors import NoBackendError
    reduction = Genred(GAUSSIAN, ALIASES, "Sum", axis=1)
    gpus = start((reduction, "float32", "few"))
    for device_id, loads in ((1, 1), (np.int64(1), 1), (-1, 2), (0, 2)):
        check(reduction, arrays(9, 30), device_id=device_id)
        assert gpus.counts().loads == loads
    args = arrays(9, 30)
    with pytest.raises(NoBackendError, match="no GPU 2: this process has 2, counted from 0"):
        reduction(*args, backend="GPU", device_id=2)
    for wrong in (-2, "cuda:1", 1.0):
        with pytest.raises(ArgumentError, match=f"device_id must be .*, got {wrong!r}"):
            reduction(*args, backend="GPU", device_id=wrong)
    """
    with_gpus(text, devices=2)


def test_the_default_gpu_serves_calls_that_name_none(with_gpus):
    text = """
    import pytest
    import jaxkeops
    reduction = Genred(GAUSSIAN, ALIASES, "Sum", axis=1)
    gpus = start((reduction, "float32", "few"))
    args = arrays(9, 30)
    for default, device_id, loads in ((1, -1, 1), (1, 1, 1), (1, 0, 2), (0, -1, 2)):
        jaxkeops.default_device_id = default
        check(reduction, args, device_id=device_id)
        assert gpus.counts().loads == loads
    for wrong in (-1, None, "1"):
        jaxkeops.default_device_id = wrong
        with pytest.raises(ArgumentError, match=f"default_device_id must be .*, got {wrong!r}"):
            reduction(*args, backend="GPU")
        check(reduction, args, device_id=0)
    """
    with_gpus(text, devices=2)


def test_ranges(with_gpus):
    with_gpus("""
    reduction = Genred(GAUSSIAN, ALIASES, "Sum", axis=1)
    gpus = start((reduction, "float32", "ranges"))
    rows, ends, columns = [[0, 5], [5, 9]], [1, 3], [[0, 10], [3, 4], [20, 30]]
    back = [[0, 3], [3, 4], [4, 10], [20, 30]], [1, 3, 4, 5]
    ranges = [*(rows, ends, columns), *back, [[0, 5], [0, 5], [5, 9], [0, 5], [5, 9]]]
    ranges = tuple(map(np.array, ranges))
    expected = reduction(*arrays(12, 30), ranges=ranges)
    got = reduction(*arrays(12, 30), ranges=ranges, backend="GPU")
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    wrong = (np.array([[0, 5], [5, 13]]), *ranges[1:])
    try:
        reduction(*arrays(12, 30), backend="GPU", ranges=wrong)
    except ArgumentError as error:
        print(error)
    else:
        raise AssertionError
    """)


def test_code_is_kept_on_disk(with_gpus):
    text = """
    reduction = Genred(GAUSSIAN, ALIASES, "Sum", axis=1)
    gpus = start((reduction, "float32", "dense"))
    assert not gpus.compiled
    kernel = __import__("jaxkeops.compiler").compiler.cuda_kernel(reduction._formula, "float32")
    assert len(gpus.compiled) == {compiled}
    """
    with_gpus(text.format(compiled=1))
    with_gpus(text.format(compiled=0))


def test_without_a_gpu_a_sentence_says_so(rng):
    try:
        native.cuda_devices()
    except NoBackendError:
        reduction = Genred("SqDist(x, y)", ["x = Vi(3)", "y = Vj(3)"], axis=1)
        x = rng.uniform(size=(4, 3))
        with pytest.raises(NoBackendError, match=r"No CUDA GPU can be used: looked for .*libcuda"):
            reduction(x, x, backend="GPU")
