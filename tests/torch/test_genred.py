"""The PyTorch door: values, layouts, sizes at the edges, options, refusals, life in a process."""

from __future__ import annotations

import copy
import pickle
import threading

import fresh
import numpy as np
import pytest
import torch

from jaxkeops.errors import (
    ArgumentError,
    ArgumentTypeError,
    FormulaError,
    FormulaSyntaxError,
    NoBackendError,
)
from jaxkeops.torch import Genred

FORMULA = "Exp(-p*SqDist(x,y))*b"
ALIASES = ["x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "p = Pm(1)"]


@pytest.fixture
def reduction():
    return Genred(FORMULA, ALIASES, axis=1)


@pytest.fixture
def tensors(gaussian_case, rng):
    return gaussian_case.tensors(rng)


def test_values_are_those_of_the_dense_function(case, close, rng):
    tensors = case.tensors(rng)
    close(case.reduction(*tensors), case.dense(*tensors))


def test_float32_gives_float32(case, rng):
    tensors = case.tensors(rng, torch.float32)
    result = case.reduction(*tensors)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, case.dense(*tensors), rtol=1e-5, atol=1e-5)


def test_axis_0_is_the_default_and_reduces_over_i(tensors, close):
    x, y, _, p = tensors
    kernel = torch.exp(-p * ((x[:, None] - y) ** 2).sum(-1))
    result = Genred("Exp(-p*SqDist(x,y))", ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"])(x, y, p)
    close(result, kernel.sum(0)[:, None])


def test_signature_attributes_and_aliases_are_those_of_pykeops():
    made = Genred(FORMULA, tuple(ALIASES), "Sum", 1, None, None)
    assert made.axis == 1
    assert made.reduction_op == "Sum"
    assert made.aliases == ALIASES
    assert made.formula == f"Sum_Reduction({FORMULA},0)"
    assert made.nargs == 4
    assert Genred(FORMULA, ALIASES).axis == 0


@pytest.mark.parametrize("reduction", ["Min", "Max", "ArgMin", "ArgMax", "Min_ArgMin"])
def test_extrema_and_where_they_are(reduction, close, rng):
    x, y = torch.tensor(rng.normal(size=(30, 2))), torch.tensor(rng.normal(size=(40, 2)))
    squared = ((x[:, None] - y) ** 2).sum(-1)
    expected = (squared.max if "Max" in reduction else squared.min)(-1, keepdim=True)
    found = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], reduction, axis=1)(x, y)
    if reduction == "Min_ArgMin":
        close(found[0], expected.values)
        assert torch.equal(found[1], expected.indices)
    elif "Arg" in reduction:
        assert torch.equal(found, expected.indices)
    else:
        close(found, expected.values)


def test_tensors_that_are_not_contiguous(case, close, rng):
    tensors = case.tensors(rng)
    scattered = [torch.stack([tensor, tensor + 1], -1)[..., 0] for tensor in tensors]
    assert not any(tensor.is_contiguous() for tensor in scattered if tensor.numel() > 1)
    close(case.reduction(*scattered), case.dense(*tensors))


def test_expanded_tensors_and_views_with_an_offset(reduction, gaussian_case, tensors, close):
    x, y, b, p = tensors
    close(
        reduction(x[1:], y, b[:1].expand(4, 2), p),
        gaussian_case.dense(x[1:], y, b[:1].expand(4, 2), p),
    )


def test_tensors_with_the_negative_bit(reduction, gaussian_case, tensors, close):
    x, y, b, p = tensors
    negative = torch.complex(x, x).conj().imag
    assert negative.is_neg()
    close(reduction(negative, y, b, p), gaussian_case.dense(-x, y, b, p))


def test_contiguous_tensors_are_not_copied_and_not_changed(reduction, tensors):
    before = [tensor.clone() for tensor in tensors]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        reduction(*tensors)
    names = {event.name for event in profile.events()}
    assert "jaxkeops::reduce" in names
    assert not names & {"aten::clone", "aten::copy_", "aten::contiguous"}
    assert all(torch.equal(one, other) for one, other in zip(before, tensors, strict=True))


def test_parameters_of_modules(reduction, tensors, close):
    wrapped = [torch.nn.Parameter(tensor) for tensor in tensors]
    result = reduction(*wrapped)
    assert result.requires_grad
    close(result.detach(), reduction(*tensors))


