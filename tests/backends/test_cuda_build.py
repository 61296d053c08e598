"""NVRTC, without a GPU: where it is found, what it is told, and what it says."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jaxkeops.backends.cuda import build
from jaxkeops.errors import CompileError, NoBackendError
from jaxkeops.runtime import native

ROOT = Path(__file__).parents[2]
ADD = 'extern "C" __global__ void add(float *x) { x[threadIdx.x] += AMOUNT; }'
ARCHITECTURES = (75, 80, 90, 100, 120)
ARCHITECTURE_AT = 49  # of the ELF header's flags


def is_there() -> bool:
    try:
        native.find_nvrtc(build.libraries())
    except NoBackendError:
        return False
    return True


pytestmark = [
    pytest.mark.compiles,
    pytest.mark.skipif(not is_there(), reason="NVRTC comes with pip install nvidia-cuda-nvrtc"),
]


def test_one_compiler_is_found_and_stays():
    major, minor, file, architectures = native.find_nvrtc(build.libraries())
    assert major in (12, 13)
    assert Path(file).name.startswith("libnvrtc.so")
    assert set(ARCHITECTURES) <= set(architectures)
    assert list(architectures) == sorted(architectures)
    assert native.find_nvrtc(["/nowhere"]) == (major, minor, file, architectures)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_text_becomes_a_cubin_of_its_architecture(architecture):
    code = build.compile_code(ADD, architecture, ["-DAMOUNT=1"])
    assert code.startswith(b"\x7fELF")
    assert code[ARCHITECTURE_AT] == architecture
    assert b"add" in code


def test_options_reach_the_compiler():
    one, two = (build.compile_code(ADD, 90, [f"-DAMOUNT={n}.5f"]) for n in (1, 2))
    assert one != two
    assert build.compile_code(ADD, 90, ["-DAMOUNT=1.5f"]) == one


def test_a_gpu_that_is_newer_than_the_compiler_gets_ptx():
    code = build.compile_code(ADD, 999, ["-DAMOUNT=1"])
    _, _, _, architectures = native.find_nvrtc(build.libraries())
    assert f".target sm_{max(architectures)}" in code.decode()
    assert code.endswith(b"\0")


def test_a_gpu_that_is_too_old_is_refused():
    with pytest.raises(
        NoBackendError, match=r"is sm_20, and NVRTC .* compiles for sm_\d\d and lat"
    ):
        build.compile_code(ADD, 20, [])


def test_errors_come_with_the_log():
    with pytest.raises(CompileError, match=r"jaxkeops\.cu\(1\): error: identifier \"AMOUNT\" is"):
        build.compile_code(ADD, 90, [])
    with pytest.raises(CompileError, match="unrecognized option --nonsense"):
        build.compile_code(ADD, 90, ["--nonsense"])


def test_the_fingerprint_tells_whatever_changes_the_code():
    assert build.fingerprint(90, ["-DAMOUNT=1"]) == build.fingerprint(90, ["-DAMOUNT=1"])
    prints = {build.fingerprint(a, [o]) for a in (80, 90) for o in ("-DAMOUNT=1", "-DAMOUNT=2")}
    assert len(prints) == 4
    assert all(re.match(r"NVRTC \d+\.\d+, -arch=sm_[89]0 ", each) for each in prints)


def test_threads_compile_at_once():
    texts = [ADD.replace("AMOUNT", f"{n}.0f") for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(lambda text: build.compile_code(text, 90, []), texts))
    assert codes == [build.compile_code(text, 90, []) for text in texts]


def declared_in(text: str) -> list[str]:
    """The names of the fields of a struct, in order."""
    lines = [re.sub(r"//.*", "", line).strip() for line in text.splitlines()]
    fields = [line for line in lines if line.endswith(";")]
    return [name for field in fields for name in re.findall(r"(\w+)(?:\[\w+\])*[,;]", field)]


def test_host_and_device_agree_on_the_parameter():
    page = (ROOT / "docs" / "design" / "cuda.md").read_text()
    declaration = page[page.index("struct Call {") : page.index("};\n\nextern")]
    header = (ROOT / "csrc" / "cuda" / "call.h").read_text()
    host = header[header.index("struct CallHead {") : header.index("};")]
    fields = declared_in(declaration)
    assert fields == [*declared_in(host), "outputs", "inputs", "strides"]
    checks = f"""
        constexpr int OUTPUTS = 3, INPUTS = 7;
        {declaration}}};
        static_assert(sizeof(Call) == 8 * (25 + OUTPUTS + 5 * INPUTS));
        static_assert(__builtin_offsetof(Call, extents) == 8 * 6);
        static_assert(__builtin_offsetof(Call, outputs) == 8 * 25);
        extern "C" __global__ void f(const __grid_constant__ Call call) {{}}
    """
    assert build.compile_code(checks, 75, ["--std=c++17"])
