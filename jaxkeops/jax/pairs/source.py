"""Where in the user's code an equation comes from, in words."""

from __future__ import annotations

import linecache
import os
import sysconfig
from pathlib import Path
from typing import Any

import jax

HERE = (str(Path(jax.__file__).parent) + os.sep, str(Path(__file__).parents[2]) + os.sep)
STANDARD = sysconfig.get_paths()["stdlib"] + os.sep


def told(primitive: str, reason: str, function: str, source: Any) -> str:
    """A message: what has no formula, in which line of the user, and what to do."""
    return f"{function} uses {primitive} for each pair. {reason}{_line(source)}"


def _line(source: Any) -> str:
    for frame in getattr(getattr(source, "traceback", None), "frames", ()):
        if not _is_library(frame.file_name):
            text = linecache.getline(frame.file_name, frame.line_num).strip()
            shown = f"\n    {text}" if text else ""
            return f"\nIn {frame.function_name}, {frame.file_name}:{frame.line_num}:{shown}"
    return ""


def _is_library(file: str) -> bool:
    """Whether a file is JAX's, ours or Python's, and not the user's."""
    return file.startswith(HERE) or (file.startswith(STANDARD) and "site-packages" not in file)
