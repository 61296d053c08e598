"""Outputs summed over the kept rows: right on every path, and the same bits for all threads."""

import numpy as np
import pytest

from jaxkeops.runtime import native

DTYPES = (np.dtype("float32"), np.dtype("int64"), np.dtype("float64"))
BATCHES = [
    ((), (), ()),
    ((3,), (3,), (3,)),
    ((1,), (3,), (1,)),
    ((2, 1), (1, 3), (1, 1)),
    ((0,), (1,), (1,)),
]


class Tensor:
    """What the runtime uses of a tensor."""

    def __init__(self, values):
        self.values = values
        self.shape = values.shape
        self.dtype = values.dtype

    def data_ptr(self):
        return self.values.ctypes.data


@pytest.fixture(scope="module")
def totals(new_totals):
    """By (dtype, has_rows)."""
    return {
        (dtype, has_rows): new_totals(dtype, has_rows)
        for dtype in ("float32", "float64")
        for has_rows in (False, True)
    }


@pytest.fixture
def threads():
    """Calls a function with 1, 2 and 5 threads; gives the list of results."""
    before = native.num_threads()

    def run(function):
        results = []
        for count in (1, 2, 5):
            native.set_num_threads(count)
            results.append(function())
        return results

    yield run
    native.set_num_threads(before)


def sums(x, y, p, visits=None):
    """(*B, 2): the sums of all x_i p y_j and of all pairs, in float64; `visits` is (M, N)."""
    x, y, p = (array.astype(np.float64) for array in (x, y, p))
    terms = x * np.swapaxes(y, -1, -2) * p[..., None]
    visits = np.ones(terms.shape[-2:]) if visits is None else visits
    pairs = np.full(terms.shape[:-2], visits.sum())
    return np.stack([(terms * visits).sum((-2, -1)), pairs], -1)


