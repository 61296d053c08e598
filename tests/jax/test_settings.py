"""Reductions under JAX's settings: checkpoints, debugging, strict promotion, long loops."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

from jaxkeops.jax import Genred, KernelSolve, Vi, Vj, cluster

POLICIES = jax.checkpoint_policies
BACKENDS = ("auto", "XLA")


def keep_reductions(primitive, *_, **params):
    return primitive.name == "jaxkeops_reduce"


def passes_of(function, *args):
    """How many reductions there are in the program of a function, inner programs too."""

    def count(jaxpr):
        inner = [getattr(each, "jaxpr", each) for eqn in jaxpr.eqns for each in eqn.params.values()]
        here = sum(eqn.primitive.name == "jaxkeops_reduce" for eqn in jaxpr.eqns)
        return here + sum(count(each) for each in inner if hasattr(each, "eqns"))

    return count(jax.make_jaxpr(function)(*args).jaxpr)


def network(genred, x, y, b, p):
    """Two reductions in a row, as layers."""
    hidden = checkpoint_name(genred(x, y, b, p), "hidden")
    return genred(x, y, b + hidden.mean(0), p)


@pytest.mark.parametrize(
    "policy",
    [
        None,
        POLICIES.everything_saveable,
        POLICIES.nothing_saveable,
        POLICIES.dots_saveable,
        POLICIES.save_only_these_names("hidden"),
        POLICIES.save_anything_except_these_names("hidden"),
        keep_reductions,
    ],
)
def test_checkpoints_change_no_gradient(policy, gaussian, loss, agree, rng):
    arrays = gaussian.arrays(rng)
    kept = jax.checkpoint(partial(network, gaussian.genred), policy=policy)
    found = jax.jit(jax.grad(loss(kept), gaussian.slots))(*arrays)
    agree(found, jax.grad(loss(partial(network, gaussian.dense)), gaussian.slots)(*arrays))


def test_a_policy_says_whether_reductions_are_done_again(gaussian, loss, rng):
    arrays = gaussian.arrays(rng)

    def passes(policy):
        kept = jax.checkpoint(partial(network, gaussian.genred), policy=policy)
        return passes_of(jax.grad(loss(kept)), *arrays)

    assert passes(keep_reductions) < passes(POLICIES.nothing_saveable)


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_jit(backend, gaussian, loss, agree, rng):
    x, y, b, p = gaussian.arrays(rng)
    function = partial(gaussian.genred, backend=backend)
    many = jnp.stack([x, 2 * x])
    run = lambda f: jax.vmap(jax.grad(loss(f)), (0, None, None, None))(many, y, b, p)
    expected = run(gaussian.dense)
    with jax.disable_jit():
        agree(run(function), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nans_are_found_and_only_nans(backend, gaussian, loss, agree, rng):
    arrays = gaussian.arrays(rng)
    function = partial(gaussian.genred, backend=backend)
    farthest = Genred("Inv(x - y)", ["x = Vi(1)", "y = Vj(1)"], "Max_ArgMax", axis=1)
    expected = jax.grad(loss(gaussian.dense))(*arrays)
    with jax.debug_nans(True):
        agree(jax.jit(jax.grad(loss(function)))(*arrays), expected)
        values, _ = farthest(jnp.ones((2, 1)), jnp.ones((3, 1)), backend=backend)
        assert jnp.isinf(values).all()
        with pytest.raises(FloatingPointError):
            function(arrays[0].at[0, 0].set(jnp.nan), *arrays[1:])


@pytest.fixture
def strict():
    """The settings under which JAX converts and broadcasts nothing by itself."""
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_tracer_outlives_its_program(backend, gaussian, rng):
    arrays = gaussian.arrays(rng)
    with jax.checking_leaks():
        jax.jit(jax.grad(lambda *args: gaussian.genred(*args, backend=backend).sum()))(*arrays)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_strict_settings(backend, dtype, strict, gaussian, rng):
    arrays = gaussian.arrays(rng, dtype)
    value = lambda *args: gaussian.genred(*args, backend=backend).sum()
    for each in jax.jit(jax.grad(value, gaussian.slots))(*arrays):
        assert each.dtype == dtype
    x, y, b, _ = arrays
    assert gaussian.genred(x, y, b, 0.5, backend=backend).dtype == dtype


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "name",
    ["Max_of_vectors", "KMin_2", "LogSumExp_with_weights", "Max_SumShiftExpWeight_with_weights"],
)
def test_strict_settings_for_other_reductions(name, backend, strict, reduced_by_name, rng):
    case = reduced_by_name[name]
    arrays = case.arrays(rng, "float32")
    first = lambda *args: case.genred(*args, backend=backend).sum()
    gradients = jax.jit(jax.grad(first, case.slots))(*arrays)
    assert {each.dtype.name for each in gradients} == {"float32"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_strict_settings_for_lazy_tensors_solves_and_ranges(backend, strict, rng):
    x, y = (jnp.asarray(rng.uniform(size=(rows, 2)), "float32") for rows in (6, 6))
    kernel = (-((Vi(x) - Vj(y)) ** 2).sum() / 2).exp()
    kernel.backend = backend
    for result in (kernel @ y, kernel.sum(0), kernel.logsumexp(1), kernel.max(1)):
        assert result.dtype == "float32"
    assert kernel.argKmin(2, 1).shape == (6, 2)
    same = (-((Vi(x) - Vj(x)) ** 2).sum()).exp()
    assert same.solve(Vi(x), alpha=0.1, backend=backend).dtype == "float32"
    solve = KernelSolve("Exp(-SqDist(x, y)) * a", ["x=Vi(2)", "y=Vj(2)", "a=Vj(1)"], "a", axis=1)
    slope = jax.grad(lambda b: solve(x, x, b, alpha=0.1, backend=backend).sum())(x[:, :1])
    assert slope.dtype == "float32"
    ids = jnp.asarray([0, 0, 1, 1, 1, 2])
    total = Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], axis=1)
    blocks = cluster.segment_ids(ids, ids)
    slope = jax.grad(lambda x: total(x, y, ranges=blocks, backend=backend).sum())(x)
    assert slope.dtype == "float32"


def resident():
    """The bytes of memory that this process holds."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("backend", BACKENDS)
def test_ten_thousand_steps_take_no_more_memory_than_a_few(backend, gaussian, rng):
    x, y, b, p = (jnp.asarray(array) for array in gaussian.arrays(rng))

    @partial(jax.jit, donate_argnums=0)
    def run(x):
        def step(x, _):
            slope = jax.grad(lambda x: gaussian.genred(x, y, b, p, backend=backend).sum())(x)
            return x - 1e-3 * slope, None

        return jax.lax.scan(step, x, length=10_000)[0]

    x = run(x).block_until_ready()
    before = resident()
    for _ in range(3):
        x = run(x).block_until_ready()
    assert np.isfinite(x).all()
    assert resident() - before < 4e6  # 30,000 steps: less than 133 bytes each
