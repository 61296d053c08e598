"""Runs scripts in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap


def run(script, *args, **environment):
    """The standard output of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
