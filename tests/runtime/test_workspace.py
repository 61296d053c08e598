"""Memory that each running call of a kernel has to itself."""

import os
from pathlib import Path

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
def new_kernel(compile_text):
    """Makes a kernel with so many bytes of workspace."""

    def make(workspace):
        engine = compile_text(TEXT.format(last=max(0, workspace - 1)))
        return native.Kernel(
            inputs=[("i", 0)],
            outputs=[(1, "int64", 0)],
            dtype="float32",
            rows=engine.get_function_address("rows"),
            pair_cost=50.0,
            workspace=workspace,
            code=engine,
        )

    return make


def addresses(kernel, M=10_000):
    """Where the workspace was in each row."""
    return kernel.call_buffers((np.empty((M, 0), "f4"),), np.empty, (np.dtype("int64"),))[0]


@pytest.mark.parametrize("workspace", [1, 64, 1000, 1_000_000])
@pytest.mark.parametrize("threads", [1, 4])
def test_it_is_aligned_and_one_per_thread(new_kernel, workspace, threads):
    before = native.num_threads()
    native.set_num_threads(threads)
    found = np.unique(addresses(new_kernel(workspace)))
    native.set_num_threads(before)
    assert (found != 0).all()
    assert (found % 64 == 0).all()
    assert 1 <= len(found) <= threads
    assert (np.diff(found) >= workspace).all()


def test_without_one_there_is_none(new_kernel):
    assert not addresses(new_kernel(0)).any()


def test_one_beyond_memory_is_a_memory_error(new_kernel):
    with pytest.raises(MemoryError, match="bytes of workspace"):
        addresses(new_kernel(2**60))


def virtual_memory():
    """Bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif("not __import__('os').path.exists('/proc/self/statm')")
def test_it_is_given_back(new_kernel):
    kernel = new_kernel(1_000_000)
    addresses(kernel, M=100)
    before = virtual_memory()
    for _ in range(2000):
        addresses(kernel, M=100)
    assert virtual_memory() - before < 500e6  # 2 GB were lent


def test_a_negative_one_is_refused():
    with pytest.raises(ValueError, match="workspace must be a number of bytes"):
        native.Kernel(
            inputs=[("i", 1)], outputs=[(1, "int32", 0)], dtype="float32", rows=1, workspace=-1
        )
