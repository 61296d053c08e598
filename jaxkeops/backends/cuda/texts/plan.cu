// Makes tiles of rows and positions of columns from the arrays of ranges, in one block.
//
// The arrays come unchecked: what does not fit into M rows and N columns is cut off.

DEVICE Index integer_at(const Call &call, const void *array, Index k) {
    return call.range_bytes == 8 ? ((const Index *)array)[k] : ((const int *)array)[k];
}

DEVICE Index clamped(Index a, Index low, Index high) {
    return a < low ? low : a > high ? high : a;
}

// [begin, end) of interval k; empty rather than reversed.
struct Interval {
    Index begin, end;
};

DEVICE Interval interval_at(const Call &call, const void *array, Index k, Index limit) {
    const Index begin = clamped(integer_at(call, array, 2 * k), 0, limit);
    return {begin, clamped(integer_at(call, array, 2 * k + 1), begin, limit)};
}

// The sum of `value` over the threads before this one; `all` gets the sum over all.
DEVICE Index sum_before(Index value, Index *shared, Index &all) {
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    Index before = 0;
    all = 0;
    for (int t = 0; t < PLAN_THREADS; ++t) {
        if (t < (int)threadIdx.x) before += shared[t];
        all += shared[t];
    }
    return before;
}

DEVICE Index position_of(const Call &call, Index pair, Index all) {
    return pair < call.range_columns ? ((const RangePair *)call.range_pairs)[pair].position : all;
}

KERNEL(PLAN_THREADS, 1) plan(ARGUMENT Call call) {
    SHARED_MEMORY(memory);
    Index *shared = (Index *)memory;
    RangePair *pairs = (RangePair *)call.range_pairs;
    Tile *tiles = (Tile *)call.range_tiles;

    Index each = (call.range_columns + PLAN_THREADS - 1) / PLAN_THREADS;
    Index first = smaller(threadIdx.x * each, call.range_columns);
    Index last = smaller(first + each, call.range_columns);
    Index length = 0, positions = 0;
    for (Index k = first; k < last; ++k) {
        const Interval interval = interval_at(call, call.column_blocks, k, call.N);
        length += interval.end - interval.begin;
    }
    Index position = sum_before(length, shared, positions);
    for (Index k = first; k < last; ++k) {
        const Interval interval = interval_at(call, call.column_blocks, k, call.N);
        pairs[k] = {position, interval.begin};
        position += interval.end - interval.begin;
    }

    each = (call.range_blocks + PLAN_THREADS - 1) / PLAN_THREADS;
    first = smaller(threadIdx.x * each, call.range_blocks);
    last = smaller(first + each, call.range_blocks);
    Index count = 0, used = 0;
    for (Index k = first; k < last; ++k) {
        const Interval interval = interval_at(call, call.row_blocks, k, call.M);
        count += (interval.end - interval.begin + TILE_ROWS - 1) / TILE_ROWS;
    }
    Index number = sum_before(count, shared, used); // its barriers also show `pairs` to all threads
    for (Index k = first; k < last; ++k) {
        const Interval interval = interval_at(call, call.row_blocks, k, call.M);
        Index begin = k ? integer_at(call, call.ends, k - 1) : 0;
        begin = clamped(begin, 0, call.range_columns);
        const Index end = clamped(integer_at(call, call.ends, k), begin, call.range_columns);
        for (Index row = interval.begin; row < interval.end && number < call.tiles; row += TILE_ROWS)
            tiles[number++] = {
                row, smaller(row + TILE_ROWS, interval.end), position_of(call, begin, positions),
                position_of(call, end, positions), begin, end};
    }
    for (Index k = used + threadIdx.x; k < call.tiles; k += PLAN_THREADS)
        tiles[k] = {0, 0, 0, 0, 0, 0};
}
