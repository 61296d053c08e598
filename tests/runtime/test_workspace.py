"""Memory that each running call of a kernel has to itself."""

import numpy as np
import pytest

from jaxkeops.runtime import native

# out_i is the address of the workspace, whose first and last bytes are written; x is (M, 0).
TEXT = """
%call = type {{ i64, i64, ptr, ptr, ptr, ptr, i64, ptr, ptr }}

define void @rows(ptr %c, i64 %begin, i64 %end) {{
entry:
  %out.at = getelementptr %call, ptr %c, i64 0, i32 3
  %outs = load ptr, ptr %out.at
  %out = load ptr, ptr %outs
  %workspace.at = getelementptr %call, ptr %c, i64 0, i32 7
  %workspace = load ptr, ptr %workspace.at
  %address = ptrtoint ptr %workspace to i64
  %is.there = icmp ne ptr %workspace, null
  br i1 %is.there, label %touch, label %row
touch:
  %last = getelementptr i8, ptr %workspace, i64 {last}
  store i8 1, ptr %workspace
  store i8 2, ptr %last
  br label %row
row:
  %i = phi i64 [ %begin, %entry ], [ %begin, %touch ], [ %i.next, %row ]
  %to = getelementptr i64, ptr %out, i64 %i
  store i64 %address, ptr %to
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %end
  br i1 %more, label %row, label %done
done:
  ret void
}}
"""


@pytest.fixture
def addresses(compile_text):
    """Runs a kernel with so many bytes of workspace; gives its address in every row."""

    def run(workspace, M=10_000):
        engine = compile_text(TEXT.format(last=max(0, workspace - 1)))
        kernel = native.Kernel(
            inputs=[("i", 0)],
            outputs=[(1, "int64", 0)],
            dtype="float32",
            rows=engine.get_function_address("rows"),
            pair_cost=50.0,
            workspace=workspace,
            code=engine,
        )
        return kernel.call_buffers((np.empty((M, 0), "f4"),), np.empty, (np.dtype("int64"),))[0]

    return run


@pytest.mark.parametrize("workspace", [1, 64, 1000, 1_000_000])
@pytest.mark.parametrize("threads", [1, 4])
def test_it_is_aligned_and_one_per_thread(addresses, workspace, threads):
    before = native.num_threads()
    native.set_num_threads(threads)
    found = np.unique(addresses(workspace))
    native.set_num_threads(before)
    assert (found != 0).all()
    assert (found % 64 == 0).all()
    assert 1 <= len(found) <= threads
    assert (np.diff(found) >= workspace).all()


def test_without_one_there_is_none(addresses):
    assert not addresses(0).any()


def test_one_beyond_memory_is_a_memory_error(addresses):
    with pytest.raises(MemoryError, match="bytes of workspace"):
        addresses(2**60)


def test_it_is_given_back(addresses):
    resident = "/proc/self/statm"
    try:
        pages = [int(open(resident).read().split()[1])]
    except OSError:
        pytest.skip("this system does not tell how much memory a process has")
    for _ in range(200):
        addresses(1_000_000, M=100)
    pages.append(int(open(resident).read().split()[1]))
    assert pages[1] - pages[0] < 40 * 256  # 40 MB of the 200 that were lent


def test_a_negative_one_is_refused():
    with pytest.raises(ValueError, match="workspace must be a number of bytes"):
        native.Kernel(
            inputs=[("i", 1)], outputs=[(1, "int32", 0)], dtype="float32", rows=1, workspace=-1
        )
