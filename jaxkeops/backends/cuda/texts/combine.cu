// The step after a split: merges what the splits hold for each row, in their order.
//
// Few rows have many splits. Then threads share a row: each merges some splits that follow each
// other, and these results are merged by pairs. One thread alone would read for longer than the
// pairs took.

constexpr int MOST_SHARING_BITS = 6;

// Of how many threads a row has: as many as there are beside those of the other rows, and no more
// than shorten the chain of merges.
DEVICE int sharing_bits(const Call &call) {
    if (RANGED) return 0;
    const Index threads = call.tiles * COMBINE_THREADS;
    int bits = 0;
#pragma unroll 1
    while (bits < MOST_SHARING_BITS && call.M << (bits + 1) <= threads &&
           4 << 2 * bits < call.splits)
        ++bits;
    return bits;
}

KERNEL(COMBINE_THREADS, 1) combine(ARGUMENT Call call) {
    SHARED_MEMORY(shared);
    const Block block = block_of(call);
    const Index element = block.element;
    const Arrays arrays = arrays_of(call, block.element);
    const int bits = sharing_bits(call), sharing = 1 << bits, rows = COMBINE_THREADS >> bits;
    const int number = threadIdx.x / rows; // of the threads of a row
    const Index first = number * call.splits >> bits, last = (number + 1) * call.splits >> bits;
    const Index longest = (call.splits + sharing - 1) >> bits; // that one of them has
    const Walk walk = walk_of(call, block.tile, rows);
    double over[TOTAL_SLOTS] = {};
#pragma unroll 1
    for (Index begin = walk.first; begin < walk.tile.end; begin += walk.step) {
        const Index row = begin + threadIdx.x % rows;
        const bool there = row < walk.tile.end;
        State state, later;
        if (there) restore(call, first, element, row, state);
        // First the splits of its own, then what others made of theirs: one place for all merges,
        // because those of lists are long.
#pragma unroll 1
        for (Index turn = 1; turn < longest + bits; ++turn) {
            Index split = first + turn;
            bool takes = there && split < last;
            if (turn >= longest) {
                const int apart = 1 << (turn - longest), place = number % (2 * apart);
                if (there && place == apart) save(call, first, element, row, state);
                __syncthreads();
                takes = there && place == 0;
                split = (number + apart) * call.splits >> bits;
            }
            if (!takes) continue;
            restore(call, split, element, row, later);
            merge(call, state, later);
        }
        if (there && number == 0) finish_row(call, arrays, walk.tile, element, row, state, over);
    }
    if (TOTALS) put_totals<COMBINE_THREADS>(call, over, shared);
}
