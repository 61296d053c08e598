"""The build step and the builder: text to addresses, damaged objects, threads, control flow."""

import ctypes
import threading

import numpy as np
import pytest

from jaxkeops.backends.llvm.build import (
    CorruptObjectError,
    assembly,
    compile_object,
    fingerprint,
    load,
    verify,
)
from jaxkeops.backends.llvm.builder import Module
from jaxkeops.backends.llvm.host import NEOVERSE_V1, host, levels
from jaxkeops.backends.llvm.transpose import from_lanes, piece_lanes, to_lanes
from jaxkeops.errors import CompileError

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64


def answer(number):
    """A module with one function, that returns a number."""
    module = Module(host())
    module.function("answer", result="i64").ret(f"i64 {number}")
    return module.text()


def run(module, name, result, *arguments):
    """Compiles a module and calls one function; arguments are (ctypes type, value)."""
    verify(module.text())
    code = load(compile_object(module.text(), module.machine), [name])
    function = ctypes.CFUNCTYPE(result, *[type for type, _ in arguments])(code.addresses[name])
    return function(*[value for _, value in arguments])


def test_an_object_outlives_its_text_and_loads_again():
    code = compile_object(answer(42), host())
    for _ in range(2):
        loaded = load(code, ["answer"])
        assert ctypes.CFUNCTYPE(INTEGER)(loaded.addresses["answer"])() == 42


def test_the_same_text_gives_the_same_object():
    assert compile_object(answer(7), host()) == compile_object(answer(7), host())


