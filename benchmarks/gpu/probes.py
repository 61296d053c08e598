"""How fast a GPU does what kernels are made of: loops of one instruction, or of two kinds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import numpy as np

from jaxkeops.backends import cuda
from jaxkeops.runtime import native

from .cases import SCHEDULERS, WARP

THREADS = 256
BLOCKS = 8  # of a multiprocessor
CHAINS = 8  # of operations that wait for each other: enough to hide how long one takes
TURNS = 16_384
SAMPLES = 5

# The parameter of a kernel as docs/design/cuda.md has it, of three inputs and one output.
HEAD = """
struct Call {
    Index M, unused[24];
    float *outputs[1];
    const float *inputs[3];
    Index strides[3][4];
};
"""
KERNEL = """
KERNEL(%(threads)d, 1) probe(ARGUMENT Call call) {
    SHARED_MEMORY(memory);
    const Index row = blockIdx.x * (Index)%(threads)d + threadIdx.x;
    const int turns = (int)call.inputs[0][0];
    const float start = call.inputs[0][1];
    float a[%(chains)d];
#pragma unroll
    for (int k = 0; k < %(chains)d; ++k) a[k] = start + k;
    %(before)s
#pragma unroll 1
    for (int turn = 0; turn < turns; ++turn) {
#pragma unroll
        for (int k = 0; k < %(chains)d; ++k) { %(body)s }
    }
    float sum = 0;
#pragma unroll
    for (int k = 0; k < %(chains)d; ++k) {
        %(after)s
        sum += a[k];
    }
    if (row < call.M) call.outputs[0][row] = sum;
}
"""
FMA = "a[k] = math::fma(a[k], start, start);"
EXP = "a[k] = math::exp2(a[k]);"
CLAMP = "a[k] = math::greatest(math::least(a[k], start), start - turn);"
READ_4 = """
    float x;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(place + 16 * k + turn % 2 * 256));
    a[k] += x;"""
READ_8 = """
    float x, y;
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];"
                 : "=f"(x), "=f"(y) : "r"(place + 16 * k + turn % 2 * 256));
    a[k] += x + y;"""
READ_16 = """
    float x, y, z, w;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(x), "=f"(y), "=f"(z), "=f"(w) : "r"(place + 16 * k + turn % 2 * 256));
    a[k] += (x + y) + (z + w);"""
SHARED = """
    unsigned place = (unsigned)__cvta_generic_to_shared(memory);
    ((float *)memory)[threadIdx.x] = start;
    __syncthreads();"""
OWN_PLACE = SHARED + "place += threadIdx.x % 32 * 16;"
MMA = """
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %4, %4, %4}, {%4, %4}, {%0, %1, %2, %3};"
                 : "+f"(c[k][0]), "+f"(c[k][1]), "+f"(c[k][2]), "+f"(c[k][3])
                 : "r"(half));"""
LAUNCH = cuda.Launch(
    steps=(
        cuda.Step("probe", "tiles", THREADS, shared_bytes=4 * THREADS),
        cuda.Step("probe", "tiles", THREADS, shared_bytes=4 * THREADS, when="empty"),
    ),
    tile_rows=THREADS,
    tile_columns=1,
)


@dataclass(frozen=True)
class Probe:
    """opcode: what its loop holds for each chain. cycles: what a turn of a chain should take
    of one scheduler, by NVIDIA's documents for sm_90.
    """

    name: str
    body: str
    opcode: str
    cycles: float
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        """CUDA C++ of the kernel `probe`."""
        numbers = {"threads": THREADS, "chains": CHAINS, "body": self.body, "before": self.before}
        numbers["after"] = self.after
        return cuda.prelude() + HEAD + KERNEL % numbers


PROBES = (
    Probe("8 multiply-adds", 8 * FMA, "FFMA", 8.0),
    Probe("exp2", EXP, "MUFU", 8.0),
    Probe("exp2 and 7 multiply-adds", 7 * FMA + EXP, "MUFU", 8.0),
    Probe("exp2 and 8 multiply-adds", 8 * FMA + EXP, "MUFU", 9.0),
    Probe("a minimum and a maximum", CLAMP, "FMNMX", 4.0),
    Probe("4 bytes of shared memory, one place for all lanes", READ_4, "LDS", 4.0, SHARED),
    Probe("8 bytes of shared memory, one place for all lanes", READ_8, "LDS", 4.0, SHARED),
    Probe("16 bytes of shared memory, one place for all lanes", READ_16, "LDS", 8.0, SHARED),
    Probe("16 bytes of shared memory, each lane its own", READ_16, "LDS", 16.0, OWN_PLACE),
    Probe(
        "a product of matrices, 16 by 8 by 16",
        MMA,
        "HMMA",
        4.0,
        f"float c[{CHAINS}][4] = {{}}; const unsigned half = (unsigned)start;",
        "a[k] += (c[k][0] + c[k][1]) + (c[k][2] + c[k][3]);",
    ),
)


def cycles(probe: Probe, architecture: int, multiprocessors: int, hertz: float) -> float:
    """What a turn of a chain takes of one scheduler, on the first GPU.

    From a run and one twice as long, so that copies and the launch do not count.
    """
    rows = multiprocessors * BLOCKS * THREADS
    kernel = native.CudaKernel(
        inputs=[("p", 2), ("i", 1), ("j", 1)],
        outputs=[(1, "float32", 0.0)],
        dtype="float32",
        images={architecture: cuda.compile_code(probe.text, architecture, cuda.OPTIONS)},
        launches=[LAUNCH],
    )
    one, out = np.zeros((1, 1), "float32"), np.empty((rows, 1), "float32")

    def seconds(turns: int) -> float:
        start = time.perf_counter()
        given = np.array([turns, 1.0], "float32"), np.zeros((rows, 1), "float32"), one
        kernel.call_buffers(given, (out,), 0)
        return time.perf_counter() - start

    seconds(TURNS)
    spent = median(seconds(2 * TURNS) - seconds(TURNS) for _ in range(SAMPLES))
    warps = BLOCKS * THREADS // WARP // SCHEDULERS
    return spent * hertz / (warps * TURNS * CHAINS)