def check(got, args, visits=None):
    """Asserts the totals. Terms are positive: a row's sum of n of them errs by n eps relatively,
    and the sum of the rows in double by far less."""
    longest = args[1].shape[-2] if visits is None else visits.sum(1).max(initial=0)
    eps = np.finfo(args[0].dtype).eps
    np.testing.assert_allclose(got, sums(*args, visits), rtol=max(4, longest) * eps + 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("M", [0, 1, 5, 301, 4000])
@pytest.mark.parametrize("N", [0, 1, 200])
def test_totals_agree_with_dense_sums(totals, arrays, agree, dtype, M, N):
    args = arrays(M, N, dtype)
    dtypes = (np.dtype(dtype), *DTYPES[1:])
    *rows, total = totals[dtype, True].call_buffers(args, np.empty, dtypes)
    assert total.shape == (2,)
    check(total, args)
    agree(rows, args)
    (alone,) = totals[dtype, False].call_buffers(args, np.empty, dtypes[2:])
    np.testing.assert_array_equal(alone, total)


@pytest.mark.parametrize(("bx", "by", "bp"), BATCHES)
def test_batches_have_totals_of_their_own(totals, arrays, agree, bx, by, bp):
    args = arrays(300, 90, "float32", bx, by, bp)
    *rows, total = totals["float32", True].call_buffers(args, np.empty, DTYPES)
    assert total.shape == (*np.broadcast_shapes(bx, by, bp), 2)
    check(total, args)
    agree(rows, args)


def ranges_of(pattern):
    """The arrays of a list of ((start, end), list of column blocks)."""
    ends = np.cumsum([len(blocks) for _, blocks in pattern])
    columns = [block for _, blocks in pattern for block in blocks]
    rows = np.array([block for block, _ in pattern], int).reshape(-1, 2)
    return rows, ends.astype(int), np.array(columns, int).reshape(-1, 2)


def visits_of(pattern, M, N):
    """How often each row visits each column."""
    visits = np.zeros((M, N))
    for (start, end), blocks in pattern:
        for a, b in blocks:
            visits[start:end, a:b] += 1
    return visits


MANY = [((a, a + 7), [(a % 40, 50), (0, a % 3)]) for a in range(2990, -1, -10)]
PATTERNS = {
    "all rows over all columns": [((0, 3001), [(0, 50)])],
    "many blocks": MANY,
    "one block among none": [((1000, 2500), [(0, 50), (3, 9), (3, 9)])],
    "no list": [((0, 3001), [])],
    "no block": [],
}


@pytest.mark.parametrize("ranged", [False, True])
@pytest.mark.parametrize("has_rows", [False, True])
@pytest.mark.parametrize(("bx", "by", "bp"), [*BATCHES[:4], ((900,), (1,), (900,))])
def test_bits_do_not_depend_on_threads(totals, arrays, threads, ranged, has_rows, bx, by, bp):
    M = 20 if bx == (900,) else 3001
    args = arrays(M, 50, "float32", bx, by, bp)
    kernel, dtypes = totals["float32", has_rows], DTYPES if has_rows else DTYPES[2:]
    ranges = ranges_of([part for part in MANY if part[0][1] <= M]) if ranged else None
    results = threads(lambda: kernel.call_buffers(args, np.empty, dtypes, ranges=ranges)[-1])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@pytest.mark.parametrize(("bx", "by", "bp"), BATCHES[:3])
def test_rows_out_of_ranges_add_nothing(totals, arrays, pattern, bx, by, bp):
    args = arrays(3001, 50, "float64", bx, by, bp)
    kernel, dtypes = totals["float64", True], (DTYPES[2], *DTYPES[1:])
    total = kernel.call_buffers(args, np.empty, dtypes, ranges=ranges_of(pattern))[2]
    check(total, args, visits_of(pattern, 3001, 50))


def test_all_paths_take_them(totals, arrays):
    args, kernel = arrays(500, 60, "float32", (2,), (2,), (1,)), totals["float32", True]
    expected = kernel.call_buffers(args, np.empty, DTYPES)[2]
    shapes = ((2, 500, 1), (2, 500, 1), (2, 2))

    def fresh():
        return tuple(np.zeros(s, d) for s, d in zip(shapes, DTYPES, strict=True))

    given, tensors, addresses = fresh(), fresh(), fresh()
    assert kernel.call_buffers(args, np.empty, DTYPES, given) is given
    kernel.call_tensors(tuple(map(Tensor, args)), tuple(map(Tensor, tensors)))
    kernel.run(*([(a.ctypes.data, a.shape) for a in group] for group in (args, addresses)))
    for outs in (given, tensors, addresses):
        np.testing.assert_array_equal(outs[2], expected)


def test_totals_may_be_of_another_dtype_than_the_inputs(new_totals, arrays):
    args = arrays(500, 60)
    wide = new_totals(has_rows=False).call_buffers(args, np.empty, DTYPES[2:])[0]
    kernel = new_totals(has_rows=False, total_dtype="float32")
    narrow = kernel.call_buffers(args, np.empty, DTYPES[:1])[0]
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))


def test_shapes_that_do_not_fit_are_refused(totals, arrays):
    args, kernel = arrays(5, 6), totals["float32", False]
    for shape in [(1, 2), (5, 2), (1,), ()]:
        out = np.zeros(shape)
        assert kernel.call_buffers(args, np.empty, DTYPES[2:], (out,)) is None
        with pytest.raises(ValueError, match=r"output 0: expected shape \(2,\), got"):
            kernel.call_tensors(tuple(map(Tensor, args)), (Tensor(out),))


def test_a_kernel_shows_the_axes_of_its_outputs(totals):
    assert totals["float32", True].outputs == (
        (1, "float32", -1.5, "i"),
        (1, "int64", -1.0, "i"),
        (2, "float64", 0.0, "p"),
    )


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ((1, "int64", 0, "p"), "must be of a float dtype, not int64"),
        ((1, "float32", 0, "j"), "an output has axis 'j'"),
        ((1, "float32", 0, "k"), "expected 'i', 'j' or 'p', got 'k'"),
    ],
)
def test_a_senseless_output_is_refused(output, text):
    with pytest.raises(ValueError, match=text):
        native.Kernel(inputs=[("i", 1)], outputs=[output], dtype="float32", rows=1)


@pytest.mark.parametrize(
    "output", [(1, "float32"), (1, "float32", 0, "p", 0), (1, "float32", 0, 1)]
)
def test_what_is_no_output_is_a_type_error(output):
    with pytest.raises(TypeError):
        native.Kernel(inputs=[("i", 1)], outputs=[output], dtype="float32", rows=1)
