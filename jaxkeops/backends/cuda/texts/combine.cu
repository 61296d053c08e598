// The step after a split: merges what the splits hold for each row, in their order.

KERNEL(COMBINE_THREADS, 1) combine(ARGUMENT Call call) {
    SHARED_MEMORY(shared);
    const Block block = block_of(call);
    const Index element = block.element;
    const Tile tile = RANGED ? range_tile(call, block.tile) : even_tile(call, block.tile);
    const Arrays arrays = arrays_of(call, block.element);
    double over[TOTAL_SLOTS] = {};
#pragma unroll 1
    for (Index row = tile.begin + threadIdx.x; row < tile.end; row += COMBINE_THREADS) {
        State state;
        restore(call, 0, element, row, state);
        for (Index split = 1; split < call.splits; ++split) {
            State later;
            restore(call, split, element, row, later);
            merge(call, state, later);
        }
        finish_row(call, arrays, tile, element, row, state, over);
    }
    if (TOTALS) put_totals<COMBINE_THREADS>(call, over, shared);
}
