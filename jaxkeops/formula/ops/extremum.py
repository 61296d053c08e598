"""The greatest and the least coordinate of a formula, and where they are."""

from collections.abc import Callable, Sequence

import numpy as np

from ... import ir
from ..declare import constant_by_pieces, register
from ..node import OPS, Coords, F, Node, Op, Param

Better = Callable[[np.ndarray, np.ndarray], np.ndarray]

# A coordinate that is not strictly better than the best so far is passed over: so are ties, which
# go to the first, and NaN, unless it is the first coordinate.


def _scan(f: np.ndarray, better: Better) -> tuple[np.ndarray, np.ndarray]:
    best, index = f[..., :1], np.zeros_like(f[..., :1])
    for k in range(1, f.shape[-1]):
        found = better(f[..., k : k + 1], best)
        best, index = np.where(found, f[..., k : k + 1], best), np.where(found, k, index)
    return best, index


def _lower_scan(f: Coords, greatest: bool) -> tuple[ir.Scalar, ir.Scalar]:
    best: ir.Scalar = f[0]
    index: ir.Scalar = ir.const(0)
    for k in range(1, len(f)):
        sides = (best, f[k]) if greatest else (f[k], best)
        best, index = ir.select_lt(*sides, f[k], best), ir.select_lt(*sides, ir.const(k), index)
    return best, index


SAMPLES: tuple[tuple[tuple[int, ...], tuple[Param, ...]], ...] = (((4,), ()), ((1,), ()))


def _extremum(name: str, word: str, *, greatest: bool) -> None:
    better = np.greater if greatest else np.less

    def chosen(f: Node) -> Node:
        return F.OneHot(OPS[f"Arg{name}"](f), f.dim)

    def vjp(g: Node, f: Node) -> Sequence[Node | None]:
        return (g * chosen(f),)

    def jvp(tangents: Sequence[Node | None], f: Node) -> Node | None:
        (t,) = tangents
        return None if t is None else F.Scalprod(t, chosen(f))

    register(
        Op(
            name=name,
            doc=f"The {word} coordinate of f; its derivative goes to the first that has it.",
            arity=1,
            value=lambda f: _scan(f, better)[0],
            domain=(-2, 2),
            samples=SAMPLES,
            dim=lambda dim: 1,
            vjp=vjp,
            jvp=jvp,
            lower=lambda f: [_lower_scan(f, greatest)[0]],
        )
    )
    constant_by_pieces(
        f"Arg{name}",
        f"The position of the first {word} coordinate of f, counted from 0.",
        dim=lambda dim: 1,
        value=lambda f: _scan(f, better)[1],
        lower=lambda f: [_lower_scan(f, greatest)[1]],
        domain=(-2, 2),
        samples=SAMPLES,
    )


_extremum("Max", "greatest", greatest=True)
_extremum("Min", "least", greatest=False)
