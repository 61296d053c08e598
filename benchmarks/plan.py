"""What one run measures: which workloads in which process, and how long it may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .ahead import SLOW
from .workload import Workload
from .workloads import WORKLOADS
from .workloads.scaling import COUNTS, DIMS

# The competitors of the pictures of scaling; the others would compile anew for each size.
SCALED = ("jaxkeops", "PyKeOps", "torch", "jnp")
TWO_THREADS = (
    "gaussian",
    "gradient",
    "logsumexp",
    "argmin",
    "knn-d16",
    "gaussian-d64",
    "attention",
)
QUICK = ("gaussian", "argmin", "knn-d16", "attention", "cauchy")


@dataclass(frozen=True)
class Plan:
    """ratios: (dtype, threads, workloads) of each process. speedup, first: workloads.

    rows, dims: of the pictures of scaling. seconds: of all rounds of one workload. rounds: at most.
    first_of_others: the competitors whose first call is timed, from nothing and from their caches.
    ahead: processes that compile beforehand for competitors. reduced: a tenth of the rows.
    """

    ratios: tuple[tuple[str, int, tuple[str, ...]], ...]
    speedup: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    first_of_others: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    dims: tuple[int, ...] = ()
    small: bool = False
    ahead: int = 0
    rounds: int = 7
    seconds: float = 4.0
    reduced: bool = False

    @property
    def steps(self) -> int:
        """Workloads to measure, in all parts."""
        ratios = sum(len(names) for _, _, names in self.ratios)
        first = len(self.first) + len(self.first_of_others)
        scaling = len(self.rows) + len(self.dims)
        ahead = sum(len(names) for _, names, _ in self.compiled) if self.ahead else 0
        return ahead + ratios + scaling + len(self.speedup) + self.small + first

    @property
    def compiled(self) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """(dtype, workloads, engines) to compile ahead: those that will run on one thread."""
        jobs = [(dtype, names, SLOW) for dtype, threads, names in self.ratios if threads == 1]
        dims = tuple(f"dim-{D}" for D in self.dims)
        return [*jobs, ("float32", dims, ("PyKeOps",))]


def full(cores: int) -> Plan:
    """Everything; two threads where there are two cores."""
    every = tuple(WORKLOADS)
    wide = tuple(name for name, each in WORKLOADS.items() if "float64" in each.dtypes)
    ratios = [("float32", 1, every), ("float64", 1, wide)]
    if cores > 1:
        ratios.append(("float32", 2, TWO_THREADS))
    compiled = tuple(name for name, each in WORKLOADS.items() if each.group != "shape")
    return Plan(
        ratios=tuple(ratios),
        speedup=every if cores > 1 else (),
        first=compiled,
        first_of_others=("PyKeOps", "torch.compile", "Numba", "jnp"),
        rows=COUNTS,
        dims=DIMS,
        small=True,
        ahead=cores,
    )


def quick(cores: int) -> Plan:
    """A little of every part, to see that all of it works; its figures say little."""
    return Plan(
        ratios=(("float32", 1, QUICK), ("float64", 1, ("gaussian",))),
        speedup=QUICK if cores > 1 else (),
        first=QUICK,
        first_of_others=("jnp",),
        rows=COUNTS[:5:2],
        dims=DIMS[2:7:2],
        small=True,
        rounds=3,
        seconds=2.0,
        reduced=True,
    )


def only(workloads: Sequence[Workload]) -> Plan:
    """The ratios of some workloads, on one thread."""
    by_dtype = {
        dtype: tuple(each.name for each in workloads if dtype in each.dtypes)
        for dtype in ("float32", "float64")
    }
    return Plan(ratios=tuple((dtype, 1, names) for dtype, names in by_dtype.items() if names))
