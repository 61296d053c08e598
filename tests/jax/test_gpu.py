"""Programs for GPUs, lowered on machines that have none: what they carry, and what they take."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxkeops.compiler import cuda_plan
from jaxkeops.jax import EXPORT_CHECKS, Genred, workspace as room
from jaxkeops.jax.ranges import ARRAYS

FORMULA, ALIASES = (
    "Exp(-g * SqDist(x, y)) * b",
    ["g = Pm(1)", "x = Vi(3)", "y = Vj(3)", "b = Vj(2)"],
)
SHAPES = (1,), (10, 3), (20000, 3), (20000, 2)


@pytest.fixture
def reduction():
    return Genred(FORMULA, ALIASES, axis=1)


def exported(function, shapes, *platforms):
    given = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    make = export.export(jax.jit(function), platforms=platforms, disabled_checks=EXPORT_CHECKS)
    return make(*given)


def test_a_program_for_gpus_carries_its_text_and_its_workspace(reduction):
    program = exported(reduction, SHAPES, "cuda").mlir_module()
    planned, _ = cuda_plan(reduction._formula, "float32", M=10)
    multiprocessors = int(re.search(r"multiprocessors = (\d+) : i64", program)[1])
    size = planned.workspace_bytes(SHAPES, multiprocessors)
    assert size > 0  # few rows: the columns are split
    assert f"tensor<{size}xui8>" in program
    assert 'text = "cuda few float32 int64\\0Ajaxkeops formula' in program


def test_few_rows_have_a_kernel_of_their_own(reduction):
    kinds = {"few": 384, "dense": 385}
    for kind, M in kinds.items():
        program = exported(reduction, ((1,), (M, 3), (90, 3), (90, 2)), "cuda").mlir_module()
        assert f'text = "cuda {kind} float32' in program


def test_a_program_for_both_runs_on_this_cpu(reduction, rng):
    arrays = [rng.uniform(size=shape).astype("float32") for shape in SHAPES]
    both = exported(reduction, SHAPES, "cpu", "cuda")
    np.testing.assert_array_equal(both.call(*arrays), reduction(*arrays))
    assert both.mlir_module().count("@jaxkeops_reduce") == 2


def test_gradients_are_lowered_for_gpus_too(reduction):
    gradients = jax.grad(lambda *args: reduction(*args).sum(), argnums=(0, 1, 2, 3))
    program = exported(gradients, SHAPES, "cuda").mlir_module()
    assert 'text = "cuda ' in program
    assert 'text = "float32' not in program


def test_ranges_are_operands_of_another_kernel(reduction):
    blocks = (jnp.zeros((4, 2), int), jnp.zeros(4, int), jnp.zeros((6, 2), int)) * (ARRAYS // 3)
    program = exported(lambda *args: reduction(*args, ranges=blocks), SHAPES, "cuda").mlir_module()
    assert 'text = "cuda ranges float32' in program


@pytest.mark.parametrize("x64", [False, True])
def test_ranges_of_two_dtypes_are_made_one(reduction, x64):
    two = np.zeros((4, 2), "int32"), np.zeros(4, "int64"), np.zeros((6, 2), "int32")
    with jax.enable_x64(x64):
        mixed = lambda *args: reduction(*args, ranges=two * 2)
        program = exported(mixed, SHAPES, "cuda").mlir_module()
    integer = "i64" if x64 else "i32"
    assert f"tensor<4x2x{integer}>, tensor<4x{integer}>, tensor<6x2x{integer}>) ->" in program


def test_extents_may_be_unknown(reduction, rng):
    M, N = export.symbolic_shape("M, N")
    both = exported(reduction, ((1,), (M, 3), (N, 3), (N, 2)), "cpu", "cuda")
    assert "multiprocessors = 0 : i64" in both.mlir_module()
    assert 'text = "cuda dense' in both.mlir_module()
    arrays = [rng.uniform(size=shape).astype("float32") for shape in SHAPES]
    np.testing.assert_array_equal(both.call(*arrays), reduction(*arrays))


@pytest.mark.parametrize("blocks", [None, (3, 7)])
@pytest.mark.parametrize("reduction_op", ["Sum", "ArgKMin"])
def test_what_is_reserved_for_unknown_extents_is_enough(reduction_op, blocks):
    options = {"opt_arg": 70} if reduction_op == "ArgKMin" else {}
    formula = Genred(FORMULA, ALIASES, reduction_op, axis=1, **options)._formula
    planned, launch = cuda_plan(formula, "float32", ranges=blocks is not None)
    for batch, M, N in ((1, 1, 1), (1, 5000, 3), (7, 513, 1000), (2, 0, 9)):
        shapes = (1, 1), (batch, M, 3), (batch, N, 3), (1, N, 2)
        exact = planned.workspace_bytes(shapes, 0, blocks)
        assert room._most(launch, batch, M, N, blocks or (0, 0)) >= exact
