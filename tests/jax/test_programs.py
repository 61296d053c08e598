"""Programs that leave the process: their text, export, the caches of XLA, the import guard."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fresh import run
from jax import export

import jaxkeops.jax
from jaxkeops.jax import Genred
from jaxkeops.jax.ffi import require_ffi_api

HEADER = "#define XLA_FFI_API_MAJOR {}\n#define XLA_FFI_API_MINOR {}\n"


def test_a_program_carries_the_text_of_its_formula():
    genred = Genred("Exp(-SqDist(x, y))", ["x = Vi(3)", "y = Vj(3)"], axis=1)
    text = jax.jit(genred).lower(jnp.ones((4, 3)), jnp.ones((5, 3))).as_text()
    assert text.count("@jaxkeops_reduce") == 1
    assert "jaxkeops formula 1" in text


def test_an_exported_gradient_runs_in_a_fresh_process(gaussian, tmp_path, rng):
    pytest.importorskip("flatbuffers")
    arrays = gaussian.arrays(rng)
    gradient = jax.jit(jax.grad(lambda *a: gaussian.genred(*a).sum(), gaussian.slots))
    checks = jaxkeops.jax.EXPORT_CHECKS
    made = export.export(gradient, disabled_checks=checks)(*arrays)
    (tmp_path / "program").write_bytes(made.serialize())
    np.savez(tmp_path / "arrays.npz", *arrays)
    run(
        """
        import pathlib, sys, jax, numpy, jaxkeops.jax
        jax.config.update("jax_enable_x64", True)
        folder = pathlib.Path(sys.argv[1])
        program = jax.export.deserialize((folder / "program").read_bytes())
        arrays = numpy.load(folder / "arrays.npz")
        numpy.savez(folder / "results.npz", *program.call(*(arrays[k] for k in arrays.files)))
        """,
        tmp_path,
        # The kernel comes from the program's text, not from what this process left on disk.
        JAXKEOPS_CACHE_DIR=str(tmp_path / "kernels"),
    )
    results = np.load(tmp_path / "results.npz")
    for name, expected in zip(results.files, gradient(*arrays), strict=True):
        np.testing.assert_array_equal(results[name], expected)


def test_an_exported_program_takes_any_number_of_rows(gaussian, rng):
    pytest.importorskip("flatbuffers")
    x, y, b, p = gaussian.arrays(rng)
    (rows,) = export.symbolic_shape("rows")
    made = export.export(jax.jit(gaussian.genred), disabled_checks=jaxkeops.jax.EXPORT_CHECKS)(
        jax.ShapeDtypeStruct((rows, 3), x.dtype), y, b, p
    )
    again = export.deserialize(made.serialize())
    np.testing.assert_array_equal(again.call(x[:2], y, b, p), gaussian.genred(x[:2], y, b, p))


def test_xlas_cache_tells_formulas_of_equal_shapes_apart(tmp_path):
    script = """
        import sys, jax, jax.numpy as jnp
        from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
        from jaxkeops import Genred
        jax.config.update("jax_num_cpu_devices", 4)
        jax.config.update("jax_compilation_cache_dir", sys.argv[2])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        # Else the address of what partitions a call is in the key, and no process finds another's.
        jax.config.update("jax_remove_custom_partitioning_ptr_from_cache_key", True)
        hits = []
        jax.monitoring.register_event_listener(
            lambda event, **_: hits.append(event) if event.endswith("cache_hits") else None
        )
        genred = Genred(sys.argv[1], ["x = Vi(1)", "y = Vj(1)"], axis=1)
        x, y = jnp.full((2, 1), 3.0), jnp.full((4, 1), 0.5)
        mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))
        many = [jax.device_put(a, NamedSharding(mesh, P(*s))) for a, s in ((x, ()), (y, "d"))]
        for arrays in ((x, y), many):
            hits.clear()
            result = jax.jit(genred)(*arrays)
            print(len(hits), float(result[0, 0]))
    """
    # Each formula twice: the second time the executables come from the cache.
    for formula, value in (("x + y", 14.0), ("x * y", 6.0)):
        first, second = (run(script, formula, tmp_path).splitlines() for _ in range(2))
        assert first == [f"0 {value}"] * 2
        assert second == [f"1 {value}"] * 2


def test_a_jaxlib_of_the_same_or_a_newer_interface_is_accepted():
    require_ffi_api((0, 3), HEADER.format(0, 3), "0.10.2")
    require_ffi_api((0, 3), HEADER.format(0, 5), "0.12.0")


@pytest.mark.parametrize(("major", "minor"), [(0, 2), (1, 0), (1, 3)])
def test_a_jaxlib_that_would_refuse_the_target_is_reported_at_import(major, minor):
    expected = f"built for XLA FFI 0.3, and jaxlib 9.9 has {major}.{minor}"
    with pytest.raises(ImportError, match=expected):
        require_ffi_api((0, 3), HEADER.format(major, minor), "9.9")
    with pytest.raises(ImportError, match="cannot tell"):
        require_ffi_api((0, 3), "", "9.9")


def test_importing_the_door_starts_no_device():
    script = """
        import jaxkeops.jax
        from jax._src import xla_bridge
        print(xla_bridge.backends_are_initialized())
    """
    assert run(script).strip() == "False"
