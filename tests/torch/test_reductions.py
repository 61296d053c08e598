"""Every reduction over tensors: its value in float64, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracle import evaluate
from torch import func
from torch.autograd import forward_ad

from jaxkeops.formula import REDUCTIONS, read_formulas
from jaxkeops.torch import Genred

ALIASES = ["g = Pm(1)", "x = Vi(2)", "y = Vj(2)", "b = Vj(2)"]
SCALAR, VECTOR = "-g * SqDist(x, y)", "Sin(x - y) * g"
WEIGHT = "b * b + Square(Elem(x, 0)) + 0.1"  # positive: it may stand in a logarithm
DTYPES = {torch.float32: 3e-6, torch.float64: 1e-13}  # about 20 units in the last place


def every_case(counts):
    for name, rules in REDUCTIONS.items():
        weights = {"no": [None], "optional": [None, WEIGHT], "required": [WEIGHT]}
        for weight in weights[rules.weights]:
            formulas = [SCALAR] if rules.scalar or weight else [SCALAR, VECTOR]
            for formula in formulas:
                for count in counts if rules.counted else [None]:
                    word = "vector" if formula is VECTOR else "scalar"
                    yield name, formula, weight, count, f"{name}-{word}-{bool(weight)}-{count}"


def cases(counts, *, differentiable=False):
    return pytest.mark.parametrize(
        ("name", "formula", "weight", "count"),
        [
            pytest.param(*case, id=label)
            for *case, label in every_case(counts)
            if not differentiable or REDUCTIONS[case[0]].derivative or REDUCTIONS[case[0]].selects
        ],
    )


every_reduction = cases([1, 3, 20])
every_differentiable_reduction = cases([2, 6], differentiable=True)


def sample(rng, M, N, dtype=torch.float64, batch=()):
    sizes = (1,), (*batch, M, 2), (*batch, N, 2), (*batch, N, 2)
    gamma, *others = (torch.tensor(rng.normal(size=size), dtype=dtype) for size in sizes)
    return [torch.full_like(gamma, 0.7), *others]


def expected_of(name, formula, weight, count, tensors, axis):
    """The results that users see, by the dense oracle."""
    nodes, variables = read_formulas([formula, weight] if weight else [formula], ALIASES)
    arrays = dict(enumerate(tensor.numpy() for tensor in tensors))
    terms = [evaluate(node, arrays, variables) for node in nodes]
    if axis == 0:
        terms = [np.swapaxes(term, -3, -2) for term in terms]
    with np.errstate(all="ignore"):
        return REDUCTIONS[name].value(terms[0], terms[1] if weight else None, count or 0)


def check(results, expected, dtype):
    results = results if isinstance(results, tuple) else (results,)
    assert len(results) == len(expected)
    for result, right in zip(results, expected, strict=True):
        if right.dtype.kind == "i":
            assert result.dtype == torch.int64
            assert torch.equal(result, torch.from_numpy(right))
        else:
            assert result.dtype == dtype
            right = torch.from_numpy(right).to(dtype)
            scale = max(1.0, float(right[right.isfinite()].abs().max())) if right.numel() else 1.0
            torch.testing.assert_close(
                result, right, rtol=0, atol=DTYPES[dtype] * scale, equal_nan=True
            )


@every_reduction
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_reduction_agrees_with_its_value(name, formula, weight, count, axis, dtype, rng):
    tensors = sample(rng, 7, 12, dtype)
    reduction = Genred(formula, ALIASES, name, axis=axis, formula2=weight, opt_arg=count)
    check(reduction(*tensors), expected_of(name, formula, weight, count, tensors, axis), dtype)


@every_reduction
def test_a_reduction_in_batches_and_mapped(name, formula, weight, count, rng):
    tensors = sample(rng, 3, 5, batch=(2, 3))
    tensors[1], tensors[2] = tensors[1][:1], tensors[2][:, :1]
    reduction = Genred(formula, ALIASES, name, axis=1, formula2=weight, opt_arg=count)
    expected = expected_of(name, formula, weight, count, tensors, 1)
    check(reduction(*tensors), expected, torch.float64)
    tensors[1] = tensors[1].expand(2, 3, 3, 2)
    check(func.vmap(reduction, (None, 0, 0, 0))(*tensors), expected, torch.float64)


@every_reduction
def test_values_are_the_same_where_derivatives_are_asked(name, formula, weight, count, rng):
    tensors = sample(rng, 4, 5, torch.float32)
    tensors[2][1] = torch.nan
    reduction = Genred(formula, ALIASES, name, axis=1, formula2=weight, opt_arg=count)
    plain = reduction(*tensors)
    asked = reduction(*(tensor.clone().requires_grad_() for tensor in tensors))
    for one, other in zip(*map(as_tuple, (plain, asked)), strict=True):
        assert other.requires_grad == one.is_floating_point()
        torch.testing.assert_close(one, other.detach(), rtol=0, atol=0, equal_nan=True)


@every_reduction
@pytest.mark.parametrize(("M", "N"), [(0, 5), (4, 0), (0, 0), (1, 1)])
def test_a_reduction_at_the_edges(name, formula, weight, count, M, N, rng):
    tensors = [tensor.requires_grad_() for tensor in sample(rng, M, N)]
    reduction = Genred(formula, ALIASES, name, axis=1, formula2=weight, opt_arg=count)
    results = as_tuple(reduction(*tensors))
    detached = [tensor.detach() for tensor in tensors]
    expected = expected_of(name, formula, weight, count, detached, 1)
    assert [tuple(result.shape) for result in results] == [right.shape for right in expected]
    if N and not name.startswith("Max_SumShiftExp"):
        check(tuple(result.detach() for result in results), expected, torch.float64)
    floats = [result for result in results if result.is_floating_point()]
    if floats and not (M and N):
        for tensor, slope in zip(
            tensors, torch.autograd.grad(sum(f.sum() for f in floats), tensors), strict=True
        ):
            assert torch.equal(slope, torch.zeros_like(tensor))


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def smooth(name, formula, weight, count, axis=1):
    """The float results as a function that has derivatives: no infinities; and of a maximum and
    a sum shifted by it, what does not depend on the shift.
    """
    reduction = Genred(formula, ALIASES, name, axis=axis, formula2=weight, opt_arg=count)

    def function(*tensors):
        value = as_tuple(reduction(*tensors))[0]
        if name.startswith("Max_SumShiftExp"):
            return value[..., :1] + torch.log(value[..., 1:])
        return torch.where(value.isfinite(), value, 0.0)

    return function


@every_differentiable_reduction
def test_gradcheck_in_reverse_and_forward_mode(name, formula, weight, count, rng):
    tensors = [tensor.requires_grad_() for tensor in sample(rng, 3, 4)]
    function = smooth(name, formula, weight, count)
    assert torch.autograd.gradcheck(function, tensors, check_forward_ad=True)


@every_differentiable_reduction
def test_gradgradcheck(name, formula, weight, count, rng):
    tensors = [tensor.requires_grad_() for tensor in sample(rng, 2, 3, batch=(2,))]
    tensors[2] = tensors[2][:1].detach().requires_grad_()
    function = smooth(name, formula, weight, count, axis=0)
    assert torch.autograd.gradgradcheck(
        function, tensors, check_fwd_over_rev=True, check_rev_over_rev=True, fast_mode=True
    )


@every_differentiable_reduction
def test_the_transforms_agree_with_each_other(name, formula, weight, count, rng):
    tensors = sample(rng, 3, 4)
    function = smooth(name, formula, weight, count)

    def total(*given):
        return torch.sin(function(*given)).sum()

    slots = (0, 1, 2, 3)
    forward = func.jacfwd(func.jacfwd(total, slots), slots)(*tensors)
    for other in (func.hessian(total, slots), func.jacrev(func.jacrev(total, slots), slots)):
        torch.testing.assert_close(other(*tensors), forward, rtol=1e-10, atol=1e-10)


@every_differentiable_reduction
def test_third_derivatives_agree_in_both_modes(name, formula, weight, count, rng):
    tensors = sample(rng, 2, 3)
    function = smooth(name, formula, weight, count)

    def along(t):
        return torch.sin(function(*(tensor + t * tensor.cos() for tensor in tensors))).sum()

    zero = torch.zeros((), dtype=torch.float64)
    forward, reverse = along, along
    for _ in range(3):
        forward, reverse = func.jacfwd(forward), func.grad(reverse)
    torch.testing.assert_close(forward(zero), reverse(zero), rtol=1e-9, atol=1e-9)


def test_a_result_without_cotangent_costs_no_gradient(rng):
    """The hidden logarithm of a softmax takes part from the second derivatives on only."""
    tensors = [tensor.requires_grad_() for tensor in sample(rng, 3, 4)]
    softmax = Genred(SCALAR, ALIASES, "SoftMax", axis=1, formula2="b")
    slopes = torch.autograd.grad(softmax(*tensors).sum(), tensors, create_graph=True)
    total = sum((slope**2).sum() for slope in slopes)
    weights = torch.softmax(-tensors[0] * ((tensors[1][:, None] - tensors[2]) ** 2).sum(-1), -1)
    dense = torch.autograd.grad((weights @ tensors[3]).sum(), tensors, create_graph=True)
    expected = sum((slope**2).sum() for slope in dense)
    torch.testing.assert_close(total, expected)
    for one, other in zip(
        torch.autograd.grad(total, tensors), torch.autograd.grad(expected, tensors), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_dual_tensors_of_hidden_results(rng):
    tensors, directions = sample(rng, 3, 4), sample(rng, 3, 4)
    reduction = Genred(SCALAR, ALIASES, "LogSumExp", axis=1, formula2=WEIGHT)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(*pair) for pair in zip(tensors, directions, strict=True)]
        tangent = forward_ad.unpack_dual(reduction(*duals)).tangent
    expected = func.jvp(reduction, tuple(tensors), tuple(directions))[1]
    torch.testing.assert_close(tangent, expected)
