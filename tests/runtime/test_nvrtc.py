"""Where CUDA's compiler is looked for, in which order: by libraries that only bear its name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fake_gpu
import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("g++") is None, reason="builds fake libraries with g++"
)

SOURCE = Path(__file__).parents[1] / "cpp" / "fake_nvrtc.cpp"
WHEELS = {"nvidia/cu13/lib": (13, 0), "nvidia/cuda_nvrtc/lib": (12, 9)}  # of a site-packages
# Prints what is found, and what that compiles to: without the wheels of this Python.
FIND = """
import ctypes, sys
from pathlib import Path
from jaxkeops.backends.cuda import build
from jaxkeops.errors import JaxKeopsError
from jaxkeops.runtime import native
ctypes.CDLL({driver!r})
native.cuda_devices()
for loaded in {loaded!r}:
    ctypes.CDLL(loaded)
sys.path[:] = [{site!r}, *(each for each in sys.path if not Path(each, "nvidia").exists())]
try:
    print(native.find_nvrtc(build.libraries())[2])
    print(native.compile_cuda("text", "name", [], build.libraries()).decode())
except JaxKeopsError as error:
    print(error)
"""


def build_library(file: Path, *flags: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["g++", "-std=c++17", "-shared", "-fPIC", *flags, "-o", str(file)], check=True)


def install(folder: Path, major: int, minor: int, suffix: str | None = None) -> Path:
    """A compiler and its builtins."""
    name = f"libnvrtc.so.{major}"
    file = folder / (name if suffix is None else f"libnvrtc.so{suffix}")
    numbers = f"-DMAJOR={major}", f"-DMINOR={minor}"
    build_library(file, *numbers, f"-Wl,-soname,{name}", str(SOURCE), "-ldl")
    builtins = f"libnvrtc-builtins.so.{major}.{minor}"
    build_library(folder / builtins, f"-Wl,-soname,{builtins}", "-x", "c", "/dev/null")
    return file


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compilers of every version, wherever one may be."""
    root = tmp_path_factory.mktemp("nvrtc")
    for folder, version in WHEELS.items():
        install(root / "site" / folder, *version)
    install(root / "system", 13, 1)
    install(root / "system", 12, 4)
    install(root / "home" / "lib64", 12, 2, suffix="")
    install(root / "loaded", 13, 7)
    return root


@pytest.fixture
def find(root: Path, in_new_process: Callable[..., str]) -> Callable[..., list[str]]:
    """The lines that are printed with a driver of a version; site: whether wheels are there."""

    def run(driver: int, loaded: tuple[str, ...] = (), site: bool = False, **environment: str):
        text = FIND.format(
            driver=fake_gpu.library(),
            loaded=loaded,
            site=str(root / ("site" if site else "nowhere")),
        )
        return in_new_process(text, FAKE_CUDA_VERSION=str(driver), **environment).splitlines()

    return partial(run, CUDA_HOME=str(root / "nowhere"), CUDA_PATH="")


def test_a_compiler_that_is_loaded_already_comes_first(find, root):
    loaded = str(root / "loaded" / "libnvrtc.so.13")
    assert find(13000, (loaded,), site=True) == [loaded, "code of 13.7"]


def test_wheels_come_before_what_the_system_finds(find, root):
    folders = [str(root / "site" / folder) for folder in WHEELS]
    system = {"LD_LIBRARY_PATH": str(root / "system")}
    found = find(13000, site=True, **system)
    assert found == [f"{folders[0]}/libnvrtc.so.13", "code of 13.0"]


@pytest.mark.parametrize("loaded", [False, True])
def test_none_is_newer_than_the_driver(find, root, loaded):
    """Not even one that is loaded."""
    too_new = (str(root / "loaded" / "libnvrtc.so.13"),) if loaded else ()
    file = str(root / "site" / "nvidia/cuda_nvrtc/lib" / "libnvrtc.so.12")
    assert find(12080, too_new, site=True) == [file, "code of 12.9"]


def test_what_the_system_finds_comes_before_a_toolkit(find, root):
    places = {"LD_LIBRARY_PATH": str(root / "system"), "CUDA_HOME": str(root / "home")}
    assert find(13000, **places) == [str(root / "system/libnvrtc.so.13"), "code of 13.1"]
    assert find(12020, **places) == [str(root / "system/libnvrtc.so.12"), "code of 12.4"]


@pytest.mark.parametrize("variable", ["CUDA_HOME", "CUDA_PATH"])
def test_a_toolkit_is_the_last_place(find, root, variable):
    file = str(root / "home/lib64/libnvrtc.so")
    assert find(13000, **{variable: str(root / "home")}) == [file, "code of 12.2"]


def test_without_its_builtins_the_compiler_says_so(find, root, tmp_path):
    shutil.copy(root / "loaded" / "libnvrtc.so.13", tmp_path)
    file, *said = find(13000, LD_LIBRARY_PATH=str(tmp_path))
    assert file == str(tmp_path / "libnvrtc.so.13")
    assert said[0] == ("NVRTC 13.7, nvrtcCompileProgram: NVRTC_ERROR_BUILTIN_OPERATION_FAILURE")
    assert said[1] == "cannot open its builtins"


def test_a_file_that_cannot_be_opened_is_listed_with_the_reason(find, tmp_path):
    folder = tmp_path / "lib64"
    folder.mkdir()
    (folder / "libnvrtc.so").write_text("cut short")
    printed = "\n".join(find(13000, CUDA_HOME=str(tmp_path)))
    assert "of version 13 or before. Install it with `pip install nvidia-cuda-nvrtc`." in printed
    assert f"\n  {folder}/libnvrtc.so: file too short" in printed or "invalid ELF" in printed
