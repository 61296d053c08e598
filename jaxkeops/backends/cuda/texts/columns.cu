// Computes what changes with the column alone once for each of them.

KERNEL(COMBINE_THREADS, 1) columns(ARGUMENT Call call) {
    const unsigned blocks = (unsigned)((call.N + COMBINE_THREADS - 1) / COMBINE_THREADS);
    const Index column = blockIdx.x % blocks * (Index)COMBINE_THREADS + threadIdx.x;
    if (column >= call.N) return;
    const Arrays arrays = arrays_of(call, blockIdx.x / blocks);
    store_column(arrays, column, (Real *)arrays.scratch + column * COLUMN_WIDTH);
}
