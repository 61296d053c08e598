// The main step where there are few rows: smaller tiles, so that more of a block has work.

KERNEL(FEW_THREADS, 1) few_rows(ARGUMENT Call call) {
    SHARED_MEMORY(shared);
    const Block block = block_of(call);
    reduce<1, FEW_THREADS>(call, block, dense_tile(call, block.tile, FEW_THREADS), shared);
}
