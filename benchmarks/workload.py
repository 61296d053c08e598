"""What a workload is: a reduction, its arrays and its dense form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .library import Library

Arrays = tuple[np.ndarray, ...]

NEAREST = ("ArgMin", "ArgKMin")


@dataclass(frozen=True)
class Argument:
    """An array of a formula. axis: "i" (M rows), "j" (N rows) or "p" (one row).

    draw: how its rows are made: "normal"; "ball", uniform in a ball of radius 0.9; "sphere", of
    norm 1; or a number, which fills it.
    """

    name: str
    axis: str
    dim: int
    draw: str | float = "normal"

    @property
    def alias(self) -> str:
        letter = {"i": "Vi", "j": "Vj", "p": "Pm"}[self.axis]
        return f"{self.name} = {letter}({self.dim})"


@dataclass(frozen=True)
class Blocks:
    """Block-sparse pairs: each block of `size` rows meets `kept` blocks of columns."""

    size: int
    kept: int


@dataclass(frozen=True)
class Radial:
    """What a code for distances alone needs: which one, and, of a sum, the kernel's profile.

    profile: given a namespace with exp and sqrt, the function of the distance and of g.
    """

    distance: str  # a field of Library
    profile: Callable[[Any], Callable[[Any, Any], Any]] | None = None


@dataclass(frozen=True)
class Workload:
    """A reduction of a formula, and what else computes it.

    dense: the result from a library and the arrays, with the reduced axis in one piece; for
    nearest neighbours the scores, (..., m, N), whose least are looked for.
    rows: M and N, chosen for a second of PyKeOps' time at most.
    gradients: the results are the reduction and its derivatives for all arrays of the formula, for
    the cotangent that is the last array and not in the formula.
    uses: the fields of Library that `dense` asks for. width: the numbers that it holds for a pair.
    """

    name: str
    title: str
    formula: str
    arguments: tuple[Argument, ...]
    dense: Callable[..., Any]
    rows: tuple[int, int]
    uses: tuple[str, ...] = ()
    reduction: str = "Sum"
    axis: int = 1
    formula2: str | None = None
    count: int | None = None
    radial: Radial | None = None
    batch: int | None = None
    blocks: Blocks | None = None
    gradients: bool = False
    reference: Callable[..., Arrays] | None = None
    width: int = 1
    group: str = "main"
    dtypes: tuple[str, ...] = ("float32",)

    @property
    def aliases(self) -> list[str]:
        return [each.alias for each in self.inputs]

    @property
    def inputs(self) -> tuple[Argument, ...]:
        """The arguments that the formula names."""
        return self.arguments[:-1] if self.gradients else self.arguments

    @property
    def kept(self) -> str:
        """The axis whose rows the result has."""
        return "i" if self.axis == 1 else "j"

    @property
    def options(self) -> dict[str, Any]:
        """What Genred takes beside formula and aliases."""
        options = {"reduction_op": self.reduction, "axis": self.axis}
        if self.formula2 is not None:
            options["formula2"] = self.formula2
        if self.count is not None:
            options["opt_arg"] = self.count
        return options

    @property
    def pairs(self) -> int:
        """How many pairs one call visits."""
        M, N = self.rows
        if self.blocks is not None:
            N = self.blocks.kept * self.blocks.size
        return (self.batch or 1) * M * N

    def compute(self, library: Library, *arrays: Any) -> Any:
        """The dense result, (..., m, E), in any library; a cotangent is not looked at."""
        made = self.dense(library, *arrays[: len(self.inputs)])
        if self.reduction == "ArgMin":
            return library.xp.argmin(made, -1)[..., None]
        if self.reduction == "ArgKMin":
            return library.smallest(made, self.count)
        return made

    def arrays(self, dtype: str, seed: int = 0) -> Arrays:
        """The data, the same in every run."""
        rng = np.random.default_rng(seed)
        M, N = self.rows
        leading = () if self.batch is None else (self.batch,)
        shapes = [
            (*leading, M if each.axis == "i" else N, each.dim) if each.axis != "p" else (each.dim,)
            for each in self.arguments
        ]
        return tuple(
            drawn(each.draw, shape, rng).astype(dtype)
            for each, shape in zip(self.arguments, shapes, strict=True)
        )


def drawn(draw: str | float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Rows of the kind that `Argument.draw` names."""
    if not isinstance(draw, str):
        return np.full(shape, float(draw))
    rows = rng.normal(size=shape)
    if draw == "normal":
        return rows
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    if draw == "ball":
        rows *= 0.9 * rng.uniform(size=(*shape[:-1], 1)) ** (1 / shape[-1])
    return rows
