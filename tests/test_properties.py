"""Drawn formulas, sizes, batches and reductions, against the dense oracle in float64."""

from __future__ import annotations

import numpy as np
import pytest
from drawing import INPUTS, POOL, SMOOTH, STEPS, arrays_of, drawn, nodes, ranges_of
from hypothesis import given, strategies as st
from oracle import evaluate

from jaxkeops.compiler import kernel
from jaxkeops.formula import (
    REDUCTIONS,
    F,
    Formula,
    Node,
    Var,
    cotangents,
    make_formula,
    read,
    variables,
)
from jaxkeops.frontend.shapes import fit


def run(formula: Formula, arrays, ranges=None) -> tuple[np.ndarray, ...]:
    """The results of the compiled kernel; arrays have all batch axes."""
    compiled = kernel(formula, arrays[0].dtype.name)
    dtypes = tuple(np.dtype(output[1]) for output in compiled.outputs)
    results = compiled.call_buffers(tuple(arrays), np.empty, dtypes, None, ranges)
    assert results is not None
    return results


def dense(node: Node, reduction: str, arrays) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The results of the oracle, and the sum of the sizes of the terms."""
    terms = terms_of(node, arrays)
    with np.errstate(all="ignore"):
        return REDUCTIONS[reduction].value(terms, None, 0), np.abs(terms).sum(-2)


def close(result, expected, beside, scale, eps) -> None:
    """Equal up to what a few roundings of the data and of every op do, and of the sum."""
    known = np.isfinite(expected) & np.isfinite(beside).all(0)
    with np.errstate(invalid="ignore"):
        spread = np.abs(np.where(known, expected - beside, 0.0)).max(0)
    room = 50 * spread + 200 * eps * (np.nan_to_num(scale, posinf=1e300) + 1)
    difference = np.abs(np.where(known, result - np.where(known, expected, 0.0), 0.0))
    assert (difference <= room).all(), (result, expected, room)


class Moved(list):
    """Arrays on which every op is a few roundings, of relative size `eps`, beside its value."""

    def __init__(self, arrays, eps: float, seed: int) -> None:
        self.eps, self.seed = eps, seed
        rng = np.random.default_rng(seed)
        super().__init__(jittered(array.astype(np.float64), eps, rng) for array in arrays)


def nearby(value, arrays, eps: float) -> np.ndarray:
    """`value` of three such arrays: one alone may happen to move nothing."""
    return np.stack([value(Moved(arrays, eps, seed)) for seed in range(3)])


def jittered(array, eps, rng):
    return array * (1 + 4 * eps * rng.uniform(-1, 1, array.shape))


def terms_of(node: Node, arrays) -> np.ndarray:
    """The formula at all pairs, in float64."""
    if not isinstance(arrays, Moved):
        return evaluate(node, dict(enumerate(arrays)), POOL)
    rng = np.random.default_rng(100 + arrays.seed)

    def move(part, value):
        return value if part.op.name in STEPS else jittered(value, arrays.eps, rng)

    return evaluate(node, dict(enumerate(arrays)), POOL, move)


@drawn
@given(node=nodes(), arrays=arrays_of(), reduction=st.sampled_from(["Sum", "Min", "Max"]))
def test_a_drawn_formula_agrees_with_the_oracle(node, arrays, reduction):
    formula = make_formula(reduction, node, INPUTS)
    (result,) = run(formula, arrays)
    (expected,), scale = dense(node, reduction, arrays)
    assert result.shape == expected.shape
    beside = nearby(lambda given: dense(node, reduction, given)[0][0], arrays, 2.0**-52)
    close(result, expected, beside, scale, 2.0**-52)


@drawn
@given(node=nodes(choices=SMOOTH), arrays=arrays_of("float32"))
def test_a_drawn_formula_agrees_in_float32(node, arrays):
    (result,) = run(make_formula("Sum", node, INPUTS), arrays)
    (expected,), scale = dense(node, "Sum", arrays)
    beside = nearby(lambda given: dense(node, "Sum", given)[0][0], arrays, 2.0**-23)
    close(result, expected, beside, scale, 2.0**-23)


@drawn
@given(node=nodes(1), arrays=arrays_of(), size=st.sampled_from([1.0, 100.0, 1e4]))
def test_a_drawn_logsumexp_agrees_with_the_oracle(node, arrays, size):
    node = size * F.Sin(node)
    (result,) = run(make_formula("LogSumExp", node, INPUTS), arrays)
    (expected,), _ = dense(node, "LogSumExp", arrays)
    beside = nearby(lambda given: dense(node, "LogSumExp", given)[0][0], arrays, 2.0**-52)
    close(result, expected, beside, np.abs(expected) + size, 2.0**-52)
    np.testing.assert_array_equal(np.isneginf(result), np.isneginf(expected))


@drawn
@given(node=nodes(), arrays=arrays_of(), sense=st.sampled_from(["Min", "Max"]))
def test_the_row_found_has_the_value_found(node, arrays, sense):
    value, index = run(make_formula(f"{sense}_Arg{sense}", node, INPUTS), arrays)
    terms = terms_of(node, arrays)
    if terms.shape[-2] and terms.size:
        found = np.take_along_axis(terms, index[..., None, :], -2)[..., 0, :]
        beside = nearby(lambda given: terms_of(node, given), arrays, 2.0**-52)
        room = np.abs(beside - terms).max(0).max(-2, initial=0.0)
        known = np.isfinite(value) & np.isfinite(found) & np.isfinite(room)
        difference = np.abs(np.where(known, value - found, 0))
        allowed = 50 * np.where(known, room, 0) + 1e-13 * (1 + np.abs(np.where(known, value, 0)))
        assert (difference <= allowed).all(), (value, found, room)


@drawn
@given(
    node=nodes(choices=SMOOTH, depth=2),
    arrays=arrays_of(),
    reduction=st.sampled_from(["Sum", "LogSumExp"]),
    data=st.data(),
)
def test_drawn_gradients_agree_with_central_differences(node, arrays, reduction, data):
    if reduction == "LogSumExp":
        node = F.Sum(node)
    formula = make_formula(reduction, node, INPUTS)
    used = sorted(variables(formula.node))
    if not used or arrays[2].shape[-2] == 0:
        return
    slot = data.draw(st.sampled_from(used))
    (primal,) = run(formula, arrays)
    rng = np.random.default_rng(2)
    g, direction = rng.normal(size=primal.shape), rng.normal(size=arrays[slot].shape)
    slope = (gradient_of(formula, slot, arrays, primal, g) * direction).sum()

    def along(step):
        there = list(arrays)
        there[slot] = there[slot] + step * direction
        (result,), _ = dense(node, reduction, there)
        return (result * g).sum()

    h = 1e-4
    coarse = (along(h) - along(-h)) / (2 * h)
    fine = (along(h / 2) - along(-h / 2)) / h
    expected = (4 * fine - coarse) / 3  # Richardson: the error is h^4
    if np.isfinite(expected):
        room = (
            2 * abs(fine - coarse) + 1e-7 * (1 + abs(expected)) + 1e-9 * abs(primal * g).sum() / h
        )
        assert abs(slope - expected) <= room, (slope, expected, room)


def gradient_of(formula, slot, arrays, primal, g):
    """The gradient for one input, as the doors put it together."""
    result = np.zeros_like(arrays[slot])
    for sweep in cotangents(formula, (slot,)):
        at_hand = [*arrays, primal, g]
        given = tuple(
            np.ascontiguousarray(at_hand[a.index][..., :0] if a.carrier else at_hand[a.index])
            for a in sweep.arguments
        )
        derived = run(sweep.formula, given)
        for part in sweep.parts:
            assert part.target == slot
            found = derived[part.source][..., part.start : part.stop]
            core = 1 if formula.inputs[slot].axis == "p" else 2
            axes = tuple(
                k for k in range(result.ndim - core) if result.shape[k] == 1 != found.shape[k]
            )
            result = result + found.sum(axes, keepdims=True)
    return result


@drawn
@given(
    node=nodes(1),
    weight=nodes(depth=2),
    arrays=arrays_of(),
    name=st.sampled_from(["LogSumExp", "SumSoftMaxWeight", "Max_SumShiftExpWeight"]),
)
def test_a_drawn_weighted_reduction_agrees_with_the_oracle(node, weight, arrays, name):
    node, weight = 3 * F.Sin(node), 2 + F.Sin(weight)
    (result, *_) = run(make_formula(name, node, INPUTS, weight), arrays)

    def value(given):
        f, g = (terms_of(each, given) for each in (node, weight))
        with np.errstate(all="ignore"):
            return REDUCTIONS[name].value(f, g, 0)[0], np.abs(g).sum(-2)

    expected, scale = value(arrays)
    beside = nearby(lambda given: value(given)[0], arrays, 2.0**-52)
    close(result, expected, beside, scale.sum(-1)[..., None], 2.0**-52)


@drawn
@given(node=nodes(), arrays=arrays_of(), count=st.integers(1, 50))
def test_drawn_lists_agree_with_the_oracle(node, arrays, count):
    values, rows = run(make_formula("KMin_ArgKMin", node, INPUTS, count=count), arrays)

    def value(given):
        found = REDUCTIONS["KMin"].value(terms_of(node, given), None, count)[0]
        return found.reshape(*found.shape[: values.ndim - 1], values.shape[-1])

    expected = value(arrays)
    np.testing.assert_array_equal(np.isinf(values), np.isinf(expected))
    beside = nearby(value, arrays, 2.0**-52)
    close(values, expected, beside, np.abs(np.nan_to_num(expected, posinf=0)), 2.0**-52)
    assert (rows[np.isposinf(values)] == 0).all()


@drawn
@given(data=st.data(), node=nodes(), arrays=arrays_of())
def test_drawn_ranges_take_the_pairs_that_they_say(data, node, arrays):
    M, N = arrays[1].shape[-2], arrays[2].shape[-2]
    ranges, times = data.draw(ranges_of(M, N))
    formula = make_formula("Sum", node, INPUTS)
    (result,) = run(formula, arrays, ranges)

    def value(given):
        terms = terms_of(node, given)
        counted = np.where(times[..., None] > 0, terms * times[..., None], 0.0)
        return counted.sum(-2), np.abs(counted).sum(-2)

    expected, scale = value(arrays)
    beside = nearby(lambda given: value(given)[0], arrays, 2.0**-52)
    close(result, expected, beside, scale, 2.0**-52)


@drawn
@given(node=nodes())
def test_text_says_all_of_a_formula(node):
    formula = make_formula("Sum", node, INPUTS)
    assert make_formula(*read(formula.text)) == formula


@pytest.mark.parametrize("batch", [(0,), (2, 0), (0, 3)])
def test_empty_batches_are_empty(batch):
    x, y = np.zeros((*batch, 5, 3)), np.zeros((*batch, 4, 3))
    formula = make_formula("Sum", F.SqDist(Var(3, 0, "i"), Var(3, 1, "j")), INPUTS[1:3])
    fitted = fit(formula.inputs, [x.shape, y.shape], ["x", "y"])
    (result,) = run(formula, [x, y])
    assert result.shape == fitted.result(1) == (*batch, 5, 1)
