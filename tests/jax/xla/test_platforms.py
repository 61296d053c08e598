"""Where plain XLA takes over: other platforms, by name, and without the extension module."""

from __future__ import annotations

import re
import textwrap

import fresh
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import PartitionSpec as P

import jaxkeops.numpy
from jaxkeops.errors import ArgumentError
from jaxkeops.jax import Genred, KernelSolve, LazyTensor, Vi, Vj

ALIASES = ("x = Vi(3)", "y = Vj(3)", "b = Vj(2)", "p = Pm(1)")
SHAPES = (10, 3), (2000, 3), (2000, 2), (1,)


def by_xla(genred):
    return lambda *args, **options: genred(*args, backend="XLA", **options)


def exported(function, *platforms):
    given = [jax.ShapeDtypeStruct(shape, "float32") for shape in SHAPES]
    return export.export(jax.jit(function), platforms=platforms)(*given).mlir_module()


@pytest.mark.parametrize(
    ("name", "platform"), [("Sum", "tpu"), ("LogSumExp", "rocm"), ("KMin_ArgKMin", "METAL")]
)
def test_a_program_for_other_platforms_calls_nothing_of_ours(name, platform):
    genred = Genred("p * SqDist(x, y)", ALIASES, name, axis=1, opt_arg=3 * (name[0] == "K"))

    def values_and_gradients(*args):
        loss = lambda *args: jax.tree.leaves(genred(*args))[0].sum()
        return genred(*args), jax.grad(loss, (0, 1, 3))(*args)

    program = exported(values_and_gradients, platform)
    assert "custom_call" not in program
    assert "while" in program


def test_one_program_for_a_cpu_and_a_tpu(gaussian, rng):
    given = [jax.ShapeDtypeStruct(shape, "float64") for shape in gaussian.shapes]
    checks = jaxkeops.jax.EXPORT_CHECKS
    make = export.export(jax.jit(gaussian.genred), platforms=("cpu", "tpu"), disabled_checks=checks)
    both = make(*given)
    assert both.mlir_module().count("@jaxkeops_reduce") == 1
    arrays = gaussian.arrays(rng)
    np.testing.assert_array_equal(both.call(*arrays), gaussian.genred(*arrays))


def test_extents_may_be_unknown(gaussian, agree, rng):
    B, M, N = export.symbolic_shape("B, M, N")
    shapes = (B, M, 3), (1, N, 3), (B, N, 2), (1, 1)
    given = [jax.ShapeDtypeStruct(shape, "float64") for shape in shapes]
    program = export.export(jax.jit(by_xla(gaussian.genred)))(*given)
    for B, M, N in ((1, 2, 3), (3, 300, 2)):
        arrays = [rng.uniform(size=s) for s in ((B, M, 3), (1, N, 3), (B, N, 2), (1, 1))]
        agree(program.call(*arrays), gaussian.genred(*arrays))


def test_derivatives_are_of_the_same_kind(gaussian, loss, agree, rng):
    arrays = gaussian.arrays(rng)
    gradients = jax.jit(jax.grad(loss(by_xla(gaussian.genred)), gaussian.slots))
    assert "jaxkeops_reduce" not in re.sub(r"jit_\w+", "", gradients.lower(*arrays).as_text())
    agree(gradients(*arrays), jax.grad(loss(gaussian.dense), gaussian.slots)(*arrays))
    again = jax.hessian(loss(by_xla(gaussian.genred)), 3)(*arrays)
    agree(again, jax.hessian(loss(gaussian.dense), 3)(*arrays))


@pytest.mark.parametrize("name", ["KMin_ArgKMin_of_vectors_6", "SumSoftMaxWeight_with_weights"])
def test_derivatives_of_other_reductions(name, reduced_by_name, agree, rng):
    case = reduced_by_name[name]
    arrays = case.arrays(rng)
    value = lambda *args: jax.tree.leaves(by_xla(case.genred)(*args))[0].sum()
    dense = lambda *args: case.dense(*args).sum()
    found = jax.jit(jax.grad(value, case.slots))(*arrays)
    agree(found, jax.grad(dense, case.slots)(*arrays))


def test_vmap_and_eager_and_without_jit(gaussian, agree, rng):
    x, y, b, p = gaussian.arrays(rng)
    many = jnp.stack([x, 2 * x])
    run = lambda f: jax.vmap(lambda x, b: f(x, y, b, p), in_axes=(0, None))(many, b)
    agree(run(by_xla(gaussian.genred)), run(gaussian.dense))
    with jax.disable_jit():
        agree(by_xla(gaussian.genred)(x, y, b, p), gaussian.dense(x, y, b, p))


