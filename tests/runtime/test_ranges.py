"""Block-sparse reductions: every pattern agrees with brute force, every unsound one is refused."""

import itertools

import numpy as np
import pytest

from jaxkeops.runtime import native

DTYPES = (np.dtype("float32"), np.dtype("int64"))
INTEGERS = ["int32", "int64"]


class Tensor:
    """What the runtime uses of a tensor."""

    def __init__(self, values, dtype=None):
        self.values = values
        self.shape = values.shape
        self.dtype = dtype or values.dtype

    def data_ptr(self):
        return self.values.ctypes.data


def tensors(values):
    return tuple(Tensor(value) for value in values)


def ranges_of(pattern, dtype="int64"):
    """The three arrays of a pattern: a list of ((start, end), list of column blocks)."""
    rows = [block for block, _ in pattern]
    ends = np.cumsum([len(columns) for _, columns in pattern])
    columns = [block for _, blocks in pattern for block in blocks]
    shapes = (-1, 2), (-1,), (-1, 2)
    return tuple(
        np.array(part, dtype).reshape(shape)
        for part, shape in zip((rows, ends, columns), shapes, strict=True)
    )


def dense(args, pattern):
    """(sum, count) in float64, term by term."""
    x, y, p = (arg.astype(np.float64) for arg in args)
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2], p.shape[:-1])
    M = x.shape[-2]
    total, count = np.full((*batch, M, 1), -1.5), np.full((*batch, M, 1), -1)
    for (start, end), blocks in pattern:
        columns = np.array([j for a, b in blocks for j in range(a, b)], int)
        if columns.size:
            terms = x[..., start:end, :] * np.swapaxes(y, -1, -2)[..., columns] * p[..., None]
            total[..., start:end, :] = terms.sum(-1, keepdims=True)
            count[..., start:end, :] = columns.size
    return total, count


def check(results, args, pattern):
    """Asserts (sum, count): all terms are positive, so n of them err by n eps relatively."""
    total, count = dense(args, pattern)
    eps = np.finfo(args[0].dtype).eps
    np.testing.assert_array_equal(results[1], count)
    np.testing.assert_allclose(results[0], total, rtol=max(4, count.max(initial=0)) * eps)


