"""Least and greatest values move as the formula does at the pairs found, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import func
from torch.autograd import forward_ad

from jaxkeops.torch import Genred

ALIASES = ["x = Vi(2)", "y = Vj(2)", "p = Pm(2)"]
VECTOR = "Sin(p * (x - y))"


def tensors_for(rng, M=4, N=5, batch=()):
    return tuple(
        torch.tensor(rng.normal(size=size)) for size in ((*batch, M, 2), (*batch, N, 2), (2,))
    )


def dense_terms(x, y, p):
    return torch.sin(p * (x[..., :, None, :] - y[..., None, :, :]))


def lowest(terms, count):
    """The `count` least of each coordinate, (..., M, count, D)."""
    return terms.sort(dim=-2, stable=True).values[..., :count, :]


SELECTIONS = {
    "Min": (None, lambda terms: lowest(terms, 1)[..., 0, :]),
    "Max": (None, lambda terms: -lowest(-terms, 1)[..., 0, :]),
    "Min_ArgMin": (None, lambda terms: lowest(terms, 1)[..., 0, :]),
    "Max_ArgMax": (None, lambda terms: -lowest(-terms, 1)[..., 0, :]),
    "KMin": (3, lambda terms: lowest(terms, 3)),
    "KMin_ArgKMin": (3, lambda terms: lowest(terms, 3)),
}


@pytest.fixture(params=SELECTIONS)
def pair(request):
    """A function of (x, y, p) that gives selected values, and its dense meaning."""
    count, dense = SELECTIONS[request.param]
    reduction = Genred(VECTOR, ALIASES, request.param, axis=1, opt_arg=count)

    def values(*tensors):
        results = reduction(*tensors)
        return results[0] if isinstance(results, tuple) else results

    return values, lambda *tensors: dense(dense_terms(*tensors))


def test_gradients_and_tangents_are_those_of_the_dense_function(pair, close, rng):
    values, dense = pair
    tensors = tensors_for(rng)
    close(values(*tensors), dense(*tensors))
    close(func.jacrev(values, (0, 1, 2))(*tensors), func.jacrev(dense, (0, 1, 2))(*tensors))
    close(func.jvp(values, tensors, tensors), func.jvp(dense, tensors, tensors))


def test_hessians_are_those_of_the_dense_function(pair, close, rng):
    tensors = tensors_for(rng, 2, 4)

    def hessian(function):
        return func.hessian(lambda *given: torch.sin(function(*given)).sum(), (0, 1, 2))(*tensors)

    close(hessian(pair[0]), hessian(pair[1]))


def test_gradients_in_batches_with_repeated_axes(pair, close, rng):
    x, y, p = tensors_for(rng, batch=(3,))
    for given in ((x[:1], y, p), (x, y[0], p), (x[None], y, p)):
        tensors = [tensor.clone().requires_grad_() for tensor in given]
        value, expected = (torch.cos(function(*tensors)).sum() for function in pair)
        close(torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors))


def test_vmap_of_gradients(pair, close, rng):
    x, y, p = tensors_for(rng, batch=(3,))

    def slopes(function, in_dims, *tensors):
        total = func.grad(lambda *given: torch.cos(function(*given)).sum(), (0, 1, 2))
        return func.vmap(total, in_dims)(*tensors)

    for in_dims, *given in (((0, 0, None), x, y, p), ((None, 0, None), x[0], y, p)):
        close(slopes(pair[0], in_dims, *given), slopes(pair[1], in_dims, *given))


def test_linearize(pair, close, rng):
    tensors = tensors_for(rng)
    value, push = func.linearize(pair[0], *tensors)
    close((value, push(*tensors)), func.jvp(pair[1], tensors, tensors))


def test_dual_tensors_carry_their_tangent(pair, close, rng):
    x, y, p = tensors_for(rng)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(y, y.cos())
        found, expected = (forward_ad.unpack_dual(function(x, dual, p)) for function in pair)
        close(tuple(found), tuple(expected))


@pytest.mark.parametrize("reduction", ["Min", "Max", "KMin"])
def test_of_equals_the_first_moves(reduction):
    x = torch.zeros(2, 1, dtype=torch.float64)
    y = torch.tensor([[1.0], [0.0], [0.0], [1.0], [0.0], [1.0]], dtype=torch.float64)
    y.requires_grad_()
    count = 2 if reduction == "KMin" else None
    made = Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], reduction, axis=1, opt_arg=count)
    (slope,) = torch.autograd.grad(made(x, y).sum(), y)
    first = {"Min": [1], "Max": [0], "KMin": [1, 2]}[reduction]
    expected = torch.zeros_like(y)
    expected[first] = 2  # rows of x
    assert torch.equal(slope, expected)


ROOT = Genred("Sqrt(p * x * y)", ["x = Vi(1)", "y = Vj(1)", "p = Pm(1)"], "KMin", axis=1, opt_arg=3)


@pytest.fixture
def holes():
    """Rows of x with three, with no, and with two numbers among the roots; zeros have infinite
    slopes, which must not come out of the places that hold no pair.
    """
    x = torch.tensor([[1.0], [-1.0], [torch.nan]], dtype=torch.float64)
    y = torch.tensor([[torch.nan], [2.0], [-1.0], [3.0]], dtype=torch.float64)
    return x, y, torch.ones(1, dtype=torch.float64)


def test_places_without_a_pair_have_no_gradient(holes):
    x, y, p = (tensor.requires_grad_() for tensor in holes)
    values = ROOT(x, y, p)
    expected = [[2**0.5, 3**0.5, torch.inf], [1.0, torch.inf, torch.inf], [torch.inf] * 3]
    assert torch.equal(values.detach(), torch.tensor(expected, dtype=torch.float64))
    slopes = torch.autograd.grad(values.sum(), (x, y, p), create_graph=True)
    two, three = 2**0.5, 3**0.5
    expected = (
        [(two + three) / 2, -0.5, 0],
        [0, 0.5 / two, -0.5, 0.5 / three],
        [(two + three + 1) / 2],
    )
    for slope, right in zip(slopes, expected, strict=True):
        wanted = torch.tensor(right, dtype=torch.float64)
        torch.testing.assert_close(slope.flatten().detach(), wanted)
    again = torch.autograd.grad(sum((slope**2).sum() for slope in slopes), (x, y, p))
    assert all(slope.isfinite().all() for slope in again)


def test_places_without_a_pair_have_no_tangent(holes):
    values, tangents = func.jvp(ROOT, holes, tuple(torch.ones_like(each) for each in holes))
    assert tangents.isfinite().all()
    assert not tangents[values == torch.inf].any()
    assert tangents[values != torch.inf].all()


def test_infinite_values_do_not_turn_into_nan():
    x = torch.tensor([[1.0], [0.0]], requires_grad=True)
    values = Genred("Log(x)", ["x = Vi(1)", "y = Vj(1)"], "Min", axis=1)(x, torch.ones(3, 1))
    assert values[:, 0].tolist() == [0.0, -torch.inf]
    (slope,) = torch.autograd.grad(values.sum(), x)
    assert slope[:, 0].tolist() == [1.0, 0.0]


def test_an_input_that_the_formula_does_not_use_has_a_zero_gradient(rng):
    x, y, p = (tensor.requires_grad_() for tensor in tensors_for(rng))
    values = Genred("x - y", ALIASES, "Min", axis=1)(x, y, p)
    slopes = torch.autograd.grad(values.sum(), (x, y, p))
    assert torch.equal(slopes[2], torch.zeros_like(p))
    assert torch.equal(slopes[0], torch.ones_like(x))


@pytest.mark.parametrize("formula", ["Square(x)", "Square(y)", "Square(p)"])
@pytest.mark.parametrize("reduction", ["Min", "KMin"])
def test_formulas_of_one_kind_of_input(formula, reduction, rng):
    tensors = [tensor.requires_grad_() for tensor in tensors_for(rng)]
    count = 2 if reduction == "KMin" else None
    made = Genred(formula, ALIASES, reduction, axis=1, opt_arg=count)
    assert torch.autograd.gradcheck(made, tensors, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(made, tensors)


def test_only_the_selected_rows_are_read_again(rng):
    """Without derivatives the kernel's values come at once: one operation."""
    x, y, p = tensors_for(rng)
    reduction = Genred(VECTOR, ALIASES, "Min", axis=1)
    counts = []
    for asked in (False, True):
        x.requires_grad_(asked)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            reduction(x, y, p)
        names = [event.name for event in profile.events()]
        counts.append(names.count("jaxkeops::reduce"))
        assert ("aten::gather" in names) == asked
    assert counts == [1, 3]  # values with rows, then two coordinates


def test_results_may_be_changed_in_place(rng):
    x, y, p = (tensor.requires_grad_() for tensor in tensors_for(rng))
    for name, count in (("Min", None), ("KMin", 2)):
        reduction = Genred(VECTOR, ALIASES, name, axis=1, opt_arg=count)
        (expected,) = torch.autograd.grad(2 * reduction(x, y, p).sum(), x)
        (found,) = torch.autograd.grad(reduction(x, y, p).mul_(2).sum(), x)
        assert torch.equal(found, expected)
