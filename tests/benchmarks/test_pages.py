"""The pages say what the results file says, and what is missing in a report leaves a gap."""

from __future__ import annotations

import json

import pytest

from benchmarks import pages, tables
from benchmarks.processes import ROOT

RESULTS = json.loads((ROOT / "benchmarks" / "results" / "cpu.json").read_text())


def result(**engines: dict) -> dict:
    return {
        "workload": "gaussian",
        "title": "Gaussian, D=3",
        "group": "main",
        "rows": [100, 200],
        "pairs": 20_000,
        "operations": 12,
        "dtype": "float32",
        "threads": 1,
        "engines": engines,
    }


@pytest.mark.parametrize("name", pages.PAGES)
def test_pages_are_up_to_date(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert pages.page(name, text, RESULTS) == text, "run: python -m benchmarks --pages"


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="must hold <!-- peak -->"):
        pages.with_tables("no markers here", {"peak": "high"})


def test_a_ratio_stands_before_the_error():
    found = result(jaxkeops={"wall": 1e-3, "error": 0.0}, jnp={"wall": 2.5e-3, "error": 1.2e-7})
    assert tables.cell(found, "jnp") == "2.5x (1e-7)"


def test_what_failed_and_what_does_not_apply_differ():
    found = result(jaxkeops={"wall": 1e-3, "error": 0.0}, jnp={"failed": "out of memory"})
    assert tables.cell(found, "jnp") == "failed"
    assert tables.cell(found, "FAISS") == ""


def test_a_failure_of_jaxkeops_is_shown():
    found = result(jaxkeops={"failed": "crashed"}, jnp={"wall": 1e-3, "error": 0.0})
    assert tables.own(found)[0] == tables.cell(found, "jnp") == "failed"


def test_a_kd_tree_is_no_brute_force_code():
    engines = {"jaxkeops": {"wall": 1.0}, "kd-tree": {"wall": 0.1}, "torch": {"wall": 3.0}}
    assert tables.others(result(**engines)) == {"torch": 3.0}


def test_close_competitors_are_named():
    found = result(jaxkeops={"wall": 1e-3, "error": 0.0}, jnp={"wall": 1.5e-3, "error": 0.0})
    assert "jnp 1.5x" in tables.close({"ratios": [found]})


def test_every_error_above_that_of_pykeops_is_shown():
    found = result(jaxkeops={"error": 2e-7}, PyKeOps={"error": 1e-7})
    assert "2.0e-07 | 1.0e-07" in tables.less_accurate({"ratios": [found]})


def test_the_share_of_the_peak_is_operations_over_the_rate_of_fmas():
    found = result(jaxkeops={"wall": 1e-6, "error": 0.0})
    assert tables.peak_share({"peak": {"float32": 480e9}}, found) == "50 %"
