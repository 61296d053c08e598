"""Neighbouring numbers of a column, or of what columns share: lanes are components."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import COLUMN, PARAMETER, Centre, Load, Scalar
from .evaluate import Source, merged, with_components
from .frame import Frame
from .spelling import item_bytes
from .storage import after_load, element


def along(frame: Frame, bodies: Sequence[Scalar], j: str, c: str, mask: str) -> list[str]:
    """Expressions of column `j` at components c, c + 1, ...; a mask tells which are there."""
    leaf = _leaf(frame, j, mask)
    known = merged(frame.parameters)
    names: dict[tuple[Scalar, str], str] = {}

    def shared(asked: Scalar, c: str) -> str:
        return with_components(frame.b, [asked], known, names, c, leaf)[0]

    known.sources[PARAMETER] = shared
    return [with_components(frame.b, [body], known, names, c, leaf)[0] for body in bodies]


def _leaf(frame: Frame, j: str, mask: str) -> Source:
    b, stored = frame.b, frame.program.stored
    type = element(stored)

    def numbers(start: str, c: str, k: int) -> str:
        place = b.address(b.address(start, c, type), str(k), type)
        if mask:
            return after_load(b, b.masked_load(place, mask, type), stored)
        vector = f"<{b.width} x {type}>"
        return after_load(b, b.load(place, vector, item_bytes(type)), stored)

    def leaf(asked: Scalar, c: str) -> str:
        assert isinstance(asked, Load | Centre), asked
        if isinstance(asked, Load) and asked.rate & COLUMN:
            return numbers(frame.input_row(asked.slot, j), c, asked.k)
        if isinstance(asked, Load):
            return numbers(frame.inputs[asked.slot], c, asked.k)
        rows = [numbers(place, c, asked.k) for place in frame.centre_rows[asked.slot]]
        total = rows[0]
        for name in rows[1:]:
            total = b.add(total, name)
        return b.mul(total, b.const(0.25))

    return leaf