@pytest.mark.parametrize(
    "damage",
    [
        lambda code: b"",
        lambda code: b"not an object",
        lambda code: code[:-1],
        lambda code: code[: len(code) // 2],
        lambda code: code[:40] + bytes([code[40] ^ 1]) + code[41:],
        lambda code: code + b"\0",
    ],
    ids=["empty", "foreign", "cut by one", "cut in half", "one bit", "one byte more"],
)
def test_a_damaged_object_raises_and_does_not_crash(damage):
    with pytest.raises(CorruptObjectError, match="compile again"):
        load(damage(compile_object(answer(1), host())), ["answer"])


def test_a_missing_symbol_is_named():
    with pytest.raises(LookupError, match="question"):
        load(compile_object(answer(1), host()), ["answer", "question"])


def test_text_that_is_not_llvm_is_refused():
    with pytest.raises(CompileError, match="expected type"):
        compile_object("define foo", host())


def test_a_wrong_intrinsic_is_found_by_verify():
    module = Module(host())
    b = module.function("f", [("x", "float")], "float")
    b.ret(f"float {b.call('float', 'llvm.fma.f32', ('float', '%x'))}")
    with pytest.raises(CompileError, match="fma"):
        verify(module.text())


def test_fingerprints_tell_machines_apart():
    machines = [*levels().values(), NEOVERSE_V1]
    assert len({fingerprint(machine) for machine in machines}) == len(set(machines))


def test_another_architecture_can_be_read_as_assembly():
    module = Module(NEOVERSE_V1)
    b = module.function("scale", [("p", "ptr")]).at("float32", 4)
    b.store(b.mul(b.load("%p"), b.const(2.0)), "%p")
    b.ret()
    assert "v0.4s" in assembly(module.text(), NEOVERSE_V1)


def test_threads_compile_and_load_at_once():
    found = {}

    def build(number):
        loaded = load(compile_object(answer(number), host()), ["answer"])
        found[number] = ctypes.CFUNCTYPE(INTEGER)(loaded.addresses["answer"])()

    threads = [threading.Thread(target=build, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(16)}


@pytest.mark.parametrize("nonempty", [False, True])
@pytest.mark.parametrize("end", [1, 2, 10])
def test_a_loop_carries_its_values(end, nonempty):
    module = Module(host())
    b = module.function("total", [("end", "i64")], "i64")
    with b.loop("0", "%end", carry=[("i64", "100")], nonempty=nonempty) as loop:
        loop.next = [b.op("add", loop.values[0], loop.index, "i64")]
    b.ret(f"i64 {loop.values[0]}")
    assert run(module, "total", INTEGER, (INTEGER, end)) == 100 + sum(range(end))


def test_an_empty_loop_keeps_its_first_values():
    module = Module(host())
    b = module.function("total", [("end", "i64")], "i64")
    with b.loop("0", "%end", carry=[("i64", "100")]) as loop:
        loop.next = [b.op("add", loop.values[0], loop.index, "i64")]
    b.ret(f"i64 {loop.values[0]}")
    assert run(module, "total", INTEGER, (INTEGER, 0)) == 100


def test_loops_and_branches_nest():
    module = Module(host())
    b = module.function("odd_pairs", [("n", "i64")], "i64")
    with b.loop("0", "%n", carry=[("i64", "0")]) as rows:
        with b.loop("0", rows.index, carry=[("i64", rows.values[0])]) as columns:
            total = b.op("add", rows.index, columns.index, "i64")
            odd = b.compare_int("eq", b.op("and", total, "1", "i64"), "1", "i64")
            with b.when(odd, carry=[("i64", columns.values[0])], rare=True) as arm:
                arm.next = [b.op("add", columns.values[0], "1", "i64")]
            columns.next = arm.values
        rows.next = columns.values
    b.ret(f"i64 {rows.values[0]}")
    expected = sum((i + j) % 2 for i in range(9) for j in range(i))
    assert run(module, "odd_pairs", INTEGER, (INTEGER, 9)) == expected


def test_an_argument_may_not_look_like_a_made_name():
    with pytest.raises(ValueError, match="dot"):
        Module(host()).function("f", [("v.1", "i64")])


@pytest.mark.parametrize("width", [2, 4, 8, 16])
def test_masked_memory_touches_only_its_lanes(width, rng):
    module = Module(host())
    b = module.function("copy", [("source", "ptr"), ("target", "ptr"), ("n", "i64")])
    b = b.at("float32", width)
    lanes, limit = b.lane_numbers(), b.splat("%n", "i64")
    mask = b.compare_int("slt", lanes, limit, f"<{width} x i64>")
    spread = b.op("mul", lanes, f"splat (i64 {3})", f"<{width} x i64>")
    value = b.gather(b.addresses("%source", spread), mask)
    b.scatter(b.add(value, b.masked_load("%source", mask)), b.addresses("%target", spread), mask)
    b.ret()
    n = width - 1
    # The last lane would read and write past the end of these.
    source = rng.standard_normal(3 * n).astype(np.float32)
    target = np.zeros(3 * n, np.float32)
    pointers = [(POINTER, source.ctypes.data), (POINTER, target.ctypes.data)]
    run(module, "copy", None, *pointers, (INTEGER, n))
    np.testing.assert_array_equal(target[::3], source[::3] + source[:n])
    assert not target[1::3].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("level", sorted(levels()))
def test_pieces_of_rows_become_lanes_and_come_back(level, width, dtype, rng):
    module = Module(levels()[level])
    pointers = [("source", "ptr"), ("lanes", "ptr"), ("back", "ptr")]
    b = module.function("turn", pointers).at(dtype, width)
    count = piece_lanes(b)
    piece = b.at(width=count)
    pieces = [piece.load(b.address("%source", str(r * count))) for r in range(width)]
    vectors = to_lanes(b, pieces)
    for k, name in enumerate(vectors):
        b.store(name, b.address("%lanes", str(k * width)))
    for r, name in enumerate(from_lanes(b, vectors)):
        piece.store(name, b.address("%back", str(r * count)))
    b.ret()
    source = rng.standard_normal((width, count)).astype(dtype)
    lanes, back = np.zeros((count, width), dtype), np.zeros((width, count), dtype)
    run(module, "turn", None, *((POINTER, array.ctypes.data) for array in (source, lanes, back)))
    np.testing.assert_array_equal(lanes, source.T)
    np.testing.assert_array_equal(back, source)


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("level", sorted(levels()))
def test_widen_then_narrow_is_the_identity(level, width, rng):
    module = Module(levels()[level])
    b = module.function("copy", [("source", "ptr"), ("target", "ptr")]).at("float32", width)
    b.store(b.narrow(b.widen(b.load("%source"))), "%target")
    b.ret()
    source = rng.standard_normal(width).astype(np.float32)
    target = np.zeros(width, np.float32)
    run(module, "copy", None, (POINTER, source.ctypes.data), (POINTER, target.ctypes.data))
    np.testing.assert_array_equal(target, source)


@pytest.mark.parametrize("width", [1, 2, 8])
def test_fold_and_mask_bits_see_every_lane(width, rng):
    module = Module(host())
    b = module.function("summary", [("source", "ptr"), ("target", "ptr")], "i64")
    v = b.at("float64", width)
    values = v.load("%source")
    b.store(v.fold(values, lambda view, low, high: view.add(low, high)), "%target", "double")
    b.ret(f"i64 {v.mask_bits(v.compare('olt', values, v.const(0.0)))}")
    source = rng.standard_normal(width)
    total = np.zeros(1)
    pointers = [(POINTER, source.ctypes.data), (POINTER, total.ctypes.data)]
    bits = run(module, "summary", INTEGER, *pointers)
    assert [bits >> lane & 1 for lane in range(width)] == list(source < 0)
    np.testing.assert_allclose(total[0], source.sum(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("value", [0.1, -0.0, 1e-45, 3e39, float("inf"), float("nan")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constants_are_exact(dtype, value):
    module = Module(host())
    b = module.function("write", [("target", "ptr")]).at(dtype, 4)
    b.store(b.const(value), "%target")
    b.ret()
    target = np.zeros(4, dtype)
    run(module, "write", None, (POINTER, target.ctypes.data))
    with np.errstate(over="ignore"):
        expected = np.full(4, value).astype(dtype)
    np.testing.assert_array_equal(target, expected)
    assert np.signbit(target[0]) == np.signbit(expected[0])
