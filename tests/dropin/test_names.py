"""Programs that import PyKeOps get jaxkeops, under every name that they ask for."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

import jaxkeops
import jaxkeops.numpy
from jaxkeops.errors import ArgumentError, ImportConflictError, SettingWarning

DOOR = (
    "Genred KernelSolve LazyTensor ComplexLazyTensor Vi Vj Pm generic_sum generic_logsumexp "
    "generic_argmin generic_argkmin"
)
CLUSTER = (
    "grid_cluster sort_clusters cluster_ranges cluster_centroids cluster_ranges_centroids "
    "from_matrix swap_axes"
)
# What the projects and the tutorials of PyKeOps import, by module.
NAMES = {
    "pykeops": (
        "__version__ verbose set_verbose set_build_folder get_build_folder clean_pykeops "
        "check_health default_device_id config test_numpy_bindings test_torch_bindings"
    ),
    "pykeops.config": "gpu_available",
    "pykeops.common.gpu_utils": "get_gpu_number",
    "pykeops.numpy": DOOR,
    "pykeops.numpy.cluster": CLUSTER,
    "pykeops.numpy.generic.generic_red": "Genred",
    "pykeops.numpy.lazytensor.LazyTensor": "LazyTensor ComplexLazyTensor Vi Vj Pm",
    "pykeops.numpy.operations": "KernelSolve",
    "pykeops.numpy.utils": (
        "squared_distances differences np_kernel log_np_kernel grad_np_kernel np_kernel_sphere "
        "chain_rules log_sum_exp WarmUpGpu"
    ),
    "pykeops.torch": DOOR,
    "pykeops.torch.cluster": CLUSTER,
    "pykeops.torch.generic.generic_ops": "generic_sum generic_argkmin",
    "pykeops.torch.lazytensor.LazyTensor": "LazyTensor ComplexLazyTensor Vi Vj Pm",
    "pykeops.torch.operations": "KernelSolve",
    "pykeops.torch.utils": "squared_distances torch_kernel",
    "keopscore": "__version__",
    "keopscore.config": "config",
    "keopscore.config.config": "use_cuda",
}


@pytest.mark.parametrize("module", NAMES)
def test_every_name_is_that_of_jaxkeops(module, as_pykeops):
    if ".torch" in module:
        pytest.importorskip("torch", minversion="2.11")
    found = import_module(module)
    for name in NAMES[module].split():
        value = getattr(found, name)
        origin = getattr(value, "__module__", None)
        assert not callable(value) or origin.startswith("jaxkeops")


def test_names_are_those_of_the_door_itself(as_pykeops):
    pykeops = import_module("pykeops")
    assert pykeops.numpy.LazyTensor is jaxkeops.numpy.LazyTensor
    assert pykeops.numpy.cluster.from_matrix is jaxkeops.numpy.cluster.from_matrix
    assert import_module("pykeops.numpy.cluster").grid_cluster is pykeops.numpy.cluster.grid_cluster
    assert pykeops.config.gpu_available is jaxkeops.config.gpu_available
    names: dict[str, object] = {}
    exec("from pykeops.numpy import *", names)  # PyKeOps' own fails here
    assert names["Genred"] is jaxkeops.numpy.Genred


def test_what_pykeops_has_not_is_not_there(as_pykeops):
    with pytest.raises(
        AttributeError, match="module 'pykeops', which is jaxkeops, has no 'Genred'"
    ):
        import_module("pykeops").Genred  # noqa: B018
    with pytest.raises(ImportError, match=r"pykeops\.jax"):
        import_module("pykeops.jax")


def test_settings_without_effect_warn_where_they_are_written(as_pykeops):
    keopscore = import_module("keopscore")
    config, there = keopscore.config.config, jaxkeops.config.gpu_available
    assert config.use_cuda is there
    config.use_cuda = int(there)  # says what is so anyway
    with pytest.warns(SettingWarning, match="a call computes where its arrays are") as told:
        config.use_cuda = not there
    assert told[0].filename == __file__
    assert config.use_cuda is not there
    with pytest.warns(SettingWarning, match=r"keopscore\.auto_factorize = True changes nothing"):
        keopscore.auto_factorize = True


def test_the_default_gpu_is_that_of_jaxkeops(as_pykeops, monkeypatch):
    pykeops = import_module("pykeops")
    monkeypatch.setattr(jaxkeops, "default_device_id", 0)
    pykeops.default_device_id = 1
    assert pykeops.default_device_id == jaxkeops.default_device_id == 1
    jaxkeops.default_device_id = 2
    assert pykeops.default_device_id == 2


@pytest.mark.parametrize("package", ["pykeops", "keopscore"])
def test_verbose_is_a_setting_that_acts(as_pykeops, package):
    module = import_module(package)
    assert module.verbose is jaxkeops.config.is_verbose() is False
    try:
        module.verbose = True
        assert module.verbose is jaxkeops.config.is_verbose() is True
    finally:
        jaxkeops.set_verbose(False)
    assert module.verbose is False


def test_pykeops_itself_is_not_hidden_once_it_is_loaded(as_pykeops, monkeypatch):
    jaxkeops.install_as_pykeops()
    monkeypatch.setitem(sys.modules, "pykeops", ModuleType("pykeops"))
    with pytest.raises(ImportConflictError, match="pykeops itself is loaded already"):
        jaxkeops.install_as_pykeops()


def test_dense_kernels_to_compare_with(rng):
    utils = import_module("jaxkeops.numpy.utils")
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    p, q = rng.normal(size=(5, 2)), rng.normal(size=(4, 2))
    assert np.allclose(utils.squared_distances(x, y), (utils.differences(x, y) ** 2).sum(0))
    for kernel in ("gaussian", "laplacian", "cauchy", "inverse_multiquadric"):
        values = utils.np_kernel(x, y, 0.7, kernel)
        assert np.allclose(utils.log_np_kernel(x, y, 0.7, kernel), np.log(values))
        step = 1e-6 * rng.normal(size=x.shape)
        moved = utils.np_kernel(x + step, y, 0.7, kernel) - utils.np_kernel(
            x - step, y, 0.7, kernel
        )
        derivative = utils.grad_np_kernel(x, y, 0.7, kernel)
        gradient = utils.chain_rules(q, x, y, derivative, p)
        assert np.allclose((gradient * 2 * step).sum(), (moved * (q @ p.T)).sum(), rtol=1e-4)
        formula = {
            "gaussian": "Exp(-SqDist(x, y) / 0.49)",
            "laplacian": "Exp(-Sqrt(SqDist(x, y)) / 0.7)",
            "cauchy": "Inv(1 + SqDist(x, y) / 0.49)",
            "inverse_multiquadric": "Rsqrt(1 + SqDist(x, y) / 0.49)",
        }[kernel]
        lazy = jaxkeops.numpy.Genred(formula, ["x = Vi(3)", "y = Vj(3)"], axis=1)(x, y)
        assert np.allclose(lazy[:, 0], values.sum(1))
    mat = rng.normal(size=(3, 4))
    assert np.allclose(utils.log_sum_exp(mat, axis=1), np.log(np.exp(mat).sum(1)))
    normal = x / np.linalg.norm(x, axis=1, keepdims=True)
    oriented = utils.np_kernel_sphere(normal, normal, 0.5, "gaussian_oriented")
    assert np.allclose(oriented, utils.np_kernel(normal, normal, 0.5, "gaussian"))
    utils.WarmUpGpu()
    with pytest.raises(ArgumentError, match="kernel is one of gaussian, laplacian"):
        utils.np_kernel(x, y, 1.0, "box")


def test_dense_kernels_of_tensors(rng):
    torch = pytest.importorskip("torch", minversion="2.11")
    tensors, arrays = (import_module(f"jaxkeops.{door}.utils") for door in ("torch", "numpy"))
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    for kernel in tensors.RADIAL:
        found = tensors.torch_kernel(torch.from_numpy(x), torch.from_numpy(y), 0.7, kernel)
        assert np.allclose(found, arrays.np_kernel(x, y, 0.7, kernel))
    with pytest.raises(ArgumentError, match="kernel is one of gaussian"):
        tensors.torch_kernel(torch.ones(1, 1), torch.ones(1, 1), 1.0, "box")
