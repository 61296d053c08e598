"""Gradients by `backward` and dual tensors, to third order, against dense PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad

from jaxkeops.torch import Genred


def test_gradients_are_those_of_the_dense_function(case, close, rng):
    tensors = case.tensors(rng, requires_grad=True)
    value, expected = case.mixed(*tensors), case.dense_mixed(*tensors)
    close(value, expected)
    close(torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors))


def test_gradients_of_float32_are_float32(case, rng):
    tensors = case.tensors(rng, torch.float32, requires_grad=True)
    gradients = torch.autograd.grad(case.mixed(*tensors), tensors)
    expected = torch.autograd.grad(case.dense_mixed(*tensors), tensors)
    for one, other in zip(gradients, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_gradcheck_in_reverse_and_forward_mode(case, rng):
    tensors = case.tensors(rng, requires_grad=True)
    assert torch.autograd.gradcheck(case.reduction, tensors, check_forward_ad=True, fast_mode=True)


def test_gradgradcheck(case, rng):
    tensors = case.tensors(rng, requires_grad=True)
    assert torch.autograd.gradgradcheck(
        case.reduction, tensors, check_fwd_over_rev=True, check_rev_over_rev=True, fast_mode=True
    )


def test_third_derivatives(case, close, rng):
    tensors = case.tensors(rng, requires_grad=True)

    def third(function):
        value = function(*tensors)
        for _ in range(2):
            slopes = torch.autograd.grad(value, tensors, create_graph=True)
            value = sum((slope**2).sum() for slope in slopes)
        return torch.autograd.grad(value, tensors)

    close(third(case.mixed), third(case.dense_mixed))


def test_hessian_of_torch_autograd_functional(gaussian_case, close, rng):
    tensors = gaussian_case.tensors(rng)
    hessian = torch.autograd.functional.hessian
    close(hessian(gaussian_case.mixed, tensors), hessian(gaussian_case.dense_mixed, tensors))


def test_dual_tensors_on_every_input(case, close, rng):
    tensors, directions = case.tensors(rng), case.tensors(rng)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(*pair) for pair in zip(tensors, directions, strict=True)]
        found = forward_ad.unpack_dual(case.reduction(*duals))
        expected = forward_ad.unpack_dual(case.dense(*duals))
        close(tuple(found), tuple(expected))


def test_dual_tensors_on_one_input(case, close, rng):
    tensors = case.tensors(rng)
    for slot in range(len(tensors)):
        with forward_ad.dual_level():
            given = list(tensors)
            given[slot] = forward_ad.make_dual(given[slot], given[slot].cos())
            found = forward_ad.unpack_dual(case.reduction(*given))
            close(tuple(found), tuple(forward_ad.unpack_dual(case.dense(*given))))


def test_gradients_of_a_tangent(case, close, rng):
    tensors, directions = case.tensors(rng, requires_grad=True), case.tensors(rng)

    def slope(function):
        with forward_ad.dual_level():
            duals = [forward_ad.make_dual(*pair) for pair in zip(tensors, directions, strict=True)]
            tangent = forward_ad.unpack_dual(function(*duals)).tangent
            return torch.autograd.grad(tangent, tensors)

    close(slope(case.mixed), slope(case.dense_mixed))


def test_only_the_inputs_that_ask_get_gradients(case, close, rng):
    for slot in range(len(case.shapes)):
        tensors = case.tensors(rng)
        tensors[slot].requires_grad_()
        case.mixed(*tensors).backward()
        expected = torch.autograd.grad(case.dense_mixed(*tensors), tensors[slot])[0]
        close(tensors[slot].grad, expected)
        assert all(t.grad is None for k, t in enumerate(tensors) if k != slot)


def test_an_input_that_the_formula_does_not_use_has_a_zero_gradient(rng):
    reduction = Genred("b", ["x = Vi(2)", "b = Vj(1)", "p = Pm(3)"], axis=1)
    x, b, p = (
        torch.tensor(rng.normal(size=size), requires_grad=True) for size in ((3, 2), (4, 1), (3,))
    )
    gradients = torch.autograd.grad(reduction(x, b, p).sum(), (x, b, p))
    assert torch.equal(gradients[0], torch.zeros_like(x))
    assert torch.equal(gradients[1], torch.full_like(b, 3))
    assert torch.equal(gradients[2], torch.zeros_like(p))
    assert [g.shape for g in gradients] == [x.shape, b.shape, p.shape]


def test_a_linear_formula_whose_second_derivatives_vanish(rng):
    reduction = Genred("x + y", ["x = Vi(2)", "y = Vj(2)"], axis=1)
    x, y = (torch.tensor(rng.normal(size=(n, 2)), requires_grad=True) for n in (3, 4))
    assert torch.autograd.gradcheck(reduction, (x, y), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(reduction, (x, y))


def test_a_gradient_that_loses_a_batch_axis_is_repeated_along_it(rng):
    """The slope of x + y in x is 1 whatever the batch of y: no input carries its extent."""
    reduction = Genred("p * (x + y)", ["x = Vi(1)", "y = Vj(1)", "p = Pm(1)"], axis=1)
    x, y, p = (
        torch.tensor(rng.normal(size=size), requires_grad=True)
        for size in ((2, 3, 1), (5, 1, 4, 1), (1,))
    )
    assert torch.autograd.gradcheck(reduction, (x, y, p), check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(reduction, (x, y, p), fast_mode=True)


def test_gradients_of_empty_reductions(rng):
    reduction = Genred("Exp(-p*SqDist(x,y))", ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"], axis=1)
    for M, N in ((0, 4), (3, 0), (0, 0)):
        tensors = tuple(
            torch.tensor(rng.normal(size=size), requires_grad=True)
            for size in ((M, 3), (N, 3), (1,))
        )
        gradients = torch.autograd.grad(reduction(*tensors).sum(), tensors)
        for tensor, gradient in zip(tensors, gradients, strict=True):
            assert torch.equal(gradient, torch.zeros_like(tensor))


def test_the_gradients_of_log_sum_exp_add_up_to_one(log_sum_exp_case, rng):
    x, y, c = log_sum_exp_case.tensors(rng, requires_grad=True)
    (slope,) = torch.autograd.grad(log_sum_exp_case.reduction(x, y, c).sum(), c)
    torch.testing.assert_close(slope.sum(), torch.tensor(3.0, dtype=torch.float64))


def test_log_sum_exp_of_large_values_has_finite_gradients(close, rng):
    reduction = Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], "LogSumExp", axis=1)
    x, y = (torch.tensor(1e3 * rng.normal(size=(n, 1)), requires_grad=True) for n in (3, 4))
    expected = torch.logsumexp(x @ y.mT, -1, keepdim=True)
    close(reduction(x, y), expected)
    found = torch.autograd.grad(reduction(x, y).sum(), (x, y))
    wanted = torch.autograd.grad(expected.sum(), (x, y))
    # exp(f - result) with |f| near 1e6 is right to 1e6 units in the last place.
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_sum_may_be_changed_in_place(gaussian_case, close, rng):
    tensors = gaussian_case.tensors(rng, requires_grad=True)
    result = gaussian_case.reduction(*tensors)
    result.mul_(2)
    expected = torch.autograd.grad(gaussian_case.dense(*tensors).sum() * 2, tensors)
    close(torch.autograd.grad(result.sum(), tensors), expected)


def test_a_log_sum_exp_changed_in_place_is_noticed(log_sum_exp_case, rng):
    tensors = log_sum_exp_case.tensors(rng, requires_grad=True)
    result = log_sum_exp_case.reduction(*tensors)
    result.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


def test_row_numbers_do_not_require_gradients(rng):
    x = torch.tensor(rng.normal(size=(3, 2)), requires_grad=True)
    y = torch.tensor(rng.normal(size=(4, 2)))
    rows = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "ArgMin", axis=1)(x, y)
    assert rows.dtype == torch.int64
    assert not rows.requires_grad
    value, rows = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "Min_ArgMin", axis=1)(x, y)
    assert value.requires_grad
    assert not rows.requires_grad


def test_the_tangent_of_row_numbers_is_none(rng):
    x, y = torch.tensor(rng.normal(size=(3, 2))), torch.tensor(rng.normal(size=(4, 2)))
    reduction = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "ArgMin", axis=1)
    with forward_ad.dual_level():
        assert forward_ad.unpack_dual(reduction(forward_ad.make_dual(x, x), y)).tangent is None


def test_gradients_under_no_grad_are_not_recorded(case, rng):
    tensors = case.tensors(rng, requires_grad=True)
    with torch.no_grad():
        assert not case.reduction(*tensors).requires_grad
    with torch.inference_mode():
        assert case.reduction(*tensors).is_inference()


def test_zero_times_what_is_not_finite_is_no_number_but_moves_nothing():
    x = torch.tensor([[1.0], [torch.nan], [torch.inf]], requires_grad=True)
    y = torch.ones(2, 1)
    product = Genred("0 * Exp(x) + y", ["x = Vi(1)", "y = Vj(1)"], axis=1)
    for given in (x, x.detach()):  # with its slopes, and alone
        expected = torch.tensor([[2.0], [torch.nan], [torch.nan]])
        torch.testing.assert_close(product(given, y).detach(), expected, equal_nan=True)
    (moved,) = torch.autograd.grad(product(x, y).sum(), x, allow_unused=True)
    assert moved is None or torch.equal(moved, torch.zeros(3, 1))
