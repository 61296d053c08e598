"""Compiled code on disk, by content: survives crashes, races, full disks and absent homes."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

# A file: this mark, the digest of key and payload, the payload. A new layout needs a new mark.
_MARK = b"jaxkeops compiled code 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size


def default_folder() -> Path | None:
    """Where compiled code is kept: JAXKEOPS_CACHE_DIR, else `jaxkeops` in the user's cache folder.

    None if the user has no home to keep anything in.
    """
    if chosen := os.environ.get("JAXKEOPS_CACHE_DIR"):
        return Path(chosen).expanduser()
    base = _user_cache_folder()
    return None if base is None else base / "jaxkeops"


def _user_cache_folder() -> Path | None:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else None
    # The XDG specification says to ignore a relative path.
    if (xdg := os.environ.get("XDG_CACHE_HOME")) and os.path.isabs(xdg):
        return Path(xdg)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"


class DiskCache:
    """Bytes by key, in a folder shared by any number of processes; without locks.

    A file is written aside and renamed into place, so that a reader sees all of it or none. Its
    digest covers key and payload: what was cut short, damaged or put under another name counts
    as absent, and is replaced by the next `put`. A folder that cannot be read or written is no
    error: this process then keeps what it `put` in memory.
    """

    def __init__(self, folder: Path | str | None) -> None:
        """`folder` is created when first written to; None keeps everything in memory."""
        self.folder = None if folder is None else Path(folder)
        self._unsaved: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """The payload last put under `key`, or None."""
        if (payload := self._unsaved.get(key)) is not None:
            return payload
        if self.folder is None:
            return None
        try:
            content = self._path(self.folder, key).read_bytes()
        except OSError:
            return None
        return _unwrap(key, content)

    def put(self, key: str, payload: bytes) -> None:
        """Keeps `payload` under `key`, on disk if that can be."""
        if self.folder is None or not _write(self._path(self.folder, key), _wrap(key, payload)):
            self._unsaved[key] = bytes(payload)
        else:
            self._unsaved.pop(key, None)

    def clear(self) -> int:
        """Removes what is kept, and says how many files that were; other files stay."""
        self._unsaved.clear()
        if self.folder is None:
            return 0
        removed = 0
        for path in self.folder.glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 62):
            with suppress(OSError):  # another process may have been quicker
                path.unlink()
                removed += 1
        return removed

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        # 256 folders: listing one stays quick with many thousand kernels.
        return folder / name[:2] / name[2:]


def _digest(key: str, payload: bytes) -> bytes:
    # The key's own digest has a fixed length: no pair (key, payload) reads like another.
    return hashlib.sha256(hashlib.sha256(key.encode()).digest() + payload).digest()


def _wrap(key: str, payload: bytes) -> bytes:
    return _MARK + _digest(key, payload) + payload


def _unwrap(key: str, content: bytes) -> bytes | None:
    start = len(_MARK) + _DIGEST_BYTES
    payload = content[start:]
    whole = len(content) >= start and content[:start] == _MARK + _digest(key, payload)
    return payload if whole else None


def _write(path: Path, content: bytes) -> bool:
    """Puts `content` at `path` in one step; False if the file system does not let us."""
    try:
        # Code that others could replace would run as this user.
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        # Disk full; or, on Windows, another process has the file open: it is the same anyway.
        with suppress(OSError):
            os.unlink(name)
        return False
    return True
