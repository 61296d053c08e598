// Writes the value of an empty reduction into every row, and into sums over the rows.

KERNEL(COMBINE_THREADS, 1) fill(ARGUMENT Call call) {
    const Index element = blockIdx.x / call.tiles, tile = blockIdx.x % call.tiles;
    const Index begin = smaller(tile * TILE_ROWS, call.M), end = smaller(begin + TILE_ROWS, call.M);
    for (Index row = begin + threadIdx.x; row < end; row += COMBINE_THREADS)
        fill_row(call, element, row);
    if (tile == 0 && threadIdx.x == 0) fill_totals(call, element);
}
