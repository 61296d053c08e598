"""Kernels by key: the first stays, and each is compiled once however many threads ask."""

import gc
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jaxkeops.runtime import native


def test_an_unknown_key_is_not_found():
    assert native.find("unknown") is None


def test_the_first_published_stays(new_kernel):
    first, second = new_kernel("float32"), new_kernel("float64")
    assert native.publish("stays", first).dtype == "float32"
    assert native.publish("stays", second).dtype == "float32"
    assert native.find("stays").dtype == "float32"


class Code:
    """Stands for machine code: can be watched as it dies."""


def kernel_of(code):
    return native.Kernel(
        inputs=[], outputs=[(1, "float32", 0.0)], dtype="float32", rows=1, code=code
    )


def test_code_lives_as_long_as_its_kernel():
    code = Code()
    watch = weakref.ref(code)
    kernel = kernel_of(code)
    del code
    gc.collect()
    assert watch() is not None
    del kernel
    gc.collect()
    assert watch() is None


def test_published_code_lives_for_ever():
    code = Code()
    watch = weakref.ref(code)
    native.publish("lives", kernel_of(code))
    del code
    gc.collect()
    assert watch() is not None


def test_the_hook_makes_a_missing_kernel_once(hook, new_kernel, arrays, agree):
    asked = []

    def compile_it(key, text):
        asked.append((key, text))
        return new_kernel()

    hook(compile_it)
    for _ in range(3):
        kernel = native.find_or_compile("made", "formula")
        args = arrays(10, 10)
        agree(kernel.call_buffers(args, np.empty, (np.float32, np.int64)), args)
    assert asked == [("made", "formula")]


def test_threads_share_one_compilation(hook, new_kernel):
    asked = []

    def compile_it(key, text):
        asked.append(key)
        time.sleep(0.05)  # lets go of Python's lock, so that all others come to wait
        return new_kernel()

    hook(compile_it)
    with ThreadPoolExecutor(16) as pool:
        keys = [f"shared {k % 4}" for k in range(64)]
        found = list(pool.map(lambda key: native.find_or_compile(key, "text"), keys))
    assert sorted(asked) == sorted(set(keys))
    assert all(isinstance(kernel, native.Kernel) for kernel in found)


def test_the_hooks_own_exception_reaches_all_who_wait(hook, new_kernel):
    class NoSuchFormula(Exception):
        pass

    def fail(key, text):
        time.sleep(0.05)
        raise NoSuchFormula(text)

    def ask(_):
        with pytest.raises(NoSuchFormula, match="the text"):
            native.find_or_compile("fails", "the text")

    hook(fail)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    hook(lambda key, text: new_kernel())
    assert native.find_or_compile("fails", "the text").dtype == "float32"


def test_the_hooks_own_exception_reaches_a_call_with_few_rows(hook, kernel, arrays, agree):
    few = native.Kernel(
        inputs=list(kernel.inputs),
        outputs=list(kernel.outputs),
        dtype="float32",
        rows=1,  # never called
        few_rows=8,
        few_key="few",
        few_text="the text",
    )
    args, dtypes = arrays(8, 5), (np.float32, np.int64)

    def interrupt(key, text):
        raise KeyboardInterrupt(text)

    hook(interrupt)
    with pytest.raises(KeyboardInterrupt, match="the text"):
        few.call_buffers(args, np.empty, dtypes)
    with pytest.raises(KeyboardInterrupt, match="the text"):
        few.prepare(1)
    few.prepare(9)
    hook(lambda key, text: kernel)
    agree(few.call_buffers(args, np.empty, dtypes), args)


def test_without_a_hook_a_missing_kernel_is_an_error(hook):
    hook(None)
    with pytest.raises(RuntimeError, match="'missing' is not loaded, and this process has no"):
        native.find_or_compile("missing", "text")


def test_a_hook_must_return_a_kernel(hook):
    hook(lambda key, text: "kernel")
    with pytest.raises(RuntimeError, match="must return a Kernel"):
        native.find_or_compile("text instead", "text")


def test_a_hook_that_asks_for_its_own_key_is_told(hook):
    hook(native.find_or_compile)
    with pytest.raises(RuntimeError, match="asked for the same kernel"):
        native.find_or_compile("itself", "text")


def test_a_hook_may_ask_for_another_key(hook, new_kernel):
    def compile_it(key, text):
        return new_kernel() if text == "inner" else native.find_or_compile(key + "'", "inner")

    hook(compile_it)
    assert native.find_or_compile("outer", "outer").dtype == "float32"


def test_registrations_hold_what_jax_asks_for():
    assert set(native.registrations()["cpu"]) == {"instantiate", "execute"}
    assert set(native.types()["cpu"]) == {"type_id", "type_info"}
    assert native.ffi_api_version() >= (0, 3)
