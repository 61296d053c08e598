"""A process in which `import pykeops` gives jaxkeops, for the time of a test."""

from __future__ import annotations

import sys

import pytest

import jaxkeops
from jaxkeops.drop_in import PACKAGES, Finder


def _forget(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def as_pykeops(monkeypatch):
    _forget(monkeypatch)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    jaxkeops.install_as_pykeops()
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        del sys.modules[name]
    assert any(isinstance(finder, Finder) for finder in sys.meta_path)
