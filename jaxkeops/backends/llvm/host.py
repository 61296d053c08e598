"""The CPU this process runs on, and the other levels that its code can be compiled for."""

import functools
from dataclasses import replace

import llvmlite.binding as llvm

from ...ir.machine import Machine

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

NEOVERSE_V1 = Machine("neoverse-v1", "aarch64-unknown-linux-gnu", "", 16, 32, fma=True, half=True)
APPLE_M1 = Machine("apple-m1", "arm64-apple-macosx", "", 16, 32, fma=True, half=True)


@functools.cache
def host() -> Machine:
    """The machine of this process, with the widest vectors that its CPU and system allow."""
    triple = llvm.get_process_triple()
    if "windows" in triple and not triple.endswith("-elf"):
        triple += "-elf"  # LLVM's MCJIT loads ELF objects alone on Windows.
    features = llvm.get_host_cpu_features()
    flags = features.flatten()
    name = llvm.get_host_cpu_name()
    if triple.startswith(("aarch64", "arm64")):
        return Machine(name, triple, flags, 16, 32, fma=True, half=True)
    half, vnni = bool(features.get("f16c")), bool(features.get("avx512vnni"))
    if all(features.get(flag) for flag in ("avx512f", "avx512dq", "avx512bw", "avx512vl")):
        wide = Machine(name, triple, flags, 64, 32, fma=True, scalef=True, half=half)
        return replace(wide, madd=True, vnni=vnni)
    if features.get("avx2") and features.get("fma"):
        return Machine(name, triple, flags, 32, 16, fma=True, half=half, madd=True)
    return Machine(name, triple, flags, 16, 16)


@functools.cache
def levels() -> dict[str, Machine]:
    """The levels whose code runs on this host: "avx512", "avx2", "baseline", or "neon"."""
    machine = host()
    if machine.triple.startswith(("aarch64", "arm64")):
        return {"neon": machine}
    found = {"baseline": Machine("x86-64", machine.triple)}
    if machine.vector_bytes >= 32:
        haswell = Machine("haswell", machine.triple, "", 32, 16, fma=True, half=True, madd=True)
        found["avx2"] = haswell
    if machine.scalef:
        found["avx512"] = machine
    return found
