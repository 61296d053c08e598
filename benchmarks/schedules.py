"""Times the chosen schedule against others, for shapes of all kinds: how good is the choice?

    python benchmarks/schedules.py [--only NAME ...] [--json FILE]

One thread. Schedules take turns; of each the fastest call counts, for what slows a call down comes
from outside. The last column is the time of the chosen schedule over that of the best.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

os.environ.setdefault("JAXKEOPS_NUM_THREADS", "1")

import numpy as np
from rich.progress import track

from jaxkeops import ir
from jaxkeops.backends import llvm
from jaxkeops.compiler import compile_program, load_kernel, program_text
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.schedule import lower

SECONDS = 1.0  # for one shape
GAUSSIAN = "Exp(-g * SqDist(x, y))"


@dataclass(frozen=True)
class Shape:
    """A reduction of 512 rows over 2000 columns: x and y have D components, b and e have E."""

    reduction: str
    formula: str
    D: int
    E: int = 1
    dtype: str = "float32"
    weight: str = ""
    count: int | None = None

    @property
    def name(self) -> str:
        of = f"{self.formula}, {self.weight}" if self.weight else self.formula
        return f"{self.reduction} {of} D={self.D} E={self.E} {self.dtype}"


def shapes() -> Iterator[Shape]:
    for D in (1, 3, 8, 10, 16, 32, 64, 256, 784):
        yield Shape("Sum", f"{GAUSSIAN} * b", D)
        yield Shape("Min_ArgMin", "SqDist(x, y)", D)
    for D in (3, 16, 64):
        for dtype in ("float32", "float64"):
            yield Shape("LogSumExp", "-g * SqDist(x, y)", D, dtype=dtype)
            yield Shape("Sum", f"Grad({GAUSSIAN} * b, x, e)", D, dtype=dtype)
            yield Shape("KMin_ArgKMin", "SqDist(x, y)", D, dtype=dtype, count=10)
        yield Shape("Sum", "Exp(-g * Norm2(x - y)) * b", D)
        yield Shape("Min_ArgMin", "Sum(Abs(x - y))", D)
        yield Shape("SumSoftMaxWeight", "g * (x | y)", D, D, weight="b")
    for E in (3, 8, 16, 24, 32, 64, 256):
        yield Shape("Sum", f"{GAUSSIAN} * b", 3, E)
        yield Shape("Sum", f"{GAUSSIAN} * b", 3, E, dtype="float64")


def schedules(chosen: ir.Schedule) -> Iterator[ir.Schedule]:
    yield chosen
    blocks = (1, 2, 4, 8) if chosen.columns > 1 else (1,)
    groups = (4, 8, 12, 16, 24) if chosen.components > 1 else (1,)
    for row_vectors in (1, 2, 4):
        for columns in blocks:
            for components in groups:
                if row_vectors * max(columns, components) <= 32:
                    for tile in {chosen.tile, 2 * chosen.tile}:
                        cut = ir.Schedule(row_vectors, tile, columns, components, chosen.few_rows)
                        if cut != chosen:
                            yield cut
    # Those above pass over nothing by integers.
    for chunk in (512, 2048, 4096) if chosen.chunk else ():
        for group in (1, 8) if chosen.sample else (chosen.group,):
            cut = replace(chosen, chunk=chunk, group=group)
            if cut != chosen:
                yield cut


def fastest_calls(shape: Shape) -> dict[ir.Schedule, float]:
    """Seconds of the fastest call with each schedule, the chosen one first."""
    aliases = ["g = Pm(1)", f"x = Vi({shape.D})", f"y = Vj({shape.D})"]
    aliases += [f"b = Vj({shape.E})", f"e = Vi({shape.E})"]
    formulas = [shape.formula, *filter(None, [shape.weight])]
    nodes, variables = read_formulas(formulas, aliases)
    inputs = [ir.Input(var.axis, var.dim) for var in variables]
    formula = make_formula(shape.reduction, nodes[0], inputs, *nodes[1:], count=shape.count)
    machine = llvm.host()
    program = lower(formula, shape.dtype, "int64", machine)
    rng = np.random.default_rng(0)
    rows = {"i": (512,), "j": (2000,), "p": ()}
    arrays = tuple(
        (rng.normal(size=(*rows[given.axis], given.dim)) / np.sqrt(shape.D)).astype(shape.dtype)
        for given in inputs
    )
    text = program_text(formula, shape.dtype, "int64")
    kernels = {
        cut: load_kernel(compile_program(formula, replace(program, schedule=cut), machine), text)
        for cut in schedules(program.schedule)
    }
    dtypes = tuple(np.dtype(output.dtype) for output in program.outputs)
    best = dict.fromkeys(kernels, float("inf"))
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or float("inf") in best.values():
        for cut, kernel in kernels.items():
            start = time.perf_counter()
            assert kernel.call_buffers(arrays, np.empty, dtypes) is not None
            best[cut] = min(best[cut], time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], help="parts of names of shapes")
    parser.add_argument("--json", help="write everything here")
    options = parser.parse_args()
    wanted = [s for s in shapes() if not options.only or any(w in s.name for w in options.only)]
    results = []
    for shape in track(wanted, "Shapes"):
        best = fastest_calls(shape)
        chosen = next(iter(best))
        winner = min(best, key=best.__getitem__)
        ratio = best[chosen] / best[winner]
        results.append(
            {"shape": shape.name, "ratio": ratio, "chosen": asdict(chosen), "best": asdict(winner)}
        )
        cut = f"{winner.row_vectors} x {winner.columns}, {winner.components}, {winner.tile}"
        print(f"{shape.name:70} {ratio:5.2f}  best: {cut}", flush=True)
    print(f"worst: {max(result['ratio'] for result in results):.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
