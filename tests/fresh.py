"""Runs scripts in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap


def run(script: str, *args: object, **environment: str) -> str:
    """What Python text prints in a process of its own; AssertionError if that fails."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
