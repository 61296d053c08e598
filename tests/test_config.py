"""What a process may set, and what it says of its installation."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import jaxkeops
from jaxkeops import config, health
from jaxkeops.errors import NoBackendError
from jaxkeops.numpy import Genred
from jaxkeops.runtime import native


@pytest.fixture(autouse=True)
def folder_and_log(monkeypatch):
    monkeypatch.setenv(config.FOLDER, "")
    yield
    config.disk_cache.cache_clear()
    jaxkeops.set_verbose(False)


def reduce_anew(number):
    """A reduction that no process has compiled before, for a number of its own."""
    x = np.ones((20, 1))
    return Genred(f"x * {number}", ["x = Vi(1)"], axis=1)(x)


def compiled_files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_compiled_code_goes_to_the_build_folder_and_is_cleaned(tmp_path):
    jaxkeops.set_build_folder(tmp_path / "here")
    assert jaxkeops.get_build_folder() == str(tmp_path / "here")
    reduce_anew(1.2345)
    assert len(compiled_files(tmp_path)) == 1
    jaxkeops.clean_jaxkeops()
    assert not compiled_files(tmp_path)
    reduce_anew(1.23456)
    jaxkeops.clean_pykeops(recompile_jit_binaries=False)
    assert not compiled_files(tmp_path)
    jaxkeops.set_build_folder()
    assert str(tmp_path) not in str(jaxkeops.get_build_folder())


def test_compiling_is_told_of_if_asked_for(tmp_path, capsys, caplog):
    jaxkeops.set_build_folder(tmp_path)
    assert not jaxkeops.verbose
    reduce_anew(2.345)
    jaxkeops.set_verbose(True)
    jaxkeops.set_verbose(True)
    assert jaxkeops.verbose
    with caplog.at_level(logging.INFO, "jaxkeops"):
        reduce_anew(2.3456)
    (told,) = caplog.records
    assert told.getMessage().startswith("Compiled in ")
    assert "2.3456" in told.getMessage()
    assert capsys.readouterr().err.count("2.3456") == 1


def test_health_says_what_is_there(capsys):
    jaxkeops.check_health()
    printed = capsys.readouterr().out
    for line in ("jaxkeops: ", "numpy door:      works", "processor: ", "build folder: "):
        assert line in printed


def test_gpus_are_those_that_the_driver_finds(monkeypatch):
    devices = (("NVIDIA H200", 90, 132), ("NVIDIA L4", 89, 58))
    monkeypatch.setattr(native, "cuda_devices", lambda: devices)
    assert config.gpu_available is True
    assert config.get_gpu_number() == 2
    monkeypatch.setattr(native, "find_nvrtc", lambda files: (13, 5, "/a/libnvrtc.so.13", (90,)))
    report = health.found()
    assert report["GPU"] == "NVIDIA H200 (sm_90), NVIDIA L4 (sm_89)"
    assert report["NVRTC"] == "13.5 at /a/libnvrtc.so.13"

    def none(*_):
        raise NoBackendError("no driver")

    monkeypatch.setattr(native, "find_nvrtc", none)
    assert health.found()["NVRTC"] == "missing: no driver"
    monkeypatch.setattr(native, "cuda_devices", none)
    assert config.gpu_available is False
    report = health.found()
    assert report["GPU"] == "none: no driver"
    assert report["NVRTC"] == "not needed without a GPU"
    with pytest.raises(AttributeError, match="has no attribute 'gpu'"):
        config.gpu  # noqa: B018


def test_health_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(health.ARRAYS, "torch", ("no_such_library", "asarray"))
    monkeypatch.setattr(health, "LIBRARIES", ("no_such_library",))
    report = health.found()
    assert report["torch door"].startswith("missing: No module named")
    assert report["no_such_library"] == "missing"
    monkeypatch.setitem(health.ARRAYS, "numpy", ("numpy", "zeros_like"))
    assert health.found()["numpy door"].startswith("does not work: AssertionError")


@pytest.mark.parametrize("door", ["numpy", "torch", "jax"])
def test_the_bindings_of_a_door(door, capsys):
    pytest.importorskip(door)
    assert getattr(jaxkeops, f"test_{door}_bindings")() is None
    assert capsys.readouterr().out == f"jaxkeops with {door} bindings is working!\n"


def test_names_that_users_read():
    assert jaxkeops.__version__
    assert jaxkeops.config.gpu_available is (jaxkeops.config.get_gpu_number() > 0)
    assert jaxkeops.default_device_id == 0
    assert {"LazyTensor", "set_verbose", "check_health", "clean_pykeops"} <= set(dir(jaxkeops))
    assert jaxkeops.LazyTensor is jaxkeops.jax.LazyTensor
