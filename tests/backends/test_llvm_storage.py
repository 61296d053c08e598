"""Numbers of 16 bits in and out of float32, on every level: all of them, and all roundings."""

from __future__ import annotations

import ctypes

import ml_dtypes
import numpy as np
import pytest

from jaxkeops.backends.llvm.build import assembly, compile_object, load, verify
from jaxkeops.backends.llvm.builder import Module
from jaxkeops.backends.llvm.host import APPLE_M1, NEOVERSE_V1, levels
from jaxkeops.backends.llvm.storage import after_load, before_store

HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
EVERY_NUMBER = np.arange(2**16, dtype=np.uint16)

every_dtype = pytest.mark.parametrize("dtype", HALVES)
every_level = pytest.mark.parametrize("level", levels())
every_width = pytest.mark.parametrize("width", [1, 2, 4, 8, 16])


def text(machine, dtype, width):
    """Two loops over arrays of 16 and 32 bits: `load` and `store`."""
    module = Module(machine)
    arguments = [("half", "ptr noalias"), ("single", "ptr noalias"), ("n", "i64")]
    stored = "i16" if width == 1 else f"<{width} x i16>"
    for name in ("load", "store"):
        b = module.function(name, arguments).at("float32", width)
        with b.loop("0", "%n", str(width)) as loop:
            half = b.address("%half", loop.index, "i16")
            single = b.address("%single", loop.index)
            if name == "load":
                b.store(after_load(b, b.load(half, stored, 2), dtype), single)
            else:
                b.store(before_store(b, b.load(single), dtype), half, stored, 2)
        b.ret()
    return module.text()


def convert(name, level, dtype, width, half, single):
    machine = levels()[level]
    source = text(machine, dtype, width)
    verify(source)
    code = load(compile_object(source, machine), ["load", "store"])
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    assert half.size % 16 == 0
    function(code.addresses[name])(half.ctypes.data, single.ctypes.data, half.size)


@every_level
@every_width
@every_dtype
def test_every_number_comes_in_exactly(dtype, width, level):
    single = np.empty(2**16, np.float32)
    convert("load", level, dtype, width, EVERY_NUMBER, single)
    expected = EVERY_NUMBER.view(HALVES[dtype]).astype(np.float32)
    assert np.array_equal(np.isnan(single), np.isnan(expected))
    known = ~np.isnan(expected)
    assert np.array_equal(single.view(np.uint32)[known], expected.view(np.uint32)[known])


def roundings(dtype, rng):
    """float32 at every number, at every middle of two, beside those, and anywhere."""
    numbers = EVERY_NUMBER.view(HALVES[dtype]).astype(np.float32)
    numbers = np.sort(numbers[np.isfinite(numbers)])
    middles = ((numbers[1:].astype(float) + numbers[:-1]) / 2).astype(np.float32)
    greatest = numbers[-1] + (numbers[-1] - numbers[-2]) / 2  # from here on: infinite
    edges = np.array([greatest, -greatest, np.inf, -np.inf, np.nan, -np.nan], np.float32)
    exact = np.concatenate([numbers, middles, edges])
    beside = [np.nextafter(exact, np.float32(end)) for end in (-np.inf, np.inf)]
    anywhere = rng.integers(0, 2**32, 2**17, np.uint32).view(np.float32)
    every = np.concatenate([exact, *beside, anywhere])
    return np.resize(every, -(-every.size // 16) * 16)


@every_level
@every_width
@every_dtype
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_every_rounding_is_to_the_nearest_and_ties_to_even(dtype, width, level, rng):
    single = roundings(dtype, rng)
    half = np.empty(single.size, np.uint16)
    convert("store", level, dtype, width, half, single)
    expected = single.astype(HALVES[dtype])
    found = half.view(HALVES[dtype])
    assert np.array_equal(np.isnan(found), np.isnan(single))
    known = ~np.isnan(single)
    assert np.array_equal(half[known], expected.view(np.uint16)[known])
    assert np.array_equal(np.signbit(found[known]), np.signbit(single[known]))


@pytest.mark.compiles
@every_width
@every_dtype
@pytest.mark.parametrize(
    "machine", [*levels().values(), NEOVERSE_V1, APPLE_M1], ids=lambda m: m.name
)
def test_no_machine_calls_a_library(machine, width, dtype):
    source = text(machine, dtype, width)
    found = assembly(source, machine)
    for name in ("extendhfsf", "truncsfhf", "gnu_h2f", "gnu_f2h", "truncsfbf"):
        assert name not in found
