// Writes the value of an empty reduction into every row, and into sums over the rows.

KERNEL(COMBINE_THREADS, 1) fill(ARGUMENT Call call) {
    const Block block = block_of(call);
    const Tile tile = even_tile(call, block.tile);
#pragma unroll 1
    for (Index row = tile.begin + threadIdx.x; row < tile.end; row += COMBINE_THREADS)
        fill_row(call, block.element, row);
    if (block.tile == 0 && threadIdx.x == 0) fill_totals(call, block.element);
}
