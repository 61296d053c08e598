"""The line of a user's program that called jaxkeops: where warnings of what it asked for point."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep  # as code objects spell it


@dataclass(frozen=True)
class Caller:
    """A line of a module; `told` is what Python notes there of warnings that it has shown."""

    filename: str
    line: int
    module: str
    told: dict[Any, Any] = field(repr=False, compare=False)

    def warn(self, message: str, category: type[Warning]) -> None:
        """Warns, at that line, even where it is not running any more."""
        warnings.warn_explicit(message, category, self.filename, self.line, self.module, self.told)


def caller() -> Caller:
    """The innermost line on the stack that is none of jaxkeops."""
    # `skip_file_prefixes` of `warnings.warn` is of Python 3.12, and of lines that still run.
    frame: FrameType = sys._getframe()
    while frame.f_code.co_filename.startswith(OURS) and frame.f_back is not None:
        frame = frame.f_back
    seen = frame.f_globals
    told = seen.setdefault("__warningregistry__", {})
    return Caller(frame.f_code.co_filename, frame.f_lineno, seen.get("__name__", "<unknown>"), told)
