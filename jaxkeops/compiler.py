"""From a formula to a kernel: lower, emit, build, load, each stage once, and only if needed."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from functools import lru_cache

from . import ir
from .backends import llvm
from .formula import Formula, make_formula, read
from .ir.show import show
from .runtime import native
from .runtime.cache import DiskCache, default_folder
from .schedule import lower, nanoseconds_per_pair, nanoseconds_per_part

LOG = logging.getLogger(__name__)


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


def program_text(formula: Formula, dtype: str, index_dtype: str) -> str:
    """All that a kernel depends on but the machine: what an exported program carries."""
    return f"{dtype} {index_dtype}\n{formula.text}"


def key_of(text: str) -> str:
    """The name of the kernel of a program text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def compile_text(key: str, text: str) -> native.Kernel:
    """The kernel of a program text, whose name is `key`: what the native side calls.

    Raises `CompileError` if another version of the library wrote the text.
    """
    dtypes, formula_text = text.split("\n", 1)
    dtype, index_dtype = dtypes.split(" ")
    formula = make_formula(*read(formula_text))
    return build(formula, lower(formula, dtype, index_dtype, llvm.host()))


native.set_compile_hook(compile_text)


@lru_cache(maxsize=1)
def disk_cache() -> DiskCache:
    """Where compiled code is kept; `cache_clear` makes the next call read the environment anew."""
    return DiskCache(default_folder())


def build(formula: Formula, program: ir.Program) -> native.Kernel:
    """The kernel of a program that `formula` was lowered to, for this machine."""
    machine = llvm.host()
    source = llvm.emit(program, machine)
    cache = disk_cache()
    name = hashlib.sha256(f"{llvm.fingerprint(machine)}\n{source}".encode()).hexdigest()
    code = cache.get(name)
    if code is None:
        start = time.perf_counter()
        code = llvm.compile_object(source, machine)
        cache.put(name, code)
        spent = 1e3 * (time.perf_counter() - start)
        LOG.info("Compiled in %.0f ms for %s:\n%s", spent, program.stored, formula.text)
    symbols = ["rows", *(["columns"] if program.columns else [])]
    symbols += ["few"] if program.schedule.few_rows else []
    loaded = llvm.load(code, symbols)
    used = sorted(
        {s.slot for s in ir.topological(program.columns) if isinstance(s, ir.Load | ir.Centre)}
    )
    return native.Kernel(
        inputs=[(given.axis, given.dim) for given in program.inputs],
        outputs=[
            (out.width, out.dtype, out.empty, result.axis)
            for out, result in zip(program.outputs, formula.results, strict=True)
        ],
        dtype=program.stored,
        rows=loaded.addresses["rows"],
        columns=loaded.addresses.get("columns", 0),
        column_width=program.column_width,
        column_inputs=used,
        row_block=llvm.row_block(program, machine),
        workspace=llvm.workspace_bytes(program, machine),
        parts=True,
        part_cost=nanoseconds_per_part(program, machine),
        few=loaded.addresses.get("few", 0),
        few_rows=program.schedule.few_rows,
        panel=program.schedule.panel,
        most_columns=llvm.most_columns(program),
        pair_cost=nanoseconds_per_pair(program, machine),
        code=loaded,
    )
