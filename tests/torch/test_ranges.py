"""Reductions over blocks of pairs: values, derivatives, transforms, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import func

from jaxkeops.errors import ArgumentError, ArgumentTypeError
from jaxkeops.torch import Genred

M, N = 7, 9
ALIASES = ["x = Vi(2)", "y = Vj(2)", "p = Pm(1)"]
FORMULA = "Exp(-p*SqDist(x,y))"
# Blocks of i, out of order and with a gap, and the blocks of j that each is reduced over.
BLOCKS = {(4, 7): [(0, 2), (5, 9)], (0, 3): [(2, 5)], (3, 3): [(0, 9)]}


def halves(blocks):
    """(row blocks, ends, column blocks) of a dict from row blocks to lists of column blocks."""
    ends = np.cumsum([len(columns) for columns in blocks.values()])
    columns = [pair for listed in blocks.values() for pair in listed]
    return tuple(torch.tensor(np.array(part)) for part in (list(blocks), ends, columns))


def transposed(blocks):
    found = {}
    for rows, listed in blocks.items():
        for columns in listed:
            for column in range(*columns):
                found.setdefault((column, column + 1), []).append(rows)
    return found


RANGES = (*halves(BLOCKS), *halves(transposed(BLOCKS)))


def mask():
    known = torch.zeros(M, N, dtype=torch.float64)
    for rows, listed in BLOCKS.items():
        for columns in listed:
            known[slice(*rows), slice(*columns)] += 1
    return known


def tensors_for(rng, batch=()):
    sizes = (*batch, M, 2), (*batch, N, 2), (1,)
    return tuple(torch.tensor(rng.uniform(0.2, 1.2, size)) for size in sizes)


def dense(x, y, p, axis=1):
    squared = ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)
    return (torch.exp(-p[..., None] * squared) * mask()).sum(-1 if axis else -2)[..., None]


@pytest.fixture(params=[0, 1])
def pair(request):
    """The reduction over blocks, and the same in dense PyTorch."""
    axis = request.param
    reduction = Genred(FORMULA, ALIASES, axis=axis)
    return lambda *t: reduction(*t, ranges=RANGES), lambda *t: dense(*t, axis=axis)


def test_values_are_those_of_the_blocks(pair, close, rng):
    tensors = tensors_for(rng)
    close(pair[0](*tensors), pair[1](*tensors))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_both_integer_dtypes_and_arrays_that_are_not_contiguous(dtype, close, rng):
    ranges = [torch.stack([each.to(dtype)] * 2, -1)[..., 0] for each in RANGES]
    tensors = tensors_for(rng)
    close(Genred(FORMULA, ALIASES, axis=1)(*tensors, ranges=ranges), dense(*tensors))


def test_gradients_use_the_half_of_their_rows(pair, close, rng):
    tensors = [tensor.requires_grad_() for tensor in tensors_for(rng)]
    value, expected = (torch.sin(function(*tensors)).sum() for function in pair)
    close(torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors))
    assert torch.autograd.gradcheck(pair[0], tensors, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(
        pair[0], tensors, check_fwd_over_rev=True, check_rev_over_rev=True, fast_mode=True
    )


def test_hessians(pair, close, rng):
    tensors = tensors_for(rng)
    found, expected = (
        func.hessian(lambda *t, f=function: torch.sin(f(*t)).sum(), (0, 1, 2))(*tensors)
        for function in pair
    )
    close(found, expected)


def test_every_half_counts_terms_alone(rng):
    """The slope of x + y in x is the number of its pairs."""
    reduction = Genred("x + y", ["x = Vi(1)", "y = Vj(1)"], axis=1)
    x, y = (torch.tensor(rng.normal(size=(n, 1)), requires_grad=True) for n in (M, N))
    slopes = torch.autograd.grad(reduction(x, y, ranges=RANGES).sum(), (x, y))
    assert torch.equal(slopes[0], mask().sum(1, keepdim=True))
    assert torch.equal(slopes[1], mask().sum(0)[:, None])


@pytest.mark.parametrize("name", ["Min", "KMin_ArgKMin"])
def test_the_least_values_of_the_blocks(name, close, rng):
    tensors = [tensor.requires_grad_() for tensor in tensors_for(rng)]
    count = 3 if name == "KMin_ArgKMin" else None
    reduction = Genred(FORMULA, ALIASES, name, axis=1, opt_arg=count)
    x, y, p = tensors
    terms = torch.exp(-p * ((x[:, None] - y) ** 2).sum(-1))
    terms = torch.where(mask() > 0, terms, torch.inf)
    expected = terms.sort(dim=-1, stable=True)
    values = reduction(*tensors, ranges=RANGES)
    if count:
        values, rows = values
        found = expected.values[:, :3].isfinite()
        assert torch.equal(rows, torch.where(found, expected.indices[:, :3], 0))
    wanted = expected.values[:, : count or 1]
    assert torch.equal(values.isfinite(), wanted.isfinite())
    finite = [torch.where(each.isfinite(), each, 0.0) for each in (values, wanted)]
    close(*finite)
    close(*(torch.autograd.grad(torch.sin(each).sum(), tensors) for each in finite))


def test_log_sum_exp_with_weights(close, rng):
    tensors = [tensor.requires_grad_() for tensor in tensors_for(rng)]
    reduction = Genred("x|y", ALIASES, "LogSumExp", axis=1, formula2="y")
    x, y, _ = tensors
    rows = torch.tensor([0, 1, 2, 4, 5, 6])  # no block covers row 3
    expected = torch.log((torch.exp(x[rows] @ y.mT) * mask()[rows]) @ y)
    found = reduction(*tensors, ranges=RANGES)
    assert (found[3] == -torch.inf).all()
    found = found[rows]
    close(found, expected)
    close(*(torch.autograd.grad(torch.sin(each).sum(), (x, y)) for each in (found, expected)))


def test_ranges_are_the_same_for_every_batch_element(pair, close, rng):
    x, y, p = tensors_for(rng, batch=(3,))
    close(pair[0](x, y[0], p), pair[1](x, y[0], p))
    found, expected = (
        func.vmap(func.grad(lambda *t, f=function: torch.sin(f(*t)).sum(), (0, 1, 2)), (0, 0, None))
        for function in pair
    )
    close(found(x, y, p), expected(x, y, p))


def test_ranges_cannot_be_mapped(rng):
    tensors = tensors_for(rng)
    reduction = Genred(FORMULA, ALIASES, axis=1)
    stacked = tuple(torch.stack([each, each]) for each in RANGES)
    with pytest.raises(ArgumentError, match="ranges cannot be mapped"):
        func.vmap(lambda *ranges: reduction(*tensors, ranges=ranges))(*stacked)


def test_ranges_in_a_compiled_function_and_its_gradients(close, rng):
    tensors = [tensor.requires_grad_() for tensor in tensors_for(rng)]
    reduction = Genred(FORMULA, ALIASES, axis=1)
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def total(ranges, *tensors):
        return torch.sin(reduction(*tensors, ranges=ranges)).sum()

    value, expected = total(RANGES, *tensors), torch.sin(dense(*tensors)).sum()
    close(value, expected)
    close(torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors))


def test_the_operation_passes_the_checks_of_pytorch(rng):
    text = Genred(FORMULA, ALIASES, axis=1)._formula.text
    tensors = [tensor.requires_grad_() for tensor in tensors_for(rng)]
    torch.library.opcheck(torch.ops.jaxkeops.reduce.default, (text, tensors, list(RANGES)))


def changed(entry, **values):
    part = RANGES[entry].clone()
    for place, value in values.items():
        part.view(-1)[int(place[1:])] = value
    return (*RANGES[:entry], part, *RANGES[entry + 1 :])


@pytest.mark.parametrize(
    ("ranges", "error", "words"),
    [
        (RANGES[:3], ArgumentError, "six integer arrays .* got 3"),
        (RANGES[0], ArgumentTypeError, "got Tensor"),
        ((*RANGES[:5], RANGES[5].numpy()), ArgumentTypeError, "redranges_i must be a torch.Tensor"),
        ((RANGES[0].double(), *RANGES[1:]), ArgumentError, "ranges_i has dtype float64"),
        ((RANGES[0], RANGES[1].to("meta"), *RANGES[2:]), ArgumentError, "slices_i is on"),
        (changed(0, _1=8), ArgumentError, r"row_blocks\[0\] = \[4, 8\) is not within \[0, 7\]"),
        (changed(2, _1=10), ArgumentError, r"column_blocks\[0\] = \[0, 10\)"),
        (changed(1, _1=1), ArgumentError, r"ends\[1\] = 1 is less than the end before it, 2"),
        (changed(0, _2=3, _3=5), ArgumentError, "overlaps"),
        ((RANGES[1], *RANGES[1:]), ArgumentError, "row_blocks"),
    ],
)
def test_ranges_that_are_not_sound_are_refused(ranges, error, words, rng):
    with pytest.raises(error, match=words):
        Genred(FORMULA, ALIASES, axis=1)(*tensors_for(rng), ranges=ranges)


def test_the_half_that_gradients_take_is_checked_when_they_do(rng):
    x, y, p = tensors_for(rng)
    reduction = Genred(FORMULA, ALIASES, axis=1)
    ranges = changed(3, _1=10)
    reduction(x.requires_grad_(), y, p, ranges=ranges).sum().backward()
    value = reduction(x, y.requires_grad_(), p, ranges=ranges).sum()
    with pytest.raises(ArgumentError, match=r"row_blocks\[0\] = \[0, 10\)"):
        value.backward()
