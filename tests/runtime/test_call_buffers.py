"""The NumPy path: what fits runs, what does not gives None, and nothing is read past an array."""

import array

import numpy as np
import pytest

from jaxkeops.runtime import native

DTYPES = (np.dtype("float32"), np.dtype("int64"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("M", [0, 1, 3, 4, 5, 301])
@pytest.mark.parametrize("N", [0, 1, 63, 64, 65, 700])
def test_sums_agree_with_dense_sums(kernels, arrays, agree, dtype, staged, M, N):
    args = arrays(M, N, dtype)
    agree(kernels[dtype, staged].call_buffers(args, np.empty, (np.dtype(dtype), DTYPES[1])), args)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize(
    ("bx", "by", "bp"),
    [
        ((3,), (3,), (3,)),
        ((1,), (3,), (1,)),
        ((2, 1), (1, 3), (1, 1)),
        ((2, 3), (1, 1), (1, 1)),
        ((1, 1, 4), (2, 1, 1), (1, 3, 1)),
        ((0,), (1,), (1,)),
        ((2, 0), (1, 1), (2, 1)),
    ],
)
def test_batches_of_extent_one_broadcast(kernels, arrays, agree, staged, bx, by, bp):
    args = arrays(7, 90, "float32", bx, by, bp)
    results = kernels["float32", staged].call_buffers(args, np.empty, DTYPES)
    assert results[0].shape == (*np.broadcast_shapes(bx, by, bp), 7, 1)
    agree(results, args)


def test_outputs_have_the_asked_dtypes(kernel, arrays):
    results = kernel.call_buffers(arrays(5, 6), np.empty, DTYPES)
    assert [result.dtype for result in results] == [np.float32, np.int64]


def test_given_outputs_are_filled_and_returned(kernel, arrays, agree):
    args = arrays(50, 60)
    out = (np.full((50, 1), np.nan, np.float32), np.zeros((50, 1), np.int64))
    assert kernel.call_buffers(args, np.empty, DTYPES, out) is out
    agree(out, args)


def test_any_buffer_is_an_array(kernel, arrays, agree):
    args = arrays(5, 6)
    as_views = tuple(memoryview(arg) for arg in args)
    agree(kernel.call_buffers(as_views, np.empty, DTYPES), args)
    numbers = array.array("f", [2.0])
    agree(kernel.call_buffers((*args[:2], numbers), np.empty, DTYPES), (*args[:2], np.array([2.0])))


def test_read_only_inputs_are_taken(kernel, arrays, agree):
    args = arrays(5, 6)
    for arg in args:
        arg.flags.writeable = False
    agree(kernel.call_buffers(args, np.empty, DTYPES), args)


def unaligned(values):
    raw = np.empty(values.nbytes + 1, np.uint8)
    shifted = raw[1:].view(values.dtype).reshape(values.shape)
    shifted[...] = values
    return shifted


@pytest.mark.parametrize(
    "spoil",
    {
        "fewer arrays": lambda x, y, p: (x, y),
        "another dtype": lambda x, y, p: (x, y.astype(np.float64), p),
        "integers": lambda x, y, p: (x, y.astype(np.int32), p),
        "another byte order": lambda x, y, p: (x, y.astype(">f4"), p),
        "gaps": lambda x, y, p: (x[::2], y, p),
        "an unaligned array": lambda x, y, p: (unaligned(x), y, p),
        "another width": lambda x, y, p: (np.ones((5, 2), np.float32), y, p),
        "too few axes": lambda x, y, p: (x, y, np.float32(1)),
        "one batch axis more": lambda x, y, p: (x[None], y, p),
        "batch extents that differ": lambda x, y, p: (
            np.stack([x] * 2),
            np.stack([y] * 3),
            p[None],
        ),
        "a list": lambda x, y, p: (x, y, [1.0]),
        "None": lambda x, y, p: (x, y, None),
    }.items(),
    ids=lambda item: item[0],
)
def test_inputs_that_do_not_fit_give_none(kernel, arrays, spoil):
    def never(shape, dtype):
        raise AssertionError("nothing may be made")

    assert kernel.call_buffers(spoil[1](*arrays(5, 6)), never, DTYPES) is None


@pytest.mark.parametrize(
    "spoil",
    {
        "one output": lambda x, s, n: (s,),
        "another dtype": lambda x, s, n: (s, n.astype(np.int32)),
        "another shape": lambda x, s, n: (s[:4], n),
        "gaps": lambda x, s, n: (np.zeros((5, 2), np.float32)[:, :1], n),
        "an input": lambda x, s, n: (x, n),
        "one array twice": lambda x, s, n: (n.view(np.float32)[:, :1].copy(), n.view(np.float32)),
        "a list": lambda x, s, n: [s, n],
    }.items(),
    ids=lambda item: item[0],
)
def test_outputs_that_do_not_fit_give_none(kernel, arrays, spoil):
    args = arrays(5, 6)
    out = spoil[1](args[0], np.zeros((5, 1), np.float32), np.zeros((5, 1), np.int64))
    assert kernel.call_buffers(args, np.empty, DTYPES, out) is None


def test_a_read_only_output_gives_none(kernel, arrays):
    out = (np.zeros((5, 1), np.float32), np.zeros((5, 1), np.int64))
    out[1].flags.writeable = False
    assert kernel.call_buffers(arrays(5, 6), np.empty, DTYPES, out) is None


def test_what_empty_raises_passes_through(kernel, arrays):
    def full(shape, dtype):
        raise MemoryError("full")

    with pytest.raises(MemoryError, match="full"):
        kernel.call_buffers(arrays(5, 6), full, DTYPES)


def test_wrong_results_of_empty_are_errors(kernel, arrays):
    with pytest.raises(TypeError, match="output 1: expected an array of int64"):
        kernel.call_buffers(arrays(5, 6), np.empty, (DTYPES[0], np.dtype("float64")))
    with pytest.raises(ValueError, match=r"output 0: expected shape \(5, 1\), got \(1, 5, 1\)"):
        kernel.call_buffers(arrays(5, 6), lambda s, d: np.empty((1, *s), d), DTYPES)
    with pytest.raises(ValueError, match="dtypes: expected one per output, 2, got 1"):
        kernel.call_buffers(arrays(5, 6), np.empty, DTYPES[:1])


def test_an_array_can_be_resized_again_after_the_call(kernel, arrays):
    args = arrays(5, 6)
    kernel.call_buffers(args, np.empty, DTYPES)
    args[0].resize((6, 1), refcheck=False)  # raises while a buffer is held


def test_a_scratch_beyond_memory_is_a_memory_error(kernels, arrays):
    plain = kernels["float32", True]
    kernel = native.Kernel(
        inputs=list(plain.inputs),
        outputs=list(plain.outputs),
        dtype="float32",
        rows=1,  # never called: the scratch comes first
        columns=1,
        column_width=2**60,
    )
    with pytest.raises(MemoryError, match="scratch"):
        kernel.call_buffers(arrays(5, 6), np.empty, DTYPES)


def test_more_columns_than_a_kernel_numbers_are_refused(kernel, arrays):
    few = native.Kernel(
        inputs=list(kernel.inputs),
        outputs=list(kernel.outputs),
        dtype="float32",
        rows=1,  # never called
        most_columns=40,
    )
    text = "axis 'j' have 41 rows, expected at most 40: lists of this reduction hold 32-bit"
    args = arrays(30, 41)
    outs = np.empty((30, 1), "f4"), np.empty((30, 1), "i8")
    with pytest.raises(ValueError, match=text):
        few.call_buffers(args, np.empty, DTYPES)
    with pytest.raises(ValueError, match=text):
        few.run(*([(a.ctypes.data, a.shape) for a in group] for group in (args, outs)))
    assert few.call_buffers(args[:2], np.empty, DTYPES) is None
    assert few.call_buffers(arrays(0, 40), np.empty, DTYPES)[0].shape == (0, 1)


def test_a_kernel_shows_its_description(kernel):
    assert kernel.inputs == (("i", 1), ("j", 1), ("p", 1))
    assert kernel.outputs == ((1, "float32", -1.5, "i"), (1, "int64", -1.0, "i"))
    assert kernel.dtype == "float32"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"inputs": [("k", 1)]}, "expected 'i', 'j' or 'p', got 'k'"),
        ({"inputs": [("i", -1)]}, "negative width"),
        ({"dtype": "float8"}, "got 'float8'"),
        ({"dtype": "int32"}, "must be a float one, not int32"),
        ({"outputs": []}, "no output"),
        ({"outputs": [(1, "int32", 0.5)]}, "is not an int32"),
        ({"rows": 0}, "rows function is null"),
        ({"row_block": 0}, "row_block"),
        ({"most_columns": 0}, "most_columns"),
        ({"parts": True}, "a multiple of 64 bytes, not of 0"),
        ({"parts": True, "workspace": 72}, "a multiple of 64 bytes, not of 72"),
        ({"part_cost": -1.0}, "part_cost"),
        ({"columns": 1}, "column_width"),
        ({"columns": 1, "column_width": 1, "column_inputs": [0]}, "axis 'i'"),
    ],
)
def test_a_senseless_description_is_refused(change, text):
    sound = {"inputs": [("i", 1)], "outputs": [(1, "float32", 0.0)], "dtype": "float32", "rows": 1}
    with pytest.raises(ValueError, match=text):
        native.Kernel(**(sound | change))
