"""How much text programs become: the time of a first call grows with it."""

from __future__ import annotations

import pytest

from jaxkeops.backends import llvm
from jaxkeops.backends.llvm.builder import Module
from jaxkeops.formula import make_formula, read_formulas
from jaxkeops.ir import Input
from jaxkeops.ir.machine import Machine
from jaxkeops.schedule import lower

WIDE = Machine("x86-64-v4", "x86_64-unknown-linux-gnu", "", 64, 32, fma=True, scalef=True)
NARROW = Machine("x86-64-v3", "x86_64-unknown-linux-gnu", "", 32, 16, fma=True)


def lines(machine, formula, dim, reduction="Sum", count=None):
    """The instructions of a formula of g = Pm(1), x = Vi(dim), y = Vj(dim) and b = Vj(1)."""
    aliases = ["g = Pm(1)", f"x = Vi({dim})", f"y = Vj({dim})", "b = Vj(1)"]
    nodes, variables = read_formulas([formula], aliases)
    inputs = [Input(var.axis, var.dim) for var in variables]
    made = make_formula(reduction, nodes[0], inputs, None, count)
    return llvm.emit(lower(made, "float32", "int64", machine), machine).count("\n")


@pytest.mark.parametrize("machine", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("formula", ["Exp(-g * SqDist(x, y)) * b", "Sum(Abs(x - y)) * b"])
def test_text_does_not_grow_with_long_vectors(machine, formula):
    assert lines(machine, formula, 784) <= lines(machine, formula, 256) + 10


@pytest.mark.parametrize(
    ("dim", "reduction", "count", "most"),
    [(3, "Sum", None, 340), (16, "Sum", None, 440), (256, "Sum", None, 780)],
)
def test_text_is_no_longer_than_it_must_be(dim, reduction, count, most):
    assert lines(WIDE, "Exp(-g * SqDist(x, y)) * b", dim, reduction, count) <= most


def test_an_instruction_without_effects_is_written_once_in_a_block():
    b = Module(WIDE).function("f", [("p", "ptr"), ("n", "i64")])
    assert b.address("%p", "%n") == b.address("%p", "%n")
    assert b.op("mul", "%n", "3", "i64") == b.op("mul", "%n", "3", "i64")
    before = b.address("%p", "%n")
    with b.loop("0", "%n"):
        assert b.address("%p", "%n") != before


def test_what_adds_nothing_is_not_written():
    b = Module(WIDE).function("f", [("p", "ptr"), ("n", "i64")])
    assert b.address("%p", "0") == "%p"
    assert b.op("mul", "%n", "1", "i64") == b.op("add", "%n", "0", "i64") == "%n"
    assert b.op("add", "%n", "1", "i64") != "%n"
