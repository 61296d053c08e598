// Writes the value of an empty reduction into every row, and into sums over the rows.

KERNEL(COMBINE_THREADS, 1) fill(ARGUMENT Call call) {
    const Block block = block_of(call);
    const Index step = call.tiles * COMBINE_THREADS;
#pragma unroll 1
    for (Index row = block.tile * (Index)COMBINE_THREADS + threadIdx.x; row < call.M; row += step)
        fill_row(call, block.element, row);
    if (block.tile == 0 && threadIdx.x == 0) fill_totals(call, block.element);
}
