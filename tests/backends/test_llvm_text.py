"""How much text programs become: the time of a first call grows with it."""

from __future__ import annotations

from jaxkeops.backends.llvm.builder import Module
from jaxkeops.ir.machine import Machine

WIDE = Machine("x86-64-v4", "x86_64-unknown-linux-gnu", "", 64, 32, fma=True, scalef=True)


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
