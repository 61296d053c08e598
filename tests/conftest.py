"""Fixtures of all tests: the one source of random numbers, and recorded texts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

# For `from oracle import evaluate`. Last: folders beside it bear the names of libraries.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """The text that this test recorded, in tests/golden; compare with ==."""
    tests = Path(__file__).parent
    folder = request.path.relative_to(tests).with_suffix("")
    file = tests / "golden" / folder / f"{request.node.name}.txt"
    return Golden(file, request.config.getoption("--update-golden"))


class Golden:
    def __init__(self, file: Path, update: bool) -> None:
        self.file, self.update = file, update

    def __eq__(self, text: object) -> bool:
        if self.update:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(f"{text}\n")
        return self.file.exists() and self.file.read_text() == f"{text}\n"

    __hash__ = None

    def __repr__(self) -> str:
        return self.file.read_text() if self.file.exists() else "(nothing recorded yet)"
