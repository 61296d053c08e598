// Splits the columns' factors of sums over components, once for all rows.

KERNEL(COMBINE_THREADS, 1) pieces(ARGUMENT Call call) {
    const unsigned blocks = (unsigned)((call.N + COMBINE_THREADS - 1) / COMBINE_THREADS);
    const Index column = blockIdx.x % blocks * (Index)COMBINE_THREADS + threadIdx.x;
    if (!MATRIX_UNITS || column >= call.N) return;
    const Arrays arrays = arrays_of(call, blockIdx.x / blocks);
    Real p[PARAMETER_SLOTS];
    parameter_values(arrays, p);
    store_all_pieces(arrays, column, p, (Real *)arrays.scratch + column * COLUMN_WIDTH);
}
