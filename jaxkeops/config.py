"""What a process may set: where compiled code is kept, and whether compiling is told of."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from .compiler import disk_cache
from .errors import NoBackendError
from .runtime import native

LOG = logging.getLogger("jaxkeops")
FOLDER = "JAXKEOPS_CACHE_DIR"


def set_verbose(value: bool) -> None:
    """Whether each formula that is compiled is told of, on stderr and by the log `jaxkeops`."""
    for handler in [each for each in LOG.handlers if isinstance(each, _Told)]:
        LOG.removeHandler(handler)
    LOG.setLevel(logging.INFO if value else logging.WARNING)
    if value:
        LOG.addHandler(_Told(sys.stderr))


def is_verbose() -> bool:
    """Whether compiling is told of."""
    return LOG.isEnabledFor(logging.INFO)


def get_build_folder() -> str | None:
    """The folder of compiled code; None if there is none, and it is kept in memory."""
    folder = disk_cache().folder
    return None if folder is None else str(folder)


def set_build_folder(path: str | os.PathLike[str] | None = None) -> None:
    """Keeps compiled code in `path` from now on, here and in processes started from here.

    None is the folder of the user's cache. Code that this process has loaded stays loaded.
    """
    if path is None:
        os.environ.pop(FOLDER, None)
    else:
        os.environ[FOLDER] = str(Path(path).expanduser().absolute())
    disk_cache.cache_clear()


def clean_jaxkeops(recompile_jit_binaries: bool = True) -> None:
    """Removes the compiled code in the build folder; files of others stay.

    `recompile_jit_binaries` is accepted for PyKeOps' sake: there are none here.
    """
    disk_cache().clear()


def get_gpu_number() -> int:
    """How many CUDA GPUs can be used; the first call starts CUDA's driver."""
    try:
        return len(native.cuda_devices())
    except (NoBackendError, ImportError):
        return 0


def __getattr__(name: str) -> Any:
    # Asked when they are read, so that importing probes nothing. The second is of keopscore.
    if name in ("gpu_available", "use_cuda"):
        return get_gpu_number() > 0
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Told(logging.StreamHandler):
    """The handler that `set_verbose` adds, and takes away."""
