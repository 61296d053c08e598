"""What the arguments of an op are called: by its value, or by letters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from .node import Op

FORMULA_LETTERS = "fgab"  # of ops whose functions do not name their arguments


def argument_names(op: Op) -> list[str]:
    """Those of the function that is its value, spelled as its sentence does: A, not a."""
    count = op.arity + len(op.samples[0][1])
    names = _parameters(op.value, count) or _parameters(op.expand, count)
    names = names or list(FORMULA_LETTERS[:count])
    words = re.findall(r"\w+", op.doc)
    spellings = {word.lower(): word for word in words}
    return [
        name if name in words else spellings.get(name.replace("_", "").lower(), name)
        for name in names
    ]


def _parameters(function: Callable[..., object] | None, count: int) -> list[str] | None:
    if not inspect.isfunction(function):
        return None  # functions of NumPy call theirs x, x1, x2
    names = list(inspect.signature(function).parameters)
    return names if len(names) == count else None
