"""What this core could do: fused multiply-adds a second, and how many a pair of a workload takes.

The peak is measured, not read from a data sheet: a loop of CHAINS independent vector FMAs, compiled
by the same LLVM for the same machine. A workload's share is the rate at which it issues operations
of the FMA pipes over that peak. Additions, comparisons and roundings are not counted: on the
machines that have pipes of their own for them they run beside, so 100 % is out of reach for
formulas that need many.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable

from jaxkeops import ir
from jaxkeops.backends import llvm
from jaxkeops.frontend.genred import declare_formula
from jaxkeops.schedule import lower

from .workload import Workload

CHAINS = 16  # more than latency times pipes: 4 x 2 on Zen 4, 4 x 2 on recent Intel cores
ITERATIONS = 200_000  # about 1 ms
TRIALS = 50
TYPES = {"float32": "float", "float64": "double"}

# Operations of the FMA pipes in one instruction, for float32 and float64: the products and fused
# multiply-adds in the assembly of a sum of that function for AVX-512. Quotients and roots run in
# the same pipes, and count as the cycles that they keep one busy on Zen 4: 6 and 9, 10 and 16.
PIPE = {
    "mul": (1, 1),
    "fma": (1, 1),
    "exp2": (7, 12),
    "exp": (10, 15),
    "div": (6, 9),
    "sqrt": (10, 16),
    "rsqrt": (16, 25),
    "log": (14, 23),
    "sin": (14, 22),
    "cos": (14, 22),
    "asin": (19, 34),
    "acos": (18, 33),
    "atan": (16, 33),
    "atan2": (16, 33),
    "tanh": (21, 29),
    "pow": (48, 48),
}


def fma_loop(dtype: str, lanes: int) -> str:
    """LLVM text of `loop(count, out)`: `count` rounds of CHAINS FMAs of `lanes` lanes."""
    vector = f"<{lanes} x {TYPES[dtype]}>"
    fma = f"@llvm.fma.v{lanes}f{32 if dtype == 'float32' else 64}"
    chains = range(CHAINS)
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        "define void @loop(i64 %count, ptr %out) #0 {",
        "start:",
        f"  %a = load {vector}, ptr %out, align 4",
        "  br label %round",
        "round:",
        "  %k = phi i64 [0, %start], [%next, %round]",
        *(f"  %s{c} = phi {vector} [%a, %start], [%r{c}, %round]" for c in chains),
        *(
            f"  %r{c} = call {vector} {fma}({vector} %s{c}, {vector} %a, {vector} %a)"
            for c in chains
        ),
        "  %next = add i64 %k, 1",
        "  %more = icmp ult i64 %next, %count",
        "  br i1 %more, label %round, label %end",
        "end:",
        *(f"  %t{c} = fadd {vector} {f'%t{c - 1}' if c else '%a'}, %r{c}" for c in chains),
        f"  store {vector} %t{CHAINS - 1}, ptr %out, align 4",
        "  ret void",
        "}",
        'attributes #0 = { "prefer-vector-width"="512" }',
    ]
    return "\n".join(lines) + "\n"


def fma_rate(dtype: str) -> float:
    """Scalar fused multiply-adds a second on one core: the best of TRIALS runs of a millisecond."""
    machine = llvm.host()
    lanes = machine.lanes(dtype)
    code = llvm.load(llvm.compile_object(fma_loop(dtype, lanes), machine), ["loop"])
    loop = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(code.addresses["loop"])
    out = (ctypes.c_double * 16)()  # zeros, which stay zeros
    best = float("inf")
    for _ in range(TRIALS):
        start = time.perf_counter()
        loop(ITERATIONS, ctypes.addressof(out))
        best = min(best, time.perf_counter() - start)
    return ITERATIONS * CHAINS * lanes / best


def operations(workload: Workload, dtype: str) -> int | None:
    """Operations of the FMA pipes for a pair, counted in the program; None for several programs."""
    if workload.gradients:
        return None
    options = workload.options
    declared = declare_formula(
        workload.formula,
        workload.aliases,
        options["reduction_op"],
        options["axis"],
        options.get("formula2"),
        options.get("opt_arg"),
    )
    accumulator = lower(declared.formula, dtype, "int64", llvm.host()).accumulator
    column = 0 if dtype == "float32" else 1
    roots = ir.roots(accumulator)
    times = ir.loop_counts(roots)
    count = sum(
        PIPE.get(scalar.instr.name, (0, 0))[column] * times.get(scalar, 1)
        for scalar in _usual(roots)
        if isinstance(scalar, ir.Apply) and scalar.rate & ir.PAIR == ir.PAIR
    )
    if isinstance(accumulator, ir.ShiftedExp):
        # One power for each exponent, and a product for each weight that is not 1.
        weights = [w for w in accumulator.weights if not isinstance(w, ir.Const)]
        products = sum(map(ir.width, weights))
        count += len(accumulator.exponents) * (PIPE["exp2"][column] + products)
    return count


def _usual(roots: Iterable[ir.Scalar]) -> set[ir.Scalar]:
    """All that is computed at pairs where no guard goes the exact way."""
    found: set[ir.Scalar] = set()
    stack = list(roots)
    while stack:
        scalar = stack.pop()
        if scalar not in found:
            found.add(scalar)
            guard = isinstance(scalar, ir.Guard)
            stack.extend((scalar.fast, scalar.bound) if guard else scalar.inside)
    return found
