"""What compiled programs and profiles call a reduction: by its formula."""

from __future__ import annotations

import gzip
import json

import jax
import pytest

NAME = "Sum[Exp(-p3*SqDist(x0,y1))*y2]"


def operations_of(function, *args):
    return jax.jit(function).lower(*args).compile().as_text()


def test_operations_bear_the_formula(gaussian, rng):
    text = operations_of(lambda *args: gaussian.genred(*args), *gaussian.arrays(rng))
    assert f'op_name="jit(<lambda>)/jaxkeops_reduce/{NAME}"' in text
    assert "Sum_Exp_-p3_SqDist_x0_y1___y2_" in text  # what a profile of a CPU shows


def test_derivatives_and_scopes_have_names_of_their_own(gaussian, rng):
    def loss(*args):
        with jax.named_scope("layer"):
            return gaussian.genred(*args).sum()

    text = operations_of(jax.grad(loss), *gaussian.arrays(rng))
    assert "layer" in text
    assert "/Sum[-2*Scalprod(x4,y2)*Exp(-p3*SqDist(x0,y1))*p3*(x0-y1)]" in text


def test_operations_of_xla_alone_bear_it_too(gaussian, rng):
    run = lambda *args: gaussian.genred(*args, backend="XLA")
    assert f"jaxkeops_reduce/{NAME}/" in operations_of(run, *gaussian.arrays(rng))


def test_a_profile_shows_calls_with_the_names_of_their_arguments(gaussian, rng, tmp_path):
    arrays = gaussian.arrays(rng)
    gaussian.genred(*arrays)
    with jax.profiler.trace(tmp_path):
        jax.block_until_ready(gaussian.genred(*arrays))
    traces = list(tmp_path.rglob("*.trace.json.gz"))
    if not traces:
        pytest.skip("this jaxlib writes no trace as JSON")
    with gzip.open(traces[0]) as file:
        shown = {event.get("name", "") for event in json.load(file)["traceEvents"]}
    assert "PjitFunction(jaxkeops_reduce Sum[Exp(-p*SqDist(x,y))*b])" in shown
    assert any(name.startswith("Sum_Exp_-p3_SqDist_x0_y1___y2_") for name in shown)
