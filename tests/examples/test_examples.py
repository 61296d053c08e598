"""Each example runs on little data, and finds that what it shows is true."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "examples.md"
LITTLE = {
    "attention": {"side": 60, "words": 60},
    "kmeans": {"points": 4000},
    "kmeans_numpy": {"points": 4000},
    "kmeans_torch": {"points": 4000},
    "knn": {"points": 2000, "side": 40},
    "mixture": {"points": 4000},
    "registration": {"points": 100, "lines": 10},
    "ridge": {"points": 1000, "side": 30},
    "ridge_numpy": {"points": 1000, "side": 30},
    "ridge_torch": {"points": 1000, "side": 30},
    "sinkhorn": {"points": 300},
    "svgd": {"particles": 200, "steps": 1000},
}


def test_every_example_is_tested_here():
    files = (ROOT / "examples").glob("*.py")
    assert {file.stem for file in files if "run(main)" in file.read_text()} == set(LITTLE)


@pytest.mark.parametrize("name", LITTLE)
def test_an_example_passes_its_checks_and_draws(name, tmp_path):
    if name.endswith("torch"):
        pytest.importorskip("torch", minversion="2.11")
    main, save = import_module(name).main, import_module("gallery").save
    save(main(**LITTLE[name]), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 0


def test_an_example_is_a_command_that_writes_its_picture(tmp_path):
    folder = tmp_path / "new"
    command = [sys.executable, "examples/kmeans_numpy.py", "--points=4000", f"--output={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert str(folder / "kmeans_numpy.png") in done.stdout
    assert (folder / "kmeans_numpy.png").exists()


@pytest.mark.parametrize("name", LITTLE)
def test_an_example_is_short_documented_and_shown(name):
    source = (ROOT / "examples" / f"{name}.py").read_text()
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert all(ast.get_docstring(function) for function in functions)
    assert source.count("\n") <= 125
    page = PAGE.read_text()
    assert f"../examples/{name}.py" in page
    picture = name.removesuffix("_numpy").removesuffix("_torch")
    assert f"pictures/{picture}.png" in page
