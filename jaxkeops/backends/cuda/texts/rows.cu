// The main step: a block takes in its share of the columns for a tile of rows.
//
// A thread keeps ROWS rows in registers, THREADS apart; the columns pass through shared memory.

template <int ROWS, int THREADS>
DEVICE void reduce(const Call &call, const Block &block, const Tile &tile, unsigned char *shared) {
    Real *columns = (Real *)shared;
    const Index element = block.element, split = blockIdx.y;
    double over[TOTAL_SLOTS] = {};
    if (tile.begin < tile.end) {
        const Share share = share_of(call, tile, split);
        const Arrays arrays = arrays_of(call, block.element);
        const Index first = tile.begin + threadIdx.x;
        Rows<ROWS, THREADS> held;
        held.start_all(call, arrays, split, element, tile);
        {
            Real p[PARAMETER_SLOTS], u[ROWS][ROW_SLOTS];
            parameter_values(arrays, p);
#pragma unroll 1
            for (bool tried = false;; tried = true) {
#pragma unroll
                for (int r = 0; r < ROWS; ++r)
                    row_values(arrays, smaller(first + r * THREADS, tile.end - 1), p, u[r]);
                if (scale_rows<ROWS>(p, u, columns, tried)) break;
            }
            BlockRows of_block;
            of_block.start(arrays, tile, p, u[0], columns);
#pragma unroll 1
            for (int pass = 0; pass < PASSES; ++pass) {
                unsigned turn = 0;
#pragma unroll 1
                for (Index at = share.first; at < share.last; at += TILE_COLUMNS, ++turn) {
                    const int count = (int)smaller(TILE_COLUMNS, share.last - at);
                    __syncthreads();
                    fill_tile<THREADS>(call, arrays, tile, p, of_block, at, count, columns);
                    __syncthreads();
                    held.take(p, u, columns, count, turn, at + TILE_COLUMNS >= share.last);
                }
            }
        }
#pragma unroll 1
        for (int r = 0; r < ROWS; ++r) {
            const Index row = first + r * THREADS;
            if (row >= tile.end) break;
            State state;
            held.get(r, state);
            settle(call, arrays, tile, share, row, state);
            if (call.splits > 1) save(call, split, element, row, state);
            else finish_row(call, arrays, tile, element, row, state, over);
        }
    }
    if (TOTALS && call.splits == 1) put_totals<THREADS>(call, over, shared);
}

KERNEL(THREADS, MIN_BLOCKS) rows(ARGUMENT Call call) {
    SHARED_MEMORY(shared);
    const Block block = block_of(call);
    if (!RANGED) {
        reduce<ROWS, THREADS>(call, block, dense_tile(call, block.tile, TILE_ROWS), shared);
        return;
    }
    // Row blocks are often short: then most rows of a thread would not be there.
    const Tile tile = range_tile(call, block.tile);
    if (tile.end - tile.begin > THREADS) reduce<ROWS, THREADS>(call, block, tile, shared);
    else reduce<1, THREADS>(call, block, tile, shared);
}