def test_inside_a_manual_mesh(gaussian, mesh, loss, agree, rng):
    _, y, b, p = gaussian.arrays(rng)
    x = jnp.asarray(rng.uniform(0.2, 1, (8, 3)))
    specs = (P("r"), P(), P(), P())
    local = jax.shard_map(by_xla(gaussian.genred), mesh=mesh, in_specs=specs, out_specs=P("r"))
    agree(jax.jit(local)(x, y, b, p), gaussian.dense(x, y, b, p))
    found = jax.jit(jax.grad(loss(local), gaussian.slots))(x, y, b, p)
    agree(found, jax.grad(loss(gaussian.dense), gaussian.slots)(x, y, b, p))


def test_arrays_that_are_spread_over_devices(gaussian, mesh, agree, rng):
    _, y, b, p = gaussian.arrays(rng)
    x = jnp.asarray(rng.uniform(0.2, 1, (8, 3)))
    spread = jax.device_put(x, jax.sharding.NamedSharding(mesh, P("r")))
    agree(by_xla(gaussian.genred)(spread, y, b, p), gaussian.dense(x, y, b, p))


def test_lazy_tensors_and_solves_take_the_name_too(agree, rng):
    x, y = (jnp.asarray(rng.uniform(size=(rows, 2))) for rows in (5, 5))
    kernel = (-((Vi(x) - Vj(y)) ** 2).sum()).exp()
    agree(kernel.sum(1, backend="XLA"), kernel.sum(1))
    named = (-((Vi(x) - Vj(y)) ** 2).sum()).exp()
    named.backend = "XLA"
    program = jax.jit(lambda k: (k @ x, k.argmin(1), k.logsumexp(0))).lower(named).as_text()
    assert "stablehlo.custom_call @jaxkeops_reduce" not in program
    assert isinstance(named, LazyTensor)
    solve = KernelSolve("Exp(-SqDist(x, y)) * a", ["x=Vi(2)", "y=Vj(2)", "a=Vj(1)"], "a", axis=1)
    agree(
        solve(x, x, x[:, :1], alpha=1.0, eps=1e-13, backend="XLA"),
        solve(x, x, x[:, :1], alpha=1.0, eps=1e-13),
    )


def test_other_doors_say_where_the_name_belongs(rng):
    genred = jaxkeops.numpy.Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], axis=1)
    x = rng.uniform(size=(3, 1))
    with pytest.raises(ArgumentError, match=r"got 'XLA'\. 'XLA' computes on JAX arrays: use jaxk"):
        genred(x, x, backend="XLA")
    with pytest.raises(ArgumentError, match=r"one of auto, .*, XLA, got 'TPU'"):
        Genred("x * y", ["x = Vi(1)", "y = Vj(1)"], axis=1)(x, x, backend="TPU")


WITHOUT = """
    import sys
    sys.modules["jaxkeops._native"] = None
    import jax, jax.numpy as jnp
    jax.config.update("jax_enable_x64", True)
    import jaxkeops
    from jaxkeops.runtime import native
    x = jnp.arange(6.0).reshape(3, 2)
"""


def run(script):
    return fresh.run(textwrap.dedent(WITHOUT) + textwrap.dedent(script), JAX_PLATFORMS="cpu")


def test_jax_arrays_are_reduced_without_the_extension_module():
    shown = run(
        """
        from jaxkeops import Genred, Vi, Vj
        genred = Genred("SqDist(x, y) * p", ["x = Vi(2)", "y = Vj(2)", "p = Pm(1)"], axis=1)
        print(native.AVAILABLE, genred(x, x, 2.0).ravel())
        print(jax.grad(lambda p: genred(x, x, p).sum())(1.0))
        print(((Vi(x) - Vj(x)) ** 2).sum().argKmin(2, 1).ravel())
        print(jaxkeops.health.found()["jax door"])
        """
    )
    assert shown.split("\n")[:-1] == [
        "False [80. 32. 80.]",
        "96.0",
        "[0 1 1 0 2 1]",
        "works",
    ]


def test_other_doors_say_that_it_is_missing():
    shown = run(
        """
        for door in ("numpy", "torch"):
            print(jaxkeops.health.found()[f"{door} door"])
        try:
            native.num_threads()
        except ImportError as error:
            print(error)
        """
    )
    assert shown.count("jaxkeops needs its extension module jaxkeops._native") >= 2
    assert "JAX arrays can be reduced without it" in shown
