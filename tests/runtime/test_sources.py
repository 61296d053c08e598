"""The mark of the library's own code changes with it, and kernels kept before are then not met."""

from __future__ import annotations

import os

import pytest

from jaxkeops.runtime import sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "PACKAGE", tmp_path)
    monkeypatch.setattr(sources, "START", len(str(tmp_path)))
    (tmp_path / "ir" / "deep").mkdir(parents=True)
    (tmp_path / "top.py").write_text("")
    (tmp_path / "ir" / "deep" / "file.py").write_text("one = 1\n")
    return tmp_path


def mark():
    return sources.mark_of.__wrapped__(("top.py", "ir"))


def test_what_is_not_changed_keeps_its_mark(package):
    first = mark()
    (package / "ir" / "file.pyc").write_text("")
    (package / "other.py").write_text("")
    assert mark() == first


def test_another_time_size_or_file_gives_another_mark(package):
    file = package / "ir" / "deep" / "file.py"
    marks = [mark()]
    os.utime(file, ns=(0, 1))
    marks.append(mark())
    file.write_text("one = 11\n")
    os.utime(file, ns=(0, 1))
    marks.append(mark())
    (package / "ir" / "more.py").write_text("")
    marks.append(mark())
    (package / "top.py").write_text("two = 2\n")
    marks.append(mark())
    assert len(set(marks)) == 5
