"""float16 and bfloat16 with their derivatives, against float32 on the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import func

from jaxkeops.errors import ArgumentError
from jaxkeops.torch import Genred

every_dtype = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
WEIGHT = "b * Elem(x, 0)"
REDUCTIONS = [
    ("LogSumExp", None, None),
    ("LogSumExp", WEIGHT, None),
    ("SumSoftMaxWeight", WEIGHT, None),
    ("Max_SumShiftExp", None, None),
    ("Min", None, None),
    ("Max_ArgMax", None, None),
    ("ArgMin", None, None),
    ("KMin", None, 3),
    ("KMin_ArgKMin", None, 3),
]


def single(tensors):
    return tuple(tensor.detach().float().requires_grad_() for tensor in tensors)


def weights_like(result):
    return torch.linspace(-1, 1, result.numel()).to(result.dtype).view_as(result)


def near(found, expected, dtype):
    """Within a few roundings: each derivative is rounded where it passes from one to the next."""
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == dtype
        bound = 8 * torch.finfo(dtype).eps * max(1.0, float(other.detach().abs().max()))
        torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=bound)


@every_dtype
def test_results_are_those_of_float32_rounded_once(case, dtype, rng):
    tensors = case.tensors(rng, dtype)
    result = case.reduction(*tensors)
    assert result.dtype == dtype
    assert torch.equal(result, case.reduction(*single(tensors)).to(dtype))


@every_dtype
def test_gradients(case, dtype, rng):
    tensors = case.tensors(rng, dtype, requires_grad=True)
    near(
        torch.autograd.grad(case.mixed(*tensors), tensors),
        torch.autograd.grad(case.mixed(*(again := single(tensors))), again),
        dtype,
    )


@every_dtype
def test_second_derivatives(gaussian_case, dtype, rng):
    tensors = gaussian_case.tensors(rng, dtype, requires_grad=True)

    def second(given):
        value = gaussian_case.reduction(*given).sum()
        slopes = torch.autograd.grad(value, given, create_graph=True)
        return torch.autograd.grad(sum(slope.sum() for slope in slopes), given)

    near(second(tensors), second(single(tensors)), dtype)


@every_dtype
def test_forward_mode(case, dtype, rng):
    tensors, along = case.tensors(rng, dtype), case.tensors(rng, dtype)
    near(
        func.jvp(case.reduction, tensors, along),
        func.jvp(case.reduction, single(tensors), single(along)),
        dtype,
    )


@every_dtype
def test_vmap(gaussian_case, dtype, rng):
    x, y, b, p = gaussian_case.tensors(rng, dtype)
    many = torch.stack([x, 2 * x])
    result = func.vmap(gaussian_case.reduction, (0, None, None, None))(many, y, b, p)
    for one, other in zip(result, many, strict=True):
        assert torch.equal(one, gaussian_case.reduction(other, y, b, p))


@every_dtype
def test_a_compiled_function(gaussian_case, dtype, rng):
    torch._dynamo.reset()
    tensors = gaussian_case.tensors(rng, dtype, requires_grad=True)
    compiled = torch.compile(gaussian_case.mixed, fullgraph=True, backend="aot_eager")
    for function in (compiled, gaussian_case.mixed):
        value = function(*tensors)
        assert value.dtype == dtype
    near(
        torch.autograd.grad(compiled(*tensors), tensors),
        torch.autograd.grad(gaussian_case.mixed(*tensors), tensors),
        dtype,
    )


@every_dtype
@pytest.mark.parametrize(("name", "weight", "count"), REDUCTIONS)
def test_every_kind_of_reduction_and_its_gradients(name, weight, count, dtype, rng):
    aliases = ["x = Vi(2)", "y = Vj(2)", "b = Vj(2)", "p = Pm(1)"]
    reduce = Genred("p * SqDist(x, y)", aliases, name, 1, formula2=weight, opt_arg=count)
    shapes = (5, 2), (7, 2), (7, 2), (1,)
    tensors = tuple(
        torch.tensor(rng.uniform(0.2, 1.2, shape)).to(dtype).requires_grad_() for shape in shapes
    )

    def outcome(given):
        results = reduce(*given)
        results = results if isinstance(results, tuple) else (results,)
        floats = [result for result in results if result.is_floating_point()]
        if not floats:
            return results, ()
        # Linear: a sine would turn the rounding of a large result into an error of its slope.
        value = sum((result * weights_like(result)).sum() for result in floats)
        return results, torch.autograd.grad(value, given, allow_unused=True)

    results, gradients = outcome(tensors)
    expected, slopes = outcome(single(tensors))
    for one, other in zip(results, expected, strict=True):
        assert one.dtype == (dtype if other.is_floating_point() else torch.int64)
        assert torch.equal(one, other.to(one.dtype))
    pairs = [(a, b) for a, b in zip(gradients, slopes, strict=True) if a is not None]
    near([a for a, _ in pairs], [b for _, b in pairs], dtype)


@every_dtype
def test_ranges(dtype, rng):
    x = torch.tensor(rng.normal(size=(6, 2))).to(dtype)
    ranges = (
        *(torch.tensor(each) for each in ([[0, 3]], [1], [[2, 5]])),
        *(torch.tensor(each) for each in ([[2, 5]], [1], [[0, 3]])),
    )
    reduce = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], axis=1)
    result = reduce(x, x, ranges=ranges)
    assert torch.equal(result, reduce(x.float(), x.float(), ranges=ranges).to(dtype))
    assert (result[3:] == 0).all()


@every_dtype
@pytest.mark.parametrize("other", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_two_dtypes_are_refused(gaussian_case, dtype, other, rng):
    if dtype == other:
        return
    x, y, b, p = gaussian_case.tensors(rng, dtype)
    names = [str(each).removeprefix("torch.") for each in (dtype, other)]
    with pytest.raises(ArgumentError, match=f"x has {names[0]}, y has {names[1]}"):
        gaussian_case.reduction(x, y.to(other), b, p)
