"""The pictures can be drawn of what there is, also of next to nothing."""

from __future__ import annotations

import json

import pytest

from benchmarks.processes import ROOT

pytest.importorskip("matplotlib")

from benchmarks.pictures import write_pictures

NAMES = {"ratios.svg", "rows.svg", "dims.svg", "first.svg"}


def test_the_results_are_drawn_as_four_pictures(tmp_path):
    report = json.loads((ROOT / "benchmarks" / "results" / "cpu.json").read_text())
    write_pictures(report, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == NAMES


def test_a_report_without_results_is_drawn_empty(tmp_path):
    parts = ("ratios", "rows", "dims", "first", "first_of_others")
    write_pictures(dict.fromkeys(parts, ()), tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == NAMES