def test_a_parameter_may_be_a_number_or_have_an_axis_to_spare(reduction, tensors, close):
    x, y, b, p = tensors
    close(reduction(x, y, b, p[0]), reduction(x, y, b, p))
    close(reduction(x, y, b, p[None]), reduction(x, y, b, p))


def test_batches_with_missing_and_repeated_axes(reduction, gaussian_case, close, rng):
    x, y, b, p = (
        torch.tensor(rng.normal(size=size)) for size in ((5, 1, 3, 3), (4, 4, 3), (4, 2), (5, 4, 1))
    )
    expected = gaussian_case.dense(x, y, b, p)
    result = reduction(x, y, b, p)
    assert result.shape == (5, 4, 3, 2)
    close(result, expected)


@pytest.mark.parametrize(("M", "N"), [(0, 4), (3, 0), (0, 0)])
def test_no_rows(reduction, M, N):
    sizes = ((M, 3), (N, 3), (N, 2), (1,))
    assert torch.equal(reduction(*map(torch.ones, sizes)), torch.zeros(M, 2))
    lse = Genred("(x|y)", ALIASES[:2], "LogSumExp", axis=1)
    assert torch.equal(lse(torch.ones(M, 3), torch.ones(N, 3)), torch.full((M, 1), -torch.inf))


def test_an_empty_batch(reduction):
    sizes = ((0, 3, 3), (0, 4, 3), (0, 4, 2), (1,))
    assert reduction(*map(torch.ones, sizes)).shape == (0, 3, 2)


def test_formulas_over_one_axis_or_over_parameters_alone():
    x, p = torch.arange(6.0).reshape(3, 2), torch.tensor([2.0])
    only_i = Genred("Square(x)", ["x = Vi(2)"], axis=1)
    only_j = Genred("Square(y)", ["y = Vj(2)"], axis=1)
    only_p = Genred("Square(p)", ["p = Pm(1)"], axis=1)
    assert torch.equal(only_i(x), x**2)
    assert torch.equal(only_j(x), (x**2).sum(0, keepdim=True))
    assert torch.equal(only_p(p), torch.tensor([[4.0]]))


def test_out_takes_the_result(reduction, tensors):
    out = torch.empty(3, 2, dtype=torch.float64)
    assert reduction(*tensors, out=out) is out
    assert torch.equal(out, reduction(*tensors))


def test_out_of_several_results(rng):
    nearest = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "Min_ArgMin", axis=1)
    x, y = torch.tensor(rng.normal(size=(3, 2))), torch.tensor(rng.normal(size=(4, 2)))
    out = torch.empty(3, 1, dtype=torch.float64), torch.empty(3, 1, dtype=torch.int64)
    nearest(x, y, out=out)
    for one, other in zip(out, nearest(x, y), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (torch.empty(2, 2, dtype=torch.float64), ArgumentError, r"shape \(3, 2\)"),
        (torch.empty(3, 2), ArgumentError, "dtype torch.float64"),
        (torch.empty(3, 2, dtype=torch.float64, device="meta"), ArgumentError, "device cpu"),
        (torch.empty(2, 3, dtype=torch.float64).mT, ArgumentError, "contiguous"),
        (np.empty((3, 2)), ArgumentTypeError, "ndarray"),
        ((), ArgumentError, "1 tensors, got 0"),
    ],
)
def test_an_out_that_does_not_fit_is_refused(reduction, tensors, out, error, words):
    with pytest.raises(error, match=words):
        reduction(*tensors, out=out)


def test_out_is_refused_where_gradients_are_needed(reduction, tensors):
    out = torch.zeros(3, 2, dtype=torch.float64)
    tensors[0].requires_grad_()
    with pytest.raises(ArgumentError, match="gradients"):
        reduction(*tensors, out=out)
    assert torch.equal(out, torch.zeros_like(out))
    with torch.no_grad():
        reduction(*tensors, out=out)
    assert torch.equal(out, reduction(*tensors))


def test_options_of_a_call_on_a_cpu(reduction, tensors):
    expected = reduction(*tensors)
    assert torch.equal(reduction(*tensors, backend="CPU", device_id=0, ranges=None), expected)


