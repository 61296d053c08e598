"""Puts tables between the markers of README.md and docs/benchmarks.md; the rest is by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .tables import PAGE_TABLES, README_TABLES

Tables = Mapping[str, Callable[[Mapping[str, Any]], str]]

PAGES: Mapping[str, Tables] = {
    "README.md": README_TABLES,
    "docs/benchmarks.md": PAGE_TABLES,
}


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """`text` with each table between `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises ValueError if a marker is not there.
    """
    for name, table in tables.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if start not in text or end not in text:
            raise ValueError(f"the page must hold {start} and {end}")
        before, rest = text.split(start, 1)
        after = rest.split(end, 1)[1]
        text = f"{before}{start}\n\n{table}\n\n{end}{after}"
    return text


def page(name: str, text: str, report: Mapping[str, Any]) -> str:
    """The page `name`, one of PAGES, with the tables of `report`."""
    return with_tables(text, {marker: make(report) for marker, make in PAGES[name].items()})


def write_pages(report: Mapping[str, Any], root: Path) -> None:
    """Both pages of the repository at `root`."""
    for name in PAGES:
        file = root / name
        file.write_text(page(name, file.read_text(encoding="utf-8"), report), encoding="utf-8")
