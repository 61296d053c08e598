"""Exported programs: any sizes, any order of derivative, many devices, another version."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from collectives import collectives, compiled
from fresh import run
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from jaxkeops.errors import CompileError
from jaxkeops.formula import read
from jaxkeops.formula.text import VERSION
from jaxkeops.jax import EXPORT_CHECKS, Genred

pytest.importorskip("flatbuffers")

SIZES = ((7, 9), (1, 33), (16, 1))
RANGES = (
    np.array([[0, 3], [3, 7]]),
    np.array([1, 2]),
    np.array([[0, 4], [4, 9]]),
    np.array([[0, 4], [4, 9]]),
    np.array([1, 2]),
    np.array([[0, 3], [3, 7]]),
)


def travelled(function, *arguments, **options):
    """The function once it was written to bytes and read again."""
    made = export.export(jax.jit(function), disabled_checks=EXPORT_CHECKS, **options)(*arguments)
    return export.deserialize(bytearray(made.serialize(vjp_order=2)))


def shapes_of(case, M, N, batch=()):
    rows = {"Vi": (M,), "Vj": (N,), "Pm": ()}
    kinds = [alias.split(" = ")[1][:2] for alias in case.aliases]
    dims = [shape[-1] for shape in case.shapes]
    return [(*batch, *rows[kind], dim) for kind, dim in zip(kinds, dims, strict=True)]


def unknown(shapes, dtype="float64"):
    return [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]


def known(shapes, rng):
    return [jnp.asarray(rng.uniform(0.2, 1, shape)) for shape in shapes]


def equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_any_numbers_of_rows_and_columns_of_a_gradient(reduced_by_name, gaussian, loss, rng):
    for case in (gaussian, *(reduced_by_name[k] for k in ("LogSumExp_with_weights", "KMin_2"))):
        slope = jax.grad(loss(case.genred), case.slots)
        program = travelled(slope, *unknown(shapes_of(case, *export.symbolic_shape("M, N"))))
        for M, N in SIZES[: 1 if case.count else 3]:
            arrays = known(shapes_of(case, M, N), rng)
            equal(program.call(*arrays), slope(*arrays))


def test_any_number_of_batch_elements(gaussian, rng):
    M, N, B = export.symbolic_shape("M, N, B")
    program = travelled(gaussian.genred, *unknown(shapes_of(gaussian, M, N, (B,))))
    for batch in (1, 3):
        arrays = known(shapes_of(gaussian, 7, 9, (batch,)), rng)
        equal(program.call(*arrays), gaussian.genred(*arrays))


def test_any_number_of_mapped_elements(gaussian, rng):
    M, N, B = export.symbolic_shape("M, N, B")
    many = jax.vmap(gaussian.genred, (0, None, None, 0))
    x, y, b, p = shapes_of(gaussian, M, N)
    program = travelled(many, *unknown([(B, *x), y, b, (B, *p)]))
    x, y, b, p = shapes_of(gaussian, 7, 9)
    arrays = known([(3, *x), y, b, (3, *p)], rng)
    equal(program.call(*arrays), many(*arrays))


def test_any_number_of_blocks(gaussian, rng):
    M, N, blocks, pairs, others = export.symbolic_shape("M, N, blocks, pairs, others")
    counts = ((blocks, 2), (blocks,), (pairs, 2), (others, 2), (others,), (pairs, 2))
    call = lambda x, y, b, p, *ranges: gaussian.genred(x, y, b, p, ranges=ranges)
    shapes = unknown(shapes_of(gaussian, M, N)) + unknown(counts, "int64")
    arrays = (*known(shapes_of(gaussian, 7, 9), rng), *RANGES)
    equal(travelled(call, *shapes).call(*arrays), call(*arrays))


@pytest.mark.parametrize("reduction", ["Sum", "ArgKMin", "SumSoftMaxWeight"])
def test_a_program_for_gpus_and_any_sizes_is_made_without_one(reduction, gaussian):
    genred = Genred(
        "p * SqDist(x, y)",
        gaussian.aliases,
        reduction,
        axis=1,
        formula2="b" if "Weight" in reduction else None,
        opt_arg=3 if "K" in reduction else None,
    )
    shapes = unknown(shapes_of(gaussian, *export.symbolic_shape("M, N")), "float32")
    assert travelled(genred, *shapes, platforms=["cpu", "cuda"]).platforms == ("cpu", "cuda")


def test_an_exported_program_has_derivatives_of_its_own(gaussian, rng):
    shapes = shapes_of(gaussian, *export.symbolic_shape("M, N"))
    program = travelled(gaussian.genred, *unknown(shapes))
    x, *others = known(shapes_of(gaussian, 7, 9), rng)

    def second(function):
        slope = jax.grad(lambda x: (function(x, *others) ** 2).sum())
        return jax.grad(lambda x: (slope(x) ** 2).sum())(x)

    np.testing.assert_allclose(second(program.call), second(gaussian.genred), rtol=1e-12)


def on_devices(arrays, mesh):
    specs = (P("r"), P("c"), P("c"), P())
    return [
        jax.device_put(array, NamedSharding(mesh, spec))
        for array, spec in zip(arrays, specs, strict=True)
    ]


def grid_of(kind):
    return jax.make_mesh((4, 2), ("r", "c"), axis_types=(kind,) * 2)


MANY = {
    "explicit": (AxisType.Explicit, {"all-reduce": 1}),
    "manual": (AxisType.Auto, {"all-reduce": 1}),
    # What partitions calls over automatic axes is a function of the process that exports.
    "automatic": (AxisType.Auto, {"all-gather": 3}),
}


@pytest.mark.parametrize("kind", MANY)
def test_a_program_for_many_devices(kind, gaussian, agree, rng):
    mesh, expected = grid_of(MANY[kind][0]), MANY[kind][1]
    arrays = on_devices(known(shapes_of(gaussian, 16, 8), rng), mesh)
    function = gaussian.genred
    if kind == "manual":
        function = jax.shard_map(
            lambda *a: jax.lax.psum(gaussian.genred(*a), "c"),
            mesh=mesh,
            in_specs=(P("r"), P("c"), P("c"), P()),
            out_specs=P("r"),
        )
    program = compiled(travelled(function, *arrays).call, *arrays)
    agree(program(*arrays), gaussian.dense(*(jnp.asarray(np.asarray(a)) for a in arrays)))
    assert collectives(program) == expected


def test_any_sizes_on_many_devices(gaussian, agree, rng):
    """XLA cannot refine the shapes inside of a shard_map: types are kept, and columns gathered."""
    mesh = grid_of(AxisType.Explicit)
    M, N = export.symbolic_shape("M, N")
    specs = (P("r"), P("c"), P("c"), P())
    shapes = [
        jax.ShapeDtypeStruct(shape, "float64", sharding=NamedSharding(mesh, spec))
        for shape, spec in zip(shapes_of(gaussian, 4 * M, 2 * N), specs, strict=True)
    ]
    arrays = on_devices(known(shapes_of(gaussian, 16, 8), rng), mesh)
    found = jax.jit(travelled(gaussian.genred, *shapes).call)(*arrays)
    agree(found, gaussian.dense(*(jnp.asarray(np.asarray(a)) for a in arrays)))
    assert found.sharding.shard_shape(found.shape) == (4, 2)


def test_a_ring_runs_in_a_fresh_process(gaussian, tmp_path, agree, rng):
    mesh = grid_of(AxisType.Auto)
    arrays = known(shapes_of(gaussian, 16, 8), rng)
    both = P(("r", "c"))
    ring = jax.shard_map(
        lambda *a: gaussian.genred(*a, ring=("r", "c")),
        mesh=mesh,
        in_specs=(both, both, both, P()),
        out_specs=both,
    )
    slope = jax.grad(lambda *a: (ring(*a) ** 2).sum(), gaussian.slots)
    spread = [
        jax.device_put(array, NamedSharding(mesh, both if array.ndim > 1 else P()))
        for array in arrays
    ]
    made = export.export(jax.jit(slope), disabled_checks=EXPORT_CHECKS)(*spread)
    (tmp_path / "program").write_bytes(made.serialize())
    np.savez(tmp_path / "arrays.npz", *arrays)
    run(
        """
        import pathlib, sys, jax, numpy, jaxkeops.jax
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_num_cpu_devices", 8)
        folder = pathlib.Path(sys.argv[1])
        program = jax.export.deserialize(bytearray((folder / "program").read_bytes()))
        arrays = numpy.load(folder / "arrays.npz")
        mesh = jax.make_mesh((4, 2), ("r", "c"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
        spread = [
            jax.device_put(array, s)
            for array, s in zip(arrays.values(), program.in_shardings_jax(mesh))
        ]
        numpy.savez(folder / "results.npz", *jax.jit(program.call)(*spread))
        """,
        tmp_path,
        JAXKEOPS_CACHE_DIR=str(tmp_path / "kernels"),
    )
    results = np.load(tmp_path / "results.npz")
    expected = jax.grad(lambda *a: (gaussian.dense(*a) ** 2).sum(), gaussian.slots)(*arrays)
    agree(tuple(jnp.asarray(results[name]) for name in results.files), expected)


@pytest.mark.parametrize("statement", ["import jax, jaxkeops", "import jaxkeops.jax, jax"])
def test_a_process_that_only_imports_jaxkeops_runs_programs(statement, gaussian, tmp_path):
    shapes = unknown(shapes_of(gaussian, 7, 9))
    made = export.export(jax.jit(gaussian.genred), disabled_checks=EXPORT_CHECKS)(*shapes)
    (tmp_path / "program").write_bytes(made.serialize())
    script = f"""
        {statement}
        import pathlib, sys, numpy
        jax.config.update("jax_enable_x64", True)
        program = jax.export.deserialize(bytearray(pathlib.Path(sys.argv[1]).read_bytes()))
        print(*program.call(*(numpy.ones(aval.shape) for aval in program.in_avals)).shape)
        """
    assert run(script, tmp_path / "program").split() == ["7", "2"]


def test_a_program_of_another_version_says_so(gaussian, tmp_path):
    shapes = unknown(shapes_of(gaussian, 7, 9))
    made = export.export(jax.jit(gaussian.genred), disabled_checks=EXPORT_CHECKS)(*shapes)
    # As long as the name of this version, so that the bytes around it stay right.
    planted = bytes(made.serialize()).replace(VERSION.encode(), b"jaxkeops formula 0")
    (tmp_path / "program").write_bytes(planted)
    said = run(
        """
        import pathlib, sys, jax, numpy, jaxkeops.jax
        jax.config.update("jax_enable_x64", True)
        program = jax.export.deserialize(bytearray(pathlib.Path(sys.argv[1]).read_bytes()))
        try:
            jax.jit(program.call)(*(numpy.ones(aval.shape) for aval in program.in_avals))
        except jax.errors.JaxRuntimeError as error:
            print(error)
        """,
        tmp_path / "program",
    )
    assert "it begins with 'jaxkeops formula 0', expected 'jaxkeops formula 1'" in said
    assert "Run it with the jaxkeops that made it, or make it again" in said


def test_a_formula_of_another_version_says_what_to_do(gaussian):
    text = gaussian.genred._declared.text.replace(VERSION, "jaxkeops formula 9")
    with pytest.raises(CompileError, match="Run it with the jaxkeops that made it"):
        read(text)