def test_options_that_are_not_available_are_refused(reduction, tensors):
    with pytest.raises(NoBackendError, match="GPU_1D"):
        reduction(*tensors, backend="GPU_1D")
    with pytest.raises(ArgumentError, match="backend must be one of"):
        reduction(*tensors, backend="TPU")
    with pytest.raises(ArgumentError, match="ranges"):
        reduction(*tensors, ranges=(torch.zeros(1, 2),))


def test_what_is_not_a_tensor_is_refused_by_name(reduction, tensors):
    x, y, b, p = tensors
    with pytest.raises(ArgumentTypeError, match=r"y must be a torch.Tensor, got ndarray"):
        reduction(x, y.numpy(), b, p)
    with pytest.raises(ArgumentTypeError, match=r"p must be a torch.Tensor, got float"):
        reduction(x, y, b, 0.5)


def test_dtypes_that_differ_or_are_not_floats_are_refused_by_name(reduction, tensors):
    x, y, b, p = tensors
    with pytest.raises(ArgumentError, match="y has float32"):
        reduction(x, y.float(), b, p)
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(ArgumentError, match=f"x has dtype {str(dtype)[6:]}"):
            reduction(*(tensor.to(dtype) for tensor in tensors))


def test_shapes_that_do_not_fit_are_refused_by_name(reduction, tensors):
    x, y, b, p = tensors
    with pytest.raises(ArgumentError, match="takes 4 arrays"):
        reduction(x, y, b)
    with pytest.raises(ArgumentError, match="x is declared with dimension 3"):
        reduction(x[:, :2], y, b, p)
    with pytest.raises(ArgumentError, match="y has 4, b has 3"):
        reduction(x, y, b[:3], p)


def test_tensors_on_other_devices_are_refused(reduction, tensors):
    x, y, b, p = tensors
    with pytest.raises(ArgumentError, match="y on meta"):
        reduction(x, y.to("meta"), b, p)
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True):
        gpu = torch.empty(4, 3, dtype=torch.float64, device="cuda")
        with pytest.raises(ArgumentError, match="y on cuda:0"):
            reduction(x, gpu, b, p)
        other = torch.empty(4, 3, dtype=torch.float64, device="xpu")
        with pytest.raises(NoBackendError, match="y is on device xpu:0, and jaxkeops computes on"):
            reduction(x, other, b, p)


def test_formulas_that_cannot_be_read_are_refused():
    with pytest.raises(FormulaSyntaxError):
        Genred("Exp(x", ["x = Vi(1)"])
    with pytest.raises(FormulaError):
        Genred("x + y", ["x = Vi(2)", "y = Vj(3)"])


def test_an_object_can_be_pickled_and_copied(reduction, tensors):
    expected = reduction(*tensors)
    for other in (pickle.loads(pickle.dumps(reduction)), copy.deepcopy(reduction)):
        assert torch.equal(other(*tensors), expected)
        assert other.aliases == reduction.aliases


def test_threads_that_make_and_differentiate_formulas_at_once(close):
    failures = []

    def work(number):
        try:
            x = torch.linspace(0, 1, 6, dtype=torch.float64).reshape(3, 2).requires_grad_()
            y = torch.linspace(1, 2, 8, dtype=torch.float64).reshape(4, 2)
            made = Genred(f"Exp(-{number + 1}*SqDist(x,y))", ["x = Vi(2)", "y = Vj(2)"], axis=1)
            expected = torch.exp(-(number + 1) * ((x[:, None] - y) ** 2).sum(-1)).sum()
            for _ in range(5):
                found = made(x, y).sum()
                close(found, expected)
                close(
                    torch.autograd.grad(found, x),
                    torch.autograd.grad(expected, x, retain_graph=True),
                )
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number % 4,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


IMPORTS = """
import sys
import jaxkeops.torch
import torch
x = torch.ones(3, 1, requires_grad=True)
product = jaxkeops.torch.Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], axis=1)
product(x, torch.ones(4, 1)).sum().backward()
assert x.grad.tolist() == [[4.0]] * 3
print(*sorted({"jax", "jaxlib", "torch._dynamo", "pykeops"} & set(sys.modules)))
"""


def test_neither_jax_nor_dynamo_is_imported():
    assert not fresh.run(IMPORTS).strip()
