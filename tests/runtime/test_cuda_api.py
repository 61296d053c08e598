"""What we declare of CUDA's driver and of NVRTC is what their own headers declare."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / "cpp" / "check_cuda_api.cpp"
HEADERS = ("cuda.h", "nvrtc.h")


def header_folders() -> list[Path]:
    """Where NVIDIA's wheels have their headers."""
    spec = importlib.util.find_spec("nvidia")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = [
        next((f for p in places for f in Path(p).glob(f"*/include/{h}")), None) for h in HEADERS
    ]
    return sorted({file.parent for file in found if file}) if all(found) else []


@pytest.mark.skipif(
    not header_folders() or shutil.which("g++") is None,
    reason="compares with the headers of nvidia-cuda-runtime and nvidia-cuda-nvrtc, by g++",
)
def test_declarations_are_those_of_the_headers():
    include = [f"-I{folder}" for folder in header_folders()]
    command = ["g++", "-std=c++17", "-fsyntax-only", *include, str(CHECK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
