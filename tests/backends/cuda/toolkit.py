"""NVRTC and the disassembler, as their wheels bring them: CUDA C++ to machine code with no GPU."""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from jaxkeops.backends import cuda


def file_of(package: str, pattern: str) -> Path | None:
    """The file of an installed package whose name matches."""
    try:
        listed = files(package) or []
    except PackageNotFoundError:
        return None
    found = [file for file in listed if re.fullmatch(pattern, file.name)]
    return Path(found[0].locate()).resolve() if found else None


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    path = file_of("nvidia-cuda-nvrtc", r"libnvrtc\.so\.\d+")
    if path is None:
        return None
    for builtins in path.parent.glob("libnvrtc-builtins.so*"):
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(path))


def missing() -> str | None:
    """What is not installed, or None."""
    if _library() is None:
        return "nvidia-cuda-nvrtc"
    for tool in ("nvidia-cuda-cuobjdump", "nvidia-cuda-nvdisasm"):
        if _tool(tool) is None:
            return tool
    return None


def _tool(package: str) -> Path | None:
    return file_of(package, package.rsplit("-", 1)[1])


def compile_cubin(text: str, architecture: str) -> bytes:
    """Machine code for an architecture such as "sm_90"; AssertionError with the log of NVRTC."""
    library = _library()
    assert library is not None
    program = ctypes.c_void_p()
    source = text.encode()
    created = library.nvrtcCreateProgram(ctypes.byref(program), source, b"kernel.cu", 0, None, None)
    assert created == 0, created
    options = [f"--gpu-architecture={architecture}", *cuda.OPTIONS]
    spelled = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = library.nvrtcCompileProgram(program, len(options), spelled)
    log = _taken(program, library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog)
    assert not failed, log.decode()
    cubin = _taken(program, library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return cubin


def _taken(program: ctypes.c_void_p, size_of, get) -> bytes:
    size = ctypes.c_size_t()
    assert size_of(program, ctypes.byref(size)) == 0
    buffer = ctypes.create_string_buffer(size.value)
    assert get(program, buffer) == 0
    return buffer.raw


@dataclass(frozen=True)
class Loop:
    """An innermost loop of machine code: how often each opcode stands in it, modifiers cut off."""

    opcodes: Counter[str]

    @property
    def slots(self) -> int:
        return sum(self.opcodes.values())


@dataclass(frozen=True)
class Function:
    """What one `__global__` function became. stack and local: bytes of each thread.

    loops: those that hold no other; outer: the others, each with what is in none inside.
    """

    registers: int
    stack: int
    local: int
    loops: list[Loop]
    outer: list[Loop]


def functions(cubin: bytes) -> dict[str, Function]:
    """The functions in machine code, by name."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        usage = _run("nvidia-cuda-cuobjdump", "-res-usage", file.name)
        listing = _run("nvidia-cuda-nvdisasm", "-c", file.name)
    found_loops = {name: _loops(lines) for name, lines in _sections(listing).items()}
    found = {}
    for name, numbers in re.findall(r"Function (\S+):\n(.*)", usage):
        used = {key: int(value) for key, value in re.findall(r"(\w+):(\d+)", numbers)}
        found[name] = Function(used["REG"], used["STACK"], used["LOCAL"], *found_loops[name])
    return found


def _run(package: str, *arguments: str) -> str:
    tool = _tool(package)
    assert tool is not None
    ran = subprocess.run([str(tool), *arguments], capture_output=True, text=True, check=True)
    return ran.stdout


def _sections(listing: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in listing.splitlines():
        if re.match(r"\s*\.section\s", line):
            name = re.search(r"\.text\.([^,]+),", line)
            lines = sections.setdefault(name[1], []) if name else []
        lines.append(line)
    return sections


def _loops(lines: list[str]) -> tuple[list[Loop], list[Loop]]:
    """Loops, from the target of a backward branch to the branch: those that hold no other, and the
    others but for the loops inside."""
    labels: dict[str, int] = {}
    code: list[str] = []
    spans: dict[int, int] = {}
    for line in lines:
        if label := re.match(r"\s*(\.L_\w+):", line):
            labels[label[1]] = len(code)
        if instruction := re.search(
            r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z]\w*)(.*?);", line
        ):
            target = re.search(r"`\((\.L_\w+)\)", instruction[2])
            if instruction[1] == "BRA" and target and labels.get(target[1], len(code)) < len(code):
                spans[labels[target[1]]] = len(code)
            code.append(instruction[1])
    loops, outer = [], []
    for start, end in spans.items():
        inside = [s for s in spans.items() if start <= s[0] and s[1] <= end and s != (start, end)]
        own = [
            code[place]
            for place in range(start, end + 1)
            if not any(s <= place <= e for s, e in inside)
        ]
        (outer if inside else loops).append(Loop(Counter(op for op in own if op != "NOP")))
    return loops, outer
