// Adds up the sums over rows of all tiles of an element, in a fixed order.

KERNEL(COMBINE_THREADS, 1) totals(ARGUMENT Call call) {
    SHARED_MEMORY(shared);
    const Index element = blockIdx.x;
    const double *parts = (const double *)call.totals + element * call.tiles * TOTALS;
#pragma unroll 1
    for (int k = 0; k < TOTALS; ++k) {
        double part = 0;
        for (Index tile = threadIdx.x; tile < call.tiles; tile += COMBINE_THREADS)
            part += parts[tile * TOTALS + k];
        const double sum = sum_of_block<COMBINE_THREADS>(part, (double *)shared);
        if (threadIdx.x == 0) finish_total(call, element, k, sum);
    }
}
