"""Turns CUDA C++ into code for one architecture, by NVRTC: finds it, and tells it what to make."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import NoBackendError
from ...runtime import native

NAME = "jaxkeops.cu"  # in NVRTC's messages
LIBRARY = "libnvrtc.so"
# Names that the system's loader looks up; those of wheels are full paths.
SONAMES = tuple(f"{LIBRARY}.{major}" for major in (13, 12))
TOOLKIT_FOLDERS = ("lib64", "lib")  # of CUDA_HOME


def compile_code(text: str, architecture: int, options: Sequence[str]) -> bytes:
    """The cubin of a text for a GPU of sm_`architecture`.

    PTX for the newest architecture that NVRTC knows if it does not know this one: the driver then
    compiles the rest. Takes 50 to 200 ms of CPU; threads may compile at once. Raises
    `CompileError` with NVRTC's log, `NoBackendError` if there is no NVRTC, or none for this GPU.
    """
    return native.compile_cuda(text, NAME, [target(architecture), *options], libraries())


def fingerprint(architecture: int, options: Sequence[str]) -> str:
    """All that decides which bytes a text compiles to, beside the text."""
    major, minor, _, _ = native.find_nvrtc(libraries())
    return f"NVRTC {major}.{minor}, {' '.join([target(architecture), *options])}"


def target(architecture: int) -> str:
    """NVRTC's option for a GPU of sm_`architecture`. Raises `NoBackendError` if it is too old."""
    major, minor, file, known = native.find_nvrtc(libraries())
    if architecture in known:
        return f"-arch=sm_{architecture}"
    older = [each for each in known if each < architecture]
    if not older:
        raise NoBackendError(
            f"The GPU is sm_{architecture}, and NVRTC {major}.{minor} ({file}) compiles for "
            f"sm_{min(known)} and later. Install an older one: pip install nvidia-cuda-nvrtc-cu12."
        )
    return f"-arch=compute_{max(older)}"


def libraries() -> list[str]:
    """Where NVRTC may be, the best place first: wheels, the system's search, CUDA_HOME."""
    homes = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")]
    toolkits = [Path(home) for home in (*homes, "/usr/local/cuda") if home]
    files = [home / folder / LIBRARY for home in toolkits for folder in TOOLKIT_FOLDERS]
    return [*map(str, _in_wheels()), *SONAMES, *map(str, files)]


def _in_wheels() -> list[Path]:
    """The libraries of NVIDIA's wheels, which JAX and PyTorch install; the newest first."""
    spec = importlib.util.find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = [
        (int(version[1]), file)
        for folder in folders
        for file in sorted(Path(folder).glob(f"*/lib/{LIBRARY}.*"))
        if (version := re.fullmatch(rf"{re.escape(LIBRARY)}\.(\d+)", file.name))
    ]
    return [file for _, file in sorted(found, key=lambda each: -each[0])]
