"""The transforms of `torch.func`, alone and on top of each other, against dense PyTorch."""

from __future__ import annotations

import itertools

import torch
from torch import func

from jaxkeops.torch import Genred


def every_slot(case):
    return tuple(range(len(case.shapes)))


def test_grad(case, close, rng):
    tensors = case.tensors(rng)
    slots = every_slot(case)
    close(func.grad(case.mixed, slots)(*tensors), func.grad(case.dense_mixed, slots)(*tensors))


def test_vjp(case, close, rng):
    tensors = case.tensors(rng)
    value, pull = func.vjp(case.reduction, *tensors)
    expected, dense_pull = func.vjp(case.dense, *tensors)
    close(value, expected)
    close(pull(expected.cos()), dense_pull(expected.cos()))


def test_jvp(case, close, rng):
    tensors, directions = case.tensors(rng), case.tensors(rng)
    close(func.jvp(case.reduction, tensors, directions), func.jvp(case.dense, tensors, directions))


def test_linearize(case, close, rng):
    tensors, directions = case.tensors(rng), case.tensors(rng)
    value, push = func.linearize(case.reduction, *tensors)
    expected, dense_push = func.linearize(case.dense, *tensors)
    close(value, expected)
    close(push(*directions), dense_push(*directions))


def test_jacrev_and_jacfwd(case, close, rng):
    tensors = case.tensors(rng)
    slots = every_slot(case)
    expected = func.jacrev(case.dense, slots)(*tensors)
    close(func.jacrev(case.reduction, slots)(*tensors), expected)
    close(func.jacfwd(case.reduction, slots)(*tensors), expected)


def test_hessian(case, close, rng):
    tensors = case.tensors(rng)
    slots = every_slot(case)
    expected = func.hessian(case.dense_mixed, slots)(*tensors)
    close(func.hessian(case.mixed, slots)(*tensors), expected)
    close(func.jacrev(func.jacrev(case.mixed, slots), slots)(*tensors), expected)


def test_tangents_of_tangents(case, close, rng):
    tensors, directions = case.tensors(rng), case.tensors(rng)

    def twice(function):
        def slope(*point):
            return func.jvp(function, point, directions)[1]

        return func.jvp(slope, tensors, directions)

    close(twice(case.mixed), twice(case.dense_mixed))


def third_derivatives(function):
    return func.jacfwd(func.jacrev(func.grad(function)))


def test_third_derivatives_by_mixed_modes(gaussian_case, log_sum_exp_case, close, rng):
    for case in (gaussian_case, log_sum_exp_case):
        tensors = case.tensors(rng)
        found = third_derivatives(case.mixed)(*tensors)
        close(found, third_derivatives(case.dense_mixed)(*tensors))


def mapped_tensors(case, rng, slots, count=3, axis=0):
    """Tensors of which those in `slots` have an axis more; and the `in_dims` that say so."""
    tensors = list(case.tensors(rng))
    for slot in slots:
        copies = [case.tensors(rng)[slot] for _ in range(count)]
        tensors[slot] = torch.stack(copies, axis)
    return tensors, tuple(axis if slot in slots else None for slot in range(len(tensors)))


def test_vmap_over_every_subset_of_inputs(case, close, rng):
    for size in range(1, len(case.shapes) + 1):
        for slots in itertools.combinations(every_slot(case), size):
            tensors, in_dims = mapped_tensors(case, rng, slots)
            found = func.vmap(case.reduction, in_dims)(*tensors)
            close(found, func.vmap(case.dense, in_dims)(*tensors))


def test_vmap_over_a_last_axis_to_a_last_axis(case, close, rng):
    tensors, in_dims = mapped_tensors(case, rng, every_slot(case), axis=-1)
    close(
        func.vmap(case.reduction, in_dims, out_dims=-1)(*tensors),
        func.vmap(case.dense, in_dims, out_dims=-1)(*tensors),
    )


def test_nested_vmap_maps_different_inputs(case, close, rng):
    tensors, inner = mapped_tensors(case, rng, (0,), count=2)
    others, outer = mapped_tensors(case, rng, (1,), count=3)
    given = [tensors[0], *others[1:]]
    found = func.vmap(func.vmap(case.reduction, inner), outer)(*given)
    close(found, func.vmap(func.vmap(case.dense, inner), outer)(*given))


def test_vmap_of_grad(case, close, rng):
    tensors, in_dims = mapped_tensors(case, rng, (0, len(case.shapes) - 1))
    slots = every_slot(case)
    found = func.vmap(func.grad(case.mixed, slots), in_dims)(*tensors)
    close(found, func.vmap(func.grad(case.dense_mixed, slots), in_dims)(*tensors))


def test_grad_of_vmap(case, close, rng):
    tensors, in_dims = mapped_tensors(case, rng, (0,))
    slots = every_slot(case)

    def total(function):
        return lambda *given: torch.sin(func.vmap(function, in_dims)(*given)).sum()

    found = func.grad(total(case.reduction), slots)(*tensors)
    close(found, func.grad(total(case.dense), slots)(*tensors))


def test_vmap_of_hessian(gaussian_case, log_sum_exp_case, close, rng):
    for case in (gaussian_case, log_sum_exp_case):
        tensors, in_dims = mapped_tensors(case, rng, (1,), count=2)
        found = func.vmap(func.hessian(case.mixed), in_dims)(*tensors)
        close(found, func.vmap(func.hessian(case.dense_mixed), in_dims)(*tensors))


def test_vmap_of_reductions_without_derivative(rng):
    reduction = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "Min_ArgMin", axis=1)
    x, y = torch.tensor(rng.normal(size=(5, 3, 2))), torch.tensor(rng.normal(size=(4, 2)))
    values, rows = func.vmap(reduction, (0, None))(x, y)
    expected = ((x[:, :, None] - y) ** 2).sum(-1).min(-1, keepdim=True)
    torch.testing.assert_close(values, expected.values)
    assert torch.equal(rows, expected.indices)


def test_nearest_neighbours_inside_a_differentiated_function(close, rng):
    """Row numbers take no part in derivatives; they may be used on the way."""
    nearest = Genred("SqDist(x,y)", ["x = Vi(2)", "y = Vj(2)"], "ArgMin", axis=1)
    x, y = torch.tensor(rng.normal(size=(3, 2))), torch.tensor(rng.normal(size=(4, 2)))

    def distance(x, y):
        return ((x - y[nearest(x, y)[:, 0]]) ** 2).sum()

    def dense(x, y):
        return ((x[:, None] - y) ** 2).sum(-1).min(-1).values.sum()

    close(func.grad(distance, (0, 1))(x, y), func.grad(dense, (0, 1))(x, y))
    close(func.jvp(distance, (x, y), (x, y)), func.jvp(dense, (x, y), (x, y)))
    close(func.hessian(distance)(x, y), func.hessian(dense)(x, y))
