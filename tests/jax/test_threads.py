"""Many threads and many calls at once: every kernel compiles once, and nothing waits for ever."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeops.jax import Genred

THREADS = 16


def test_threads_make_and_call_formulas_at_once(rng):
    x, y = (jnp.asarray(rng.normal(size=(50, 2)), "float32") for _ in range(2))
    squared = ((np.asarray(x)[:, None] - np.asarray(y)) ** 2).sum(-1)

    def work(k):
        scale = 1 + k % 4  # four formulas, each wanted by four threads
        genred = Genred(f"Exp(-{scale} * SqDist(x, y))", ["x = Vi(2)", "y = Vj(2)"], axis=1)
        value, slope = jax.jit(jax.value_and_grad(lambda x: genred(x, y).sum()))(x)
        return scale, float(value), np.asarray(slope), np.asarray(genred(x, y))

    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(work, range(THREADS)))
    for scale, value, slope, result in done:
        expected = np.exp(-scale * squared).sum(1)
        np.testing.assert_allclose(result[:, 0], expected, rtol=1e-5)
        np.testing.assert_allclose(value, expected.sum(), rtol=1e-5)
        assert slope.shape == x.shape


def test_one_object_serves_many_threads(rng):
    genred = Genred("Exp(-SqDist(x, y))", ["x = Vi(2)", "y = Vj(2)"], axis=1)
    x = jnp.asarray(rng.normal(size=(900, 2)), "float32")
    expected = np.asarray(genred(x, x))
    with ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(lambda _: np.asarray(genred(x, x)), range(4 * THREADS)):
            np.testing.assert_array_equal(result, expected)


def test_independent_calls_share_xlas_threads_without_dead_lock():
    # XLA runs the calls on its pool, and each call asks the same pool for help: one that waited
    # for a thread that never comes would hang, so the limit on time is the test.
    script = """
        import threading
        import jax, jax.numpy as jnp, numpy as np
        from jaxkeops import Genred
        genred = Genred("Exp(-p * SqDist(x, y))", ["x = Vi(3)", "y = Vj(3)", "p = Pm(1)"], axis=1)
        x = jnp.asarray(np.random.default_rng(0).normal(size=(700, 3)), jnp.float32)
        many = jax.jit(lambda x: sum(genred(x * c, x, 1 / c) for c in np.linspace(1, 2, 16)))
        expected = np.asarray(many(x))
        wrong = []
        def work():
            for _ in range(20):
                if not np.array_equal(many(x), expected):
                    wrong.append(1)
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not wrong
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=100)
