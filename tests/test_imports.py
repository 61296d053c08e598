"""What each import loads: a door loads its own array library and no other."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import textwrap

import fresh
import pytest

import jaxkeops


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh process has after `statement`."""
    script = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    return set(fresh.run(script).split())


@pytest.mark.parametrize(
    "statement",
    [
        "import jaxkeops",
        "import jaxkeops.numpy",
        "import jaxkeops; jaxkeops.numpy.Genred",
        "import jaxkeops; jaxkeops.install_as_pykeops(); import pykeops.numpy, keopscore",
    ],
)
def test_numpy_users_load_neither_jax_nor_torch(statement):
    assert not loaded_by(statement) & {"jax", "jaxlib", "torch"}


def test_jax_users_do_not_load_torch():
    loaded = loaded_by("from jaxkeops import Genred")
    assert "jax" in loaded
    assert "torch" not in loaded


def test_torch_users_do_not_load_jax():
    pytest.importorskip("torch", minversion="2.11")
    assert not loaded_by("import jaxkeops; jaxkeops.torch.Genred") & {"jax", "jaxlib"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("door", ["numpy", "jax"])
def test_computing_on_a_cpu_opens_no_library_of_cuda(door):
    script = f"""
        import os
        os.environ["JAX_PLATFORMS"] = "cpu"
        import numpy as np
        from jaxkeops.{door} import Genred
        x = np.ones((3, 2))
        Genred("SqDist(x, y)", ["x = Vi(2)", "y = Vj(2)"], axis=1)(x, x)
        print(*(line for line in open("/proc/self/maps") if "libcuda" in line or "nvrtc" in line))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_jax_door_is_the_front_door():
    assert jaxkeops.Genred is jaxkeops.jax.Genred
    assert {"Genred", "EXPORT_CHECKS", "errors", "jax", "numpy", "torch"} <= set(dir(jaxkeops))
    with pytest.raises(AttributeError, match="has no attribute 'Genrad'"):
        jaxkeops.Genrad  # noqa: B018


def test_the_version_is_that_of_the_installed_package():
    assert jaxkeops.__version__ == importlib.metadata.version("jaxkeops")
