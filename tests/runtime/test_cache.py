"""Compiled code on disk: what was put is got, what is damaged is absent, races are harmless."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxkeops.runtime import cache
from jaxkeops.runtime.cache import DiskCache

PAYLOAD = bytes(range(256)) * 40


def only_file(folder):
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    return file


def test_what_was_put_is_got_by_another_process(tmp_path):
    DiskCache(tmp_path).put("key", PAYLOAD)
    assert DiskCache(tmp_path).get("key") == PAYLOAD
    assert DiskCache(str(tmp_path)).get("another key") is None


@pytest.mark.parametrize("payload", [b"", b"\0", PAYLOAD])
@pytest.mark.parametrize("key", ["", "k", "k" * 10_000, "../../etc/passwd", "clé\0\n"])
def test_any_key_and_any_payload(tmp_path, key, payload):
    DiskCache(tmp_path / "inside").put(key, payload)
    assert DiskCache(tmp_path / "inside").get(key) == payload
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_the_last_put_counts(tmp_path):
    folder = DiskCache(tmp_path)
    folder.put("key", b"first")
    folder.put("key", b"second")
    assert folder.get("key") == b"second"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("kept", [0, 1, 20, 40, 57, 58, 100, -1])
def test_a_truncated_file_is_absent_and_replaced(tmp_path, kept):
    DiskCache(tmp_path).put("key", PAYLOAD)
    file = only_file(tmp_path)
    file.write_bytes(file.read_bytes()[:kept])
    assert DiskCache(tmp_path).get("key") is None
    DiskCache(tmp_path).put("key", PAYLOAD)
    assert DiskCache(tmp_path).get("key") == PAYLOAD


def test_any_flipped_byte_is_noticed(tmp_path, rng):
    DiskCache(tmp_path).put("key", PAYLOAD)
    file = only_file(tmp_path)
    content = file.read_bytes()
    for at in [*range(60), *rng.integers(60, len(content), 40)]:
        damaged = bytearray(content)
        damaged[at] ^= 1
        file.write_bytes(damaged)
        assert DiskCache(tmp_path).get("key") is None


def test_a_file_under_another_name_is_absent(tmp_path):
    folder = DiskCache(tmp_path)
    folder.put("key", PAYLOAD)
    file = only_file(tmp_path)
    folder.put("other", b"")
    (other,) = (path for path in tmp_path.rglob("*") if path.is_file() and path != file)
    file.replace(other)
    assert DiskCache(tmp_path).get("other") is None


def test_no_folder_means_memory():
    folder = DiskCache(None)
    folder.put("key", PAYLOAD)
    assert folder.get("key") == PAYLOAD
    assert DiskCache(None).get("key") is None


def test_a_folder_that_cannot_be_made_means_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = DiskCache(tmp_path / "file" / "cache")
    assert folder.get("key") is None
    folder.put("key", PAYLOAD)
    assert folder.get("key") == PAYLOAD


def test_a_full_disk_means_memory(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    folder = DiskCache(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "replace", full)
        folder.put("key", PAYLOAD)
    assert folder.get("key") == PAYLOAD
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # nothing left behind
    folder.put("key", b"later")
    assert DiskCache(tmp_path).get("key") == b"later"
    assert folder.get("key") == b"later"


RACE = """
import sys
from jaxkeops.runtime.cache import DiskCache
folder, me = DiskCache(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for round in range(200):
    key = str(round % 5)
    payload = key.encode() * 20_000
    found = folder.get(key)
    assert found is None or found == payload, "a reader saw half a file"
    folder.put(key, payload)
    assert folder.get(key) == payload
assert not folder._unsaved
"""


def test_eight_processes_race(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    racers = [
        subprocess.Popen([*command, str(k)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for k in range(8)
    ]
    for racer in racers:
        racer.stdout.readline()
    for racer in racers:
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    assert [racer.communicate(timeout=60) and racer.returncode for racer in racers] == [0] * 8
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 5


@pytest.fixture
def bare_environment(monkeypatch):
    for name in ("JAXKEOPS_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_environment_chooses_the_folder(bare_environment, tmp_path):
    bare_environment.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    bare_environment.setenv("JAXKEOPS_CACHE_DIR", str(tmp_path / "chosen"))
    assert cache.default_folder() == tmp_path / "chosen"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="other folders there")
def test_the_users_cache_folder_is_the_default(bare_environment, tmp_path):
    bare_environment.setenv("HOME", str(tmp_path))
    assert cache.default_folder() == tmp_path / ".cache" / "jaxkeops"
    bare_environment.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache.default_folder() == tmp_path / ".cache" / "jaxkeops"
    bare_environment.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.default_folder() == tmp_path / "xdg" / "jaxkeops"


def test_a_user_without_a_home_has_no_folder(bare_environment):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    bare_environment.setattr(cache.Path, "home", homeless)
    bare_environment.delenv("LOCALAPPDATA", raising=False)
    assert cache.default_folder() is None


def test_others_cannot_read_the_files(tmp_path):
    if os.name == "nt":
        pytest.skip("permissions are others there")
    DiskCache(tmp_path / "mine").put("key", PAYLOAD)
    assert only_file(tmp_path).stat().st_mode & 0o077 == 0
    assert Path(tmp_path / "mine").stat().st_mode & 0o077 == 0


def test_clearing_removes_what_was_put_and_nothing_else(tmp_path):
    folder = DiskCache(tmp_path)
    folder.put("one", b"1")
    folder.put("other", b"2")
    (tmp_path / "ab").mkdir(exist_ok=True)
    (tmp_path / "ab" / "notes.txt").write_text("mine")
    assert folder.clear() == 2
    assert folder.get("one") is None
    assert (tmp_path / "ab" / "notes.txt").exists()
    in_memory = DiskCache(None)
    in_memory.put("one", b"1")
    assert in_memory.clear() == 0
    assert in_memory.get("one") is None
