"""From a formula to a kernel: lower, emit, build, load, each stage once, and only if needed."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import ir
from .backends import cuda, llvm
from .formula import Formula, formula_of
from .ir.machine import Machine
from .ir.show import show
from .runtime import native
from .runtime.cache import DiskCache, default_folder
from .runtime.sources import mark_of
from .schedule import (
    choose_cut,
    few_rows,
    least_for_records,
    lower,
    lower_for_gpus,
    nanoseconds_per_pair,
    nanoseconds_per_part,
)

FEW = "few"  # before the text of a program: its kernel for few rows

LOG = logging.getLogger(__name__)

# What decides which code a text gets, and what is kept beside it.
MAKERS = ("compiler.py", "dtypes.py", "formula", "schedule", "ir", "backends")


@dataclass(frozen=True)
class Stages:
    """What one formula becomes, stage by stage: each field prints as text."""

    formula: str
    program: str
    llvm: str
    assembly: str


def stages(formula: Formula, dtype: str, index_dtype: str = "int64") -> Stages:
    """Every stage of compiling `formula` for data of `dtype` on this machine."""
    machine = llvm.host()
    program = lower(formula, dtype, index_dtype, machine)
    source = llvm.emit(program, machine)
    return Stages(formula.text, show(program), source, llvm.assembly(source, machine))


@lru_cache(maxsize=4096)
def kernel(formula: Formula, dtype: str, index_dtype: str = "int64") -> native.Kernel:
    """The kernel of `formula` for data of `dtype`, compiled if this process never met it.

    Costs 10 to 30 ms of CPU for a formula that no process compiled before, 2 to 5 ms if the
    disk cache has it. Threads that ask for one kernel at once compile it once.
    """
    text = program_text(formula, dtype, index_dtype)
    return native.find_or_compile(key_of(text), text)


def cuda_kernel(
    formula: Formula,
    dtype: str,
    index_dtype: str = "int64",
    ranges: bool = False,
    M: int | None = None,
) -> native.CudaKernel:
    """The same for the GPUs of this process, for calls with ranges or for calls without.

    M: the rows of the call: any number will do, and few are done sooner by a kernel of their own.
    None: not known. Costs 0.1 to 1 s of CPU for a formula that no process compiled before.
    Raises `NoBackendError` if there is no GPU, or no NVRTC.
    """
    native.cuda_devices()
    return _found(formula, dtype, index_dtype, _kind(formula, dtype, index_dtype, ranges, M))


def cuda_plan(
    formula: Formula,
    dtype: str,
    index_dtype: str = "int64",
    ranges: bool = False,
    M: int | None = None,
) -> tuple[native.CudaKernel, cuda.Launch]:
    """A kernel without code, to ask what workspace calls take, and its launch: needs no GPU."""
    return _planned(formula, dtype, index_dtype, _kind(formula, dtype, index_dtype, ranges, M))


def program_text(formula: Formula, dtype: str, index_dtype: str) -> str:
    """All that a kernel depends on but the machine: what an exported program carries."""
    return f"{dtype} {index_dtype}\n{formula.text}"


def cuda_program_text(
    formula: Formula, dtype: str, index_dtype: str, ranges: bool, M: int | None
) -> str:
    """The same of a kernel for GPUs."""
    return _text(formula, dtype, index_dtype, _kind(formula, dtype, index_dtype, ranges, M))


def few_rows_text(text: str) -> str:
    """The same of the kernel that serves few rows, by the text of the one that serves many."""
    return f"{FEW} {text}"


def key_of(text: str) -> str:
    """The name of the kernel of a program text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def compile_text(key: str, text: str) -> native.Kernel | native.CudaKernel:
    """The kernel of a program text, whose name is `key`: what the native side calls.

    Raises `CompileError` if another version of the library wrote the text.
    """
    head, formula_text = text.split("\n", 1)
    *kind, dtype, index_dtype = head.split(" ")
    if kind[:1] == ["cuda"]:
        formula = formula_of(formula_text)
        return _build_for_gpus(formula, dtype, index_dtype, kind[1])
    machine, cache = llvm.host(), disk_cache()
    # What makes the code is named instead of what it makes: that would have to be made first,
    # which takes as long as all else.
    name = hashlib.sha256(
        f"{llvm.fingerprint(machine)}\n{mark_of(MAKERS)}\n{text}".encode()
    ).hexdigest()
    kept = cache.get(name)
    if kept is None:
        start = time.perf_counter()
        formula = formula_of(formula_text)
        program = lower(formula, dtype, index_dtype, machine)
        make = compile_few_rows if kind == [FEW] else compile_program
        kept = make(formula, program, machine)
        cache.put(name, kept)
        spent = 1e3 * (time.perf_counter() - start)
        what = f"{dtype}, few rows" if kind else dtype
        LOG.info("Compiled in %.0f ms for %s:\n%s", spent, what, formula.text)
    return load_kernel(kept, text)


if native.AVAILABLE:
    native.set_compile_hook(compile_text)


@lru_cache(maxsize=1)
def disk_cache() -> DiskCache:
    """Where compiled code is kept; `cache_clear` makes the next call read the environment anew."""
    return DiskCache(default_folder())


