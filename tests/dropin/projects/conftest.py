"""Projects as their users call them; `bash tools/dropin` installs them, and runs this folder."""

from __future__ import annotations

from importlib.util import find_spec

PROJECTS = ("geomloss", "gudhi", "torchdr")

# Whoever runs the usual tests has none of them, and no PyKeOps either.
if not all(map(find_spec, (*PROJECTS, "pykeops"))):
    collect_ignore_glob = ["test_*.py"]
