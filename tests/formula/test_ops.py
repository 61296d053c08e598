"""Laws that every op in the registry must keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from by_rows import lowered, values

from jaxkeops.formula import (
    OPS,
    F,
    Node,
    Number,
    Op,
    Var,
    differential,
    gradient,
)

EPS = 2.0**-52
SAMPLES = [(op, *sample) for op in OPS.values() for sample in op.samples]
every_op = pytest.mark.parametrize(
    ("op", "dims", "params"), SAMPLES, ids=[f"{op.name}{d}{p}" for op, d, p in SAMPLES]
)

TRUE = [sample for sample in SAMPLES if not sample[0].prescribed]
every_op_with_its_own_derivative = pytest.mark.parametrize(
    ("op", "dims", "params"), TRUE, ids=[f"{op.name}{d}{p}" for op, d, p in TRUE]
)


def applied(op: Op, dims: Sequence[int], params: Sequence[object]) -> Node:
    """The op on one variable for each argument: slots 0, 1, ..."""
    return op(*(Var(dim, slot, "i") for slot, dim in enumerate(dims)), *params)


def draw(op: Op, dims: Sequence[int], rng: np.random.Generator) -> dict[int, np.ndarray]:
    return {slot: rng.uniform(*op.domain, (5, dim)) for slot, dim in enumerate(dims)}


def moved(
    node: Node, arrays: dict[int, np.ndarray], directions: dict[int, np.ndarray]
) -> np.ndarray:
    """The derivative of `node` along `directions`, by central differences: error about 1e-10."""
    h = EPS ** (1 / 3)

    def at(step: float) -> np.ndarray:
        return values(node, {s: a + step * directions.get(s, 0.0) for s, a in arrays.items()})

    # Richardson's extrapolation removes the error in h^2.
    slope = (at(h) - at(-h)) / (2 * h)
    wide = (at(2 * h) - at(-2 * h)) / (4 * h)
    return (4 * slope - wide) / 3


def close(a: np.ndarray, b: np.ndarray, tolerance: float) -> None:
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@every_op
def test_value_has_the_dimension_that_the_op_announces(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    value = op.value(*arrays.values(), *params)
    assert np.shape(value)[-1] == applied(op, dims, params).dim


@every_op
def test_value_broadcasts_rows_against_columns(op, dims, params, rng):
    args = [rng.uniform(*op.domain, (4, 1, d) if k % 2 else (1, 3, d)) for k, d in enumerate(dims)]
    full = [np.broadcast_to(arg, (4, 3, arg.shape[-1])).copy() for arg in args]
    value = op.value(*args, *params)
    expected = op.value(*full, *params)
    close(np.broadcast_to(value, np.shape(expected)), expected, 64 * EPS)


@every_op
def test_value_of_no_rows_has_no_rows(op, dims, params):
    if dims:
        value = op.value(*(np.zeros((0, d)) for d in dims), *params)
        assert value.shape == (0, applied(op, dims, params).dim)


@every_op
def test_lowering_agrees_with_value(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    node = applied(op, dims, params)
    expected = np.broadcast_to(op.value(*arrays.values(), *params), (5, node.dim))
    close(lowered(node, arrays), expected, 64 * EPS)


@every_op
def test_expansion_agrees_with_value(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    node = applied(op, dims, params)
    expected = np.broadcast_to(op.value(*arrays.values(), *params), (5, node.dim))
    close(values(node, arrays), expected, 64 * EPS)


def directions_for(
    arrays: dict[int, np.ndarray], rng: np.random.Generator
) -> dict[int, np.ndarray]:
    return {slot: rng.standard_normal(a.shape) for slot, a in arrays.items()}


def tangent_of(
    node: Node, arrays: dict[int, np.ndarray], directions: dict[int, np.ndarray]
) -> tuple[Node | None, dict[int, np.ndarray]]:
    """The differential along variables in the slots after those of `arrays`, and all values."""
    start = len(arrays)
    tangents = {s: Var(d.shape[-1], start + s, "i") for s, d in directions.items()}
    return differential(node, tangents), arrays | {start + s: d for s, d in directions.items()}


@every_op_with_its_own_derivative
def test_forward_derivative_agrees_with_central_differences(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    node = applied(op, dims, params)
    for slot, direction in directions_for(arrays, rng).items():
        tangent, given = tangent_of(node, arrays, {slot: direction})
        found = np.zeros((5, node.dim)) if tangent is None else values(tangent, given)
        close(found, moved(node, arrays, {slot: direction}), 1e-8)


@every_op
def test_reverse_derivative_is_the_transpose_of_the_forward_one(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    node = applied(op, dims, params)
    e = Var(node.dim, 100, "i")
    cotangent = rng.standard_normal((5, node.dim))
    gradients = gradient(node, list(arrays), e)
    for slot, direction in directions_for(arrays, rng).items():
        tangent, given = tangent_of(node, arrays, {slot: direction})
        forward = 0.0 if tangent is None else (values(tangent, given) * cotangent).sum(-1)
        found = gradients[slot]
        assert found is None or found.dim == dims[slot]
        reverse = 0.0
        if found is not None:
            reverse = (values(found, arrays | {100: cotangent}) * direction).sum(-1)
        close(np.broadcast_to(forward, 5), np.broadcast_to(reverse, 5), 1e-12)


@every_op_with_its_own_derivative
def test_second_derivatives_agree_with_central_differences_of_the_first(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    node = applied(op, dims, params)
    e = Var(node.dim, 100, "i")
    given = arrays | {100: rng.standard_normal((5, node.dim))}
    for first in gradient(node, list(arrays), e).values():
        if first is None:
            continue
        directions = directions_for(given, rng)
        start = 200
        tangents = {s: Var(d.shape[-1], start + s, "i") for s, d in directions.items()}
        second = differential(first, tangents)
        all_given = given | {start + s: d for s, d in directions.items()}
        found = np.zeros((5, first.dim)) if second is None else values(second, all_given)
        close(found, moved(first, given, directions), 1e-7)


@every_op
def test_lowering_of_first_and_second_derivatives_agrees_with_their_value(op, dims, params, rng):
    arrays = draw(op, dims, rng)
    node = applied(op, dims, params)
    gradients = [g for g in gradient(node, list(arrays), Number(1, 0.7)).values() if g is not None]
    seconds = [h for g in gradients for h in gradient(g, list(arrays), Number(1, -1.3)).values()]
    for derivative in [*gradients, *(h for h in seconds if h is not None)]:
        expected = values(derivative, arrays)
        close(lowered(derivative, arrays), expected, 1e-11 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_every_op_says_in_a_sentence_what_it_gives(op):
    assert op.doc.endswith(".")
    assert "\n" not in op.doc


def test_dimension_faults_name_the_op_and_the_dimensions():
    x, y = Var(3, 0, "i"), Var(2, 1, "j")
    with pytest.raises(ValueError, match=r"Add works coordinate by coordinate.* 3 and 2"):
        F.Add(x, y)


def test_an_op_called_with_too_few_arguments_says_what_it_takes():
    with pytest.raises(ValueError, match="Clamp takes 3 formulas, got 1 in all"):
        F.Clamp(Var(3, 0, "i"))


def test_a_literal_of_the_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="an integer, written out, is expected"):
        F.Elem(Var(3, 0, "i"), 0.5)
