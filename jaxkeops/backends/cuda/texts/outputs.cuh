// The end of a row, and sums over the rows of a tile.

// The sum of `value` over all threads of the block, in thread 0. The order is fixed.
template <int threads> DEVICE double sum_of_block(double value, double *shared) {
#pragma unroll
    for (int mask = 16; mask; mask /= 2) value += from_lane(value, mask);
    __syncthreads();
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    double sum = 0;
    if (threadIdx.x == 0)
        for (int warp = 0; warp < threads / 32; ++warp) sum += shared[warp];
    return sum;
}

// Leaves the sums over the rows of a tile for the step that adds up the tiles.
template <int threads> DEVICE void put_totals(const Call &call, const double *over, void *shared) {
#pragma unroll
    for (int k = 0; k < TOTALS; ++k) {
        const double sum = sum_of_block<threads>(over[k], (double *)shared);
        if (threadIdx.x == 0) ((double *)call.totals)[blockIdx.x * (Index)TOTALS + k] = sum;
    }
}

// Writes one row of all outputs; adds its part to the sums over rows.
DEVICE void finish_row(
    const Call &call, const Arrays &arrays, const Tile &tile, Index element, Index row,
    State &state, double *over) {
    if (tile.first_position == tile.last_position) return; // `fill` wrote these rows
    conclude(call, tile, state);
    finish(call, arrays, element, row, state, over);
}
