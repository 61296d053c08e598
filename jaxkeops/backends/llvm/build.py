"""Turns LLVM text into machine code, and machine code into addresses that can be called.

Compiling runs code generation alone: the emitter already chooses vectors, hoisting and FMAs, and
LLVM's passes were measured to add time and no speed.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import llvmlite
import llvmlite.binding as llvm

from ...errors import CompileError, JaxKeopsError
from ...ir.machine import Machine
from .host import host

OPT = 2
# Lines of text from which code is generated without optimising: the time that takes grows with
# their square, to 15 s for 20000 of them, and is 0.5 s without.
LARGE = 10_000
DIGEST_BYTES = 16


class CorruptObjectError(JaxKeopsError, ValueError):
    """The bytes are not what `compile_object` once gave: compile the text again."""


@dataclass(frozen=True)
class Code:
    """Loaded machine code: the addresses of its functions, valid while this object lives."""

    addresses: dict[str, int]
    engine: llvm.ExecutionEngine


def fingerprint(machine: Machine) -> str:
    """All that decides which bytes a text compiles to, beside the text."""
    version = ".".join(map(str, llvm.llvm_version_info))
    return (
        f"llvmlite {llvmlite.__version__}, LLVM {version}, {machine.triple}, "
        f"{machine.name}, {machine.features or 'default features'}, opt {OPT} below {LARGE} lines"
    )


def verify(text: str) -> None:
    """Raises `CompileError`, with LLVM's words, if the text is not a legal module."""
    module = _parse(text)
    try:
        module.verify()
    except RuntimeError as error:
        raise CompileError(f"expected a legal LLVM module, but: {error}") from error


def compile_object(text: str, machine: Machine) -> bytes:
    """The relocatable object of a module, with a digest at its end for `load` to check.

    Threads may call this at once; llvmlite compiles for one of them at a time.  A text that parses
    but calls an intrinsic wrongly can abort the process: `verify` finds that, in about 1 ms.
    """
    opt = OPT if text.count("\n") < LARGE else 0
    code = _target_machine(machine, opt).emit_object(_parse(text))
    return code + _digest(code)


def assembly(text: str, machine: Machine) -> str:
    """The assembly of a module, for any machine whose target this LLVM carries."""
    return _target_machine(machine, OPT).emit_assembly(_parse(text))


def load(code: bytes, symbols: Sequence[str]) -> Code:
    """The functions `symbols` of an object, ready to be called in this process.

    Raises `CorruptObjectError` if the bytes are damaged, LookupError if a symbol is missing.
    """
    body, digest = code[:-DIGEST_BYTES], code[-DIGEST_BYTES:]
    # LLVM crashes on a truncated or altered object, so nothing unchecked may reach it.
    if len(code) <= DIGEST_BYTES or digest != _digest(body):
        raise CorruptObjectError(
            f"expected the object code that compile_object gave, but these {len(code)} bytes fail "
            "their digest; discard them and compile again"
        )
    empty = llvm.parse_assembly("", llvm.create_context())
    # The code is there already: a machine without features loads it as well, and is made faster.
    loader = llvm.Target.from_triple(host().triple).create_target_machine(jit=True)
    # Its own memory manager puts the sections of an object side by side. The default one maps each
    # where there is room, which in a large process is farther than the 2 GiB that code reaches:
    # LLVM then aborts.
    engine = llvm.create_mcjit_compiler(empty, loader, use_lmm=True)
    engine.add_object_file(llvm.ObjectFileRef.from_data(body))
    engine.finalize_object()
    addresses = {symbol: engine.get_function_address(symbol) for symbol in symbols}
    missing = [symbol for symbol, address in addresses.items() if not address]
    if missing:
        raise LookupError(f"the object code does not define {', '.join(missing)}")
    return Code(addresses, engine)


def _digest(code: bytes) -> bytes:
    return hashlib.blake2b(code, digest_size=DIGEST_BYTES).digest()


def _parse(text: str) -> llvm.ModuleRef:
    # A context of its own: LLVM contexts may not be shared by threads.
    try:
        return llvm.parse_assembly(text, llvm.create_context())
    except RuntimeError as error:
        raise CompileError(f"expected LLVM text, but it cannot be read: {error}") from error


def _new_target_machine(machine: Machine, opt: int) -> llvm.TargetMachine:
    _initialize_all(machine.triple)
    # The small code model keeps constants as memory operands, within reach of 2 GiB: see `load`.
    return llvm.Target.from_triple(machine.triple).create_target_machine(
        cpu=machine.name,
        features=machine.features,
        opt=opt,
        reloc="pic",
        codemodel="default",
        jit=True,
    )


# Creating one takes 0.4 ms with the features of a host.  Sharing is safe: llvmlite lets one thread
# at a time into LLVM.
_target_machine = functools.cache(_new_target_machine)


@functools.cache
def _initialize_all(triple: str) -> None:
    """Registers every target of this LLVM, once, if the triple is not the host's own."""
    if triple != host().triple:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