@pytest.fixture
def draw(rng):
    """Draws a pattern over M rows and N columns: row blocks of at most `most` rows in any order,
    some left out, some empty; lists of at most `lists` blocks that overlap, repeat, are empty."""

    def block(N):
        return tuple(sorted(int(n) for n in rng.integers(0, N + 1, 2)))

    def make(M, N, most=20, lists=5):
        cuts = np.unique(np.concatenate([[0, M], rng.integers(0, M + 1, 2 * M // most + 1)]))
        rows = [(int(a), int(b)) for a, b in itertools.pairwise(cuts)]
        rows = [r for r in rows if rng.random() < 0.8] + [(M // 2, M // 2)]
        rng.shuffle(rows)
        pattern = []
        for row_block in rows:
            blocks = [block(N) for _ in range(rng.integers(0, lists + 1))]
            pattern.append((tuple(row_block), blocks + blocks[: rng.integers(0, 2)]))
        return pattern

    return make


@pytest.mark.parametrize("integers", INTEGERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("M", [0, 1, 5, 301])
@pytest.mark.parametrize("N", [0, 1, 64, 400])
def test_random_patterns_agree_with_brute_force(
    kernels, arrays, draw, integers, dtype, staged, M, N
):
    for most in (3, 100):
        args, pattern = arrays(M, N, dtype), draw(M, N, most)
        dtypes = (np.dtype(dtype), DTYPES[1])
        results = kernels[dtype, staged].call_buffers(
            args, np.empty, dtypes, ranges=ranges_of(pattern, integers)
        )
        check(results, args, pattern)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize(
    ("bx", "by", "bp"),
    [((3,), (3,), (3,)), ((1,), (3,), (1,)), ((2, 1), (1, 3), (1, 1)), ((2, 0), (1, 1), (2, 1))],
)
def test_every_batch_element_has_the_same_pattern(kernels, arrays, draw, staged, bx, by, bp):
    args, pattern = arrays(40, 90, "float32", bx, by, bp), draw(40, 90, 7)
    kernel = kernels["float32", staged]
    results = kernel.call_buffers(args, np.empty, DTYPES, ranges=ranges_of(pattern))
    check(results, args, pattern)


PATTERNS = {
    "no block": [],
    "no list": [((0, 30), [])],
    "all rows over all columns": [((0, 30), [(0, 40)])],
    "blocks from the last to the first": [((a, a + 3), [(a, a + 9)]) for a in range(27, -1, -3)],
    "rows between blocks": [((3, 5), [(0, 7)]), ((20, 21), [(39, 40)])],
    "an empty list between others": [((0, 9), [(1, 2)]), ((9, 20), []), ((20, 30), [(3, 4)])],
    "one block many times": [((4, 8), [(5, 30)] * 50)],
    "blocks that overlap": [((4, 8), [(5, 30), (20, 40), (0, 40), (29, 31)])],
    "empty columns": [((0, 9), [(7, 7), (0, 0), (40, 40)]), ((9, 18), [(7, 7), (8, 9), (3, 3)])],
    "empty rows": [((5, 5), [(0, 9)]), ((0, 30), [(1, 5)]), ((30, 30), [(0, 9)])],
}


@pytest.mark.parametrize("integers", INTEGERS)
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_notable_patterns_agree_with_brute_force(kernel, arrays, pattern, integers):
    args, ranges = arrays(30, 40), ranges_of(pattern, integers)
    check(kernel.call_buffers(args, np.empty, DTYPES, ranges=ranges), args, pattern)


def test_all_rows_over_all_columns_is_the_dense_reduction(kernels, arrays):
    args, kernel = arrays(300, 200), kernels["float32", True]
    ranges = ranges_of([((0, 300), [(0, 200)])])
    sparse = kernel.call_buffers(args, np.empty, DTYPES, ranges=ranges)
    for got, expected in zip(sparse, kernel.call_buffers(args, np.empty, DTYPES), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.fixture(params=[1, 4])
def threads(request):
    before = native.num_threads()
    native.set_num_threads(request.param)
    yield
    native.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_many_tiny_blocks(kernels, arrays):
    M = 60_000
    pattern = [((a, a + 3), [(a % 997, a % 997 + 2)]) for a in range(0, M, 3)]
    args = arrays(M, 1000)
    results = kernels["float32", True].call_buffers(
        args, np.empty, DTYPES, ranges=ranges_of(pattern)
    )
    check(results, args, pattern)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("first", [False, True])
def test_one_huge_block_and_many_small_ones(kernel, arrays, first):
    small = [((a, a + 1), [(a % 700, 700)] * (a % 3)) for a in range(1000)]
    huge = [((1000, 4000), [(0, 700), (100, 200)])]
    pattern = huge + small if first else small + huge
    args = arrays(4005, 700)
    results = kernel.call_buffers(args, np.empty, DTYPES, ranges=ranges_of(pattern, "int32"))
    check(results, args, pattern)


def test_results_do_not_depend_on_the_number_of_threads(kernels, arrays, draw):
    args, ranges = arrays(3000, 500), ranges_of(draw(3000, 500, 100))
    before, results = native.num_threads(), []
    for count in (1, 2, 7):
        native.set_num_threads(count)
        kernel = kernels["float32", True]
        results.append(kernel.call_buffers(args, np.empty, DTYPES, ranges=ranges)[0])
    native.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_given_outputs_are_filled(kernel, arrays, draw):
    args, pattern = arrays(50, 60), draw(50, 60)
    out = (np.full((50, 1), np.nan, np.float32), np.zeros((50, 1), np.int64))
    assert kernel.call_buffers(args, np.empty, DTYPES, out, ranges_of(pattern)) is out
    check(out, args, pattern)


@pytest.mark.parametrize("integers", INTEGERS)
def test_tensors_may_have_ranges(kernel, arrays, draw, integers):
    args, pattern = arrays(50, 60), draw(50, 60)
    outs = (np.full((50, 1), np.nan, np.float32), np.zeros((50, 1), np.int64))
    kernel.call_tensors(tensors(args), tensors(outs), tensors(ranges_of(pattern, integers)))
    check(outs, args, pattern)


@pytest.mark.parametrize("integers", INTEGERS)
def test_torch_tensors_may_have_ranges(kernel, arrays, draw, integers):
    torch = pytest.importorskip("torch")
    args, pattern = arrays(50, 60), draw(50, 60)
    outs = (np.full((50, 1), np.nan, np.float32), np.zeros((50, 1), np.int64))
    groups = (args, outs, ranges_of(pattern, integers))
    kernel.call_tensors(*(tuple(torch.from_numpy(a) for a in group) for group in groups))
    check(outs, args, pattern)


def test_addresses_may_have_ranges(kernel, arrays, draw):
    args, pattern = arrays(50, 60), draw(50, 60)
    outs = (np.full((50, 1), np.nan, np.float32), np.zeros((50, 1), np.int64))
    groups = (args, outs, ranges_of(pattern))
    kernel.run(*(tuple((a.ctypes.data, a.shape) for a in group) for group in groups))
    check(outs, args, pattern)


def set_at(which, index, value):
    """Changes one number of the three arrays."""

    def change(ranges):
        ranges[which][index] = value
        return ranges

    return change


def replaced(which, make):
    """Puts another array in the place of one of the three."""

    def change(ranges):
        return (*ranges[:which], make(ranges[which]), *ranges[which + 1 :])

    return change


# Over 10 rows and 9 columns.
SOUND = [((0, 3), [(0, 4), (2, 9)]), ((5, 10), [(1, 1)]), ((3, 4), [(7, 8)])]
UNSOUND = [
    (set_at(0, (0, 0), 4), r"row_blocks\[0\] = \[4, 3\) ends before it starts"),
    (set_at(0, (1, 1), 11), r"row_blocks\[1\] = \[5, 11\) is not within \[0, 10\], the rows"),
    (set_at(0, (0, 0), -1), r"row_blocks\[0\] = \[-1, 3\) is not within"),
    (set_at(0, (2, 0), 2), r"row_blocks\[0\] = \[0, 3\) overlaps row_blocks\[2\] = \[2, 4\)"),
    (set_at(2, (1, 1), 10), r"column_blocks\[1\] = \[2, 10\) is not within \[0, 9\], the columns"),
    (set_at(2, (3, 0), 9), r"column_blocks\[3\] = \[9, 8\) ends before it starts"),
    (set_at(1, 1, 1), r"ends\[1\] = 1 is less than the end before it, 2"),
    (set_at(1, 2, 5), r"ends\[2\] = 5 is not within \[0, 4\], the number of column_blocks"),
    (set_at(1, 0, -1), r"ends\[0\] = -1 is not within"),
    (replaced(0, lambda a: a.reshape(-1)), r"row_blocks: expected shape \(Mc, 2\), got \(6,\)"),
    (replaced(1, lambda a: a[:, None].copy()), r"ends: expected shape \(Mc,\), got \(3, 1\)"),
    (replaced(2, lambda a: a[:3].reshape(2, 3)), r"column_blocks: expected shape \(Mcc, 2\), got"),
    (
        replaced(1, lambda a: a[:2].copy()),
        r"ends: expected one end for each of the 3 row_blocks, got 2",
    ),
]


@pytest.mark.parametrize("integers", INTEGERS)
@pytest.mark.parametrize(("change", "text"), UNSOUND)
def test_unsound_ranges_are_refused_before_anything_runs(kernel, arrays, change, text, integers):
    args, ranges = arrays(10, 9), change(ranges_of(SOUND, integers))
    outs = (np.full((10, 1), 7, np.float32), np.full((10, 1), 7, np.int64))
    with pytest.raises(ValueError, match="ranges: " + text):
        kernel.call_buffers(args, np.empty, DTYPES, outs, ranges)
    with pytest.raises(ValueError, match="ranges: " + text):
        kernel.call_tensors(tensors(args), tensors(outs), tensors(ranges))
    if integers == "int64":
        groups = (args, outs, ranges)
        with pytest.raises(ValueError, match="ranges: " + text):
            kernel.run(*(tuple((a.ctypes.data, a.shape) for a in group) for group in groups))
    assert all((out == 7).all() for out in outs)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda a: a.astype(np.float64), "expected int32 or int64, got format 'd'"),
        (lambda a: a.astype(np.uint64), "expected int32 or int64, got format"),
        (lambda a: a.astype(np.int16), "expected int32 or int64, got format 'h'"),
        (lambda a: a.astype(">i8"), "expected int32 or int64, got format '>"),
        (lambda a: np.stack([a] * 2)[:, ::2][0], "expected a C-contiguous array of int32 or int64"),
        (lambda a: a.tolist(), "expected a C-contiguous array of int32 or int64, got list"),
        (lambda a: None, "expected a C-contiguous array of int32 or int64, got NoneType"),
    ],
)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_what_is_no_array_of_integers_is_refused(kernel, arrays, make, text, which):
    ranges = replaced(which, make)(ranges_of(SOUND))
    with pytest.raises(ValueError, match=text):
        kernel.call_buffers(arrays(10, 9), np.empty, DTYPES, ranges=ranges)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint32", "uint64", "int16", "uint8"])
def test_tensors_of_another_dtype_are_refused(kernel, arrays, dtype):
    args, outs = tensors(arrays(10, 9)), tensors((np.zeros((10, 1), "f"), np.zeros((10, 1), int)))
    ranges = tensors(a.astype(dtype) for a in ranges_of(SOUND))
    with pytest.raises(ValueError, match=f"row_blocks: expected int32 or int64, got {dtype}"):
        kernel.call_tensors(args, outs, ranges)


def test_torch_tensors_of_another_dtype_are_refused(kernel, arrays):
    torch = pytest.importorskip("torch")
    args, outs = tensors(arrays(10, 9)), tensors((np.zeros((10, 1), "f"), np.zeros((10, 1), int)))
    rows, ends, columns = (torch.from_numpy(a) for a in ranges_of(SOUND))
    with pytest.raises(ValueError, match="ends: expected int32 or int64, got float64"):
        kernel.call_tensors(args, outs, (rows, ends.double(), columns))
    with pytest.raises(ValueError, match="ends: expected int32 or int64, got uint64"):
        kernel.call_tensors(args, outs, (rows, ends.view(torch.uint64), columns))


@pytest.mark.parametrize("ranges", [(), ((), ()), [1, 2, 3], 5, np.zeros((3, 2), int)])
def test_what_is_no_tuple_of_three_is_refused(kernel, arrays, ranges):
    args, outs = arrays(10, 9), (np.zeros((10, 1), np.float32), np.zeros((10, 1), np.int64))
    with pytest.raises(ValueError, match="ranges: expected a tuple of three arrays"):
        kernel.call_buffers(args, np.empty, DTYPES, ranges=ranges)
    with pytest.raises(ValueError, match="ranges: expected a tuple of three arrays"):
        kernel.call_tensors(tensors(args), tensors(outs), ranges)


def test_arguments_that_do_not_fit_still_give_none(kernel, arrays):
    x, y, p = arrays(10, 9)
    ranges = ranges_of(SOUND)
    assert kernel.call_buffers((x, y, None), np.empty, DTYPES, ranges=ranges) is None
    out = (np.zeros((9, 1), np.float32), np.zeros((10, 1), np.int64))
    assert kernel.call_buffers((x, y, p), np.empty, DTYPES, out, ranges) is None


def test_arrays_of_ranges_can_be_resized_after_the_call(kernel, arrays):
    ranges = tuple(array.copy() for array in ranges_of(SOUND))
    kernel.call_buffers(arrays(10, 9), np.empty, DTYPES, ranges=ranges)
    for array in ranges:
        array.resize(array.size + 1, refcheck=False)  # raises while a buffer is held