def compile_program(formula: Formula, program: ir.Program, machine: Machine) -> bytes:
    """All that `load_kernel` needs of a program: one line that describes it, then its code."""
    functions = ["rows", *(["columns"] if program.column_width else [])]
    of_columns = (*program.columns, *(program.distance.columns if program.distance else ()))
    used = {s.slot for s in ir.topological(of_columns) if isinstance(s, ir.Load | ir.Centre)}
    scratch_rows, scratch_columns = least_for_records(program)
    description = _described(formula, program) | {
        "column_width": program.column_width,
        "column_inputs": sorted(used),
        "scratch_rows": scratch_rows,
        "scratch_columns": scratch_columns,
        "row_block": llvm.row_block(program, machine),
        "workspace": llvm.workspace_bytes(program, machine),
        "parts": True,
        "part_cost": nanoseconds_per_part(program, machine),
        "few_rows": program.schedule.few_rows,
        "panel": program.schedule.panel,
        "most_columns": llvm.most_columns(program),
        "pair_cost": nanoseconds_per_pair(program, machine),
    }
    code = llvm.compile_object(llvm.emit(program, machine), machine)
    return json.dumps([functions, description]).encode() + b"\n" + code


def compile_few_rows(formula: Formula, program: ir.Program, machine: Machine) -> bytes:
    """The same of the kernel whose code another kernel calls where rows are few."""
    code = llvm.compile_object(llvm.emit_few(program, machine), machine)
    return json.dumps([["rows"], _described(formula, program)]).encode() + b"\n" + code


def _described(formula: Formula, program: ir.Program) -> dict[str, Any]:
    return {
        "inputs": [(given.axis, given.dim) for given in program.inputs],
        "outputs": [
            (out.width, out.dtype, out.empty, result.axis)
            for out, result in zip(program.outputs, formula.results, strict=True)
        ],
        "dtype": program.stored,
    }


def load_kernel(kept: bytes, text: str) -> native.Kernel:
    """The kernel of what was kept for a program text."""
    line, code = kept.split(b"\n", 1)
    functions, description = json.loads(line)
    loaded = llvm.load(code, functions)
    for lists in ("inputs", "outputs"):
        description[lists] = [tuple(each) for each in description[lists]]
    if description.get("few_rows"):
        few = few_rows_text(text)
        description |= {"few_key": key_of(few), "few_text": few}
    return native.Kernel(
        rows=loaded.addresses["rows"],
        columns=loaded.addresses.get("columns", 0),
        code=loaded,
        **description,
    )


def _kind(formula: Formula, dtype: str, index_dtype: str, ranges: bool, M: int | None) -> str:
    """Which of the kernels of a formula a call takes: "ranges", "few" or "dense"."""
    if ranges:
        return "ranges"
    are_few = M is not None and _few_rows(formula, dtype, index_dtype) >= M
    return "few" if are_few else "dense"


@lru_cache(maxsize=4096)
def _few_rows(formula: Formula, dtype: str, index_dtype: str) -> int:
    return few_rows(lower_for_gpus(formula, dtype, index_dtype))


def _text(formula: Formula, dtype: str, index_dtype: str, kind: str) -> str:
    return f"cuda {kind} {program_text(formula, dtype, index_dtype)}"


@lru_cache(maxsize=4096)
def _found(formula: Formula, dtype: str, index_dtype: str, kind: str) -> native.CudaKernel:
    text = _text(formula, dtype, index_dtype, kind)
    return native.find_or_compile(key_of(text), text)


@lru_cache(maxsize=4096)
def _planned(
    formula: Formula, dtype: str, index_dtype: str, kind: str
) -> tuple[native.CudaKernel, cuda.Launch]:
    source = _cuda_source(formula, dtype, index_dtype, kind)
    return _cuda_kernel(formula, dtype, index_dtype, kind, {}), source.launch


@lru_cache(maxsize=256)
def _cuda_source(formula: Formula, dtype: str, index_dtype: str, kind: str) -> cuda.Source:
    program = lower_for_gpus(formula, dtype, index_dtype)
    return cuda.emit(program, choose_cut(program, few=kind == "few"), ranged=kind == "ranges")


def _build_for_gpus(formula: Formula, dtype: str, index_dtype: str, kind: str) -> native.CudaKernel:
    source = _cuda_source(formula, dtype, index_dtype, kind)
    architectures = {architecture for _, architecture, _ in native.cuda_devices()}
    images = {each: _cuda_image(source.text, each) for each in sorted(architectures)}
    return _cuda_kernel(formula, dtype, index_dtype, kind, images)


def _cuda_image(text: str, architecture: int) -> bytes:
    cache = disk_cache()
    name = hashlib.sha256(
        f"{cuda.fingerprint(architecture, cuda.OPTIONS)}\n{text}".encode()
    ).hexdigest()
    code = cache.get(name)
    if code is None:
        code = cuda.compile_code(text, architecture, cuda.OPTIONS)
        cache.put(name, code)
    return code


def _cuda_kernel(
    formula: Formula, dtype: str, index_dtype: str, kind: str, images: dict[int, bytes]
) -> native.CudaKernel:
    program = lower_for_gpus(formula, dtype, index_dtype)
    source = _cuda_source(formula, dtype, index_dtype, kind)
    return native.CudaKernel(
        inputs=[(given.axis, given.dim) for given in program.inputs],
        outputs=[
            (out.width, out.dtype, out.empty, result.axis)
            for out, result in zip(program.outputs, formula.results, strict=True)
        ],
        dtype=dtype,
        images=images,
        launch=source.launch,
        column_inputs=source.column_inputs,
        has_ranges=kind == "ranges",
    )
