"""GPUs whose kernels run: the fake driver, with CUDA texts compiled by the host's compiler."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterable
from pathlib import Path

import emulation
from fake_gpu import KERNEL, Counts

from jaxkeops import compiler
from jaxkeops.backends import cuda
from jaxkeops.schedule import choose_cut, lower_for_gpus

CALL_BYTES = 4096  # that a captured launch would copy: no kernel has more


class EmulatedGpus:
    """From now on, GPU calls of this process run on the fake driver `library`.

    wanted: the kernels that will be asked for: (formula, dtype, "dense", "few" or "ranges").
    """

    def __init__(self, library: str, folder: str, wanted: Iterable[tuple]) -> None:
        self.driver = ctypes.CDLL(library)
        self.driver.fake_counts.restype = Counts
        self.driver.fake_stream.restype = ctypes.c_void_p
        self.driver.fake_begin_capture.argtypes = [ctypes.c_void_p]
        kernels = []
        for formula, dtype, kind in dict.fromkeys(wanted):
            program = lower_for_gpus(formula, dtype, "int64")
            cut = choose_cut(program, few=kind == "few")
            kernels.append((program, cuda.emit(program, cut, ranged=kind == "ranges")))
        Path(folder).mkdir(exist_ok=True)
        self.kept: list[object] = []  # callbacks must outlive the kernels that call them
        self.compiled: list[str] = []  # the texts, in the order in which they were compiled
        for emulated in emulation.build(Path(folder), kernels):
            self._register(emulated)
        compiler.cuda.compile_code = self.compile_code
        compiler.cuda.fingerprint = lambda architecture, options: f"fake sm_{architecture}"

    def counts(self) -> Counts:
        return self.driver.fake_counts()

    def stream(self, device: int) -> int:
        return self.driver.fake_stream(device)

    def compile_code(self, text: str, architecture: int, options: tuple[str, ...]) -> bytes:
        """The image of a module whose functions are those of this text."""
        self.compiled.append(text)
        return f"fake sm_{architecture} {_label(text)}".encode()

    def _register(self, emulated: emulation.Emulated) -> None:
        for function in {step.function for step in emulated.source.launch.steps}:
            bridge = KERNEL(self._bridge(getattr(emulated.library, f"{emulated.name}_{function}")))
            self.kept.append(bridge)
            name = f"{_label(emulated.source.text)}.{function}".encode()
            self.driver.fake_register(name, bridge, ctypes.c_size_t(CALL_BYTES), 0)

    @staticmethod
    def _bridge(function: ctypes._CFuncPtr):
        def launch(grid, block, shared: int, parameter: int) -> None:
            arguments = map(ctypes.c_uint, (grid[0], grid[1], block[0]))
            call, order = ctypes.c_void_p(parameter), ctypes.c_int(0)
            failed = function(call, *arguments, ctypes.c_size_t(shared), order)
            if failed:
                raise AssertionError(("shared memory", "deadlock")[failed - 1])

        return launch


def _label(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
