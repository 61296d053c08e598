"""The written word is true: its code runs and prints what it shows, its names and links exist."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = ("jaxkeops", "csrc", "tools", "benchmarks")

# Code, and the text block that may follow it at once: what it prints.
EXAMPLE = re.compile(
    r"^```python\n(.*?)^```\n(?:\n?```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)
FENCED = re.compile(r"^```.*?^```\n", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:jaxkeops|csrc|tests|tools|benchmarks|docs|examples)/[^`\s]*)`")
VARIABLE = re.compile(r"\bJAXKEOPS_[A-Z_]+\b")
SEPARATOR = "~~~ next example ~~~"


@dataclass(frozen=True)
class Example:
    code: str
    output: str | None


def examples(page: Path) -> list[Example]:
    return [Example(*found) for found in EXAMPLE.findall(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=name_of)
def test_examples_run_one_after_the_other_and_print_what_the_page_shows(page, tmp_path):
    given = examples(page)
    script = tmp_path / "page.py"
    script.write_text(f"\nprint({SEPARATOR!r})\n".join(example.code for example in given))
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"JAXKEOPS_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    printed = ran.stdout.split(f"{SEPARATOR}\n")
    for example, output in zip(given, printed, strict=True):
        assert output == (example.output or ""), example.code


def test_the_tables_of_formulas_are_up_to_date():
    page = ROOT / "docs" / "formulas.md"
    generator = runpy.run_path(str(ROOT / "tools" / "document_formulas.py"))
    text = page.read_text(encoding="utf-8")
    assert generator["with_tables"](text) == text, "run: python tools/document_formulas.py"


def test_a_page_without_markers_is_refused():
    generator = runpy.run_path(str(ROOT / "tools" / "document_formulas.py"))
    with pytest.raises(ValueError, match="must hold <!-- reductions -->"):
        generator["with_tables"]("no markers here")


@every_page
def test_every_environment_variable_that_is_named_exists(page):
    assert variables_in(page) <= set().union(*map(variables_in, code_files()))


def test_every_environment_variable_of_the_library_is_in_the_readme():
    library = [file for file in code_files() if file.is_relative_to(ROOT / "jaxkeops")]
    assert set().union(*map(variables_in, library)) <= variables_in(ROOT / "README.md")


def variables_in(file: Path) -> set[str]:
    return set(VARIABLE.findall(file.read_text(encoding="utf-8")))


def code_files() -> list[Path]:
    """The sources, and the scripts of tools/, which have no suffix."""
    found = [file for folder in CODE for file in (ROOT / folder).rglob("*") if file.is_file()]
    scripts = [file for file in (ROOT / "tools").iterdir() if file.is_file() and not file.suffix]
    return [file for file in found if file.suffix in {".py", ".cpp", ".h"}] + scripts


@every_page
def test_every_link_leads_somewhere(page):
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    broken = [target for target in LINK.findall(prose) if not leads_somewhere(page, target)]
    assert not broken


@every_page
def test_every_file_that_is_named_exists(page):
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    missing = [path for path in PATH.findall(prose) if not list(ROOT.glob(path.rstrip("/")))]
    assert not missing


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a file of the repository, and the heading if one is named, is there."""
    if re.match(r"[a-z]+:", target):
        return True
    path, _, heading = target.partition("#")
    file = page.parent / path if path else page
    return file.exists() and (not heading or heading in headings(file))


def headings(page: Path) -> set[str]:
    """The headings of a page as links spell them: small letters, hyphens for spaces."""
    lines = FENCED.sub("", page.read_text(encoding="utf-8")).splitlines()
    titles = [line.lstrip("#").strip() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
