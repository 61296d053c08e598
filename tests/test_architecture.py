"""The house has floors: a file imports only from its own room or from floors below."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jaxkeops"

# From the ground up. Rooms of one floor do not know each other.
FLOORS = [
    {"errors", "dtypes"},
    {"ir", "runtime"},
    {"formula", "backends"},
    {"schedule"},
    {"compiler"},
    {"frontend"},
    {"jax", "numpy", "torch"},
    {"config"},
    {"health"},
    {"drop_in"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What torch.compile needs and eager users must not pay for: importing Dynamo takes seconds.
SANCTIONED_LATE_IMPORTS = {"torch/function.py": "dynamo"}


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(file: Path, tree: ast.AST) -> set[str]:
    """The modules of jaxkeops that `file` imports, relative to jaxkeops."""
    package = ["jaxkeops", *file.relative_to(PACKAGE).with_suffix("").parts][:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {n.removeprefix("jaxkeops.") for n in names if n.startswith("jaxkeops.")}
    return found


def room_of(module: str) -> str:
    return module.split(".")[0]


def test_every_import_goes_down():
    faults = []
    for file in python_files():
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        here = room_of(module)
        for name in imported(file, ast.parse(file.read_text())):
            there = room_of(name)
            if here in FLOOR and there in FLOOR and here != there and FLOOR[there] >= FLOOR[here]:
                faults.append(f"{module} imports {name}")
    assert not faults, "\n".join(faults)


def test_every_room_has_a_floor():
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert rooms - {"__init__"} == set(FLOOR)


def test_imports_stand_at_the_top_of_files():
    faults = []
    for file in python_files():
        path = file.relative_to(PACKAGE).as_posix()
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [alias.name for alias in node.names]
                    allowed = SANCTIONED_LATE_IMPORTS.get(path)
                    if allowed is None or allowed not in f"{getattr(node, 'module', '')} {names}":
                        faults.append(f"{path}:{node.lineno} imports {names}")
    assert not faults, "\n".join(faults)


def test_only_the_formula_room_knows_ops_by_name():
    """A new op touches one file: no other room may list ops."""
    names = {"SqDist", "Scalprod", "Rsqrt", "XLogX", "SumT", "Extract"}
    faults = []
    for file in python_files():
        room = room_of(".".join(file.relative_to(PACKAGE).with_suffix("").parts))
        if room == "formula":
            continue
        text = re.sub(r'""".*?"""', "", file.read_text(), flags=re.DOTALL)
        faults += [f"{file.relative_to(PACKAGE)}: {name}" for name in names if name in text]
    assert not faults, "\n".join(faults)


def test_no_file_is_too_long():
    limits = {".py": 500, ".cpp": 400, ".h": 400}
    long = {
        file.relative_to(ROOT).as_posix(): lines
        for folder in ("jaxkeops", "csrc", "tests", "benchmarks", "tools", "examples")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in limits and (lines := file.read_text().count("\n")) > limits[file.suffix]
    }
    assert not long


def test_every_file_says_what_it_is_for():
    silent = [
        file.relative_to(ROOT).as_posix()
        for file in python_files()
        if ast.get_docstring(ast.parse(file.read_text())) is None
    ]
    silent += [
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "csrc").rglob("*")
        if file.suffix in {".h", ".cpp"} and not file.read_text().startswith("// csrc/")
    ]
    assert not silent
