// The main step where there are few rows: smaller tiles, so that more of a block has work.

KERNEL(FEW_THREADS, 1) few_rows(ARGUMENT Call call) {
    SHARED_MEMORY(shared);
    reduce<1, FEW_THREADS>(call, shared);
}
